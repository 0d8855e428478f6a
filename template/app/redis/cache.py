"""The cache in Redis: each result is computed once for all concurrent callers."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Literal, TypeVar

from pydantic import ValidationError

from app.core.cache import EVERYTHING, CacheStatistics, Entry, prefix_tag
from app.redis.cache_store import CacheStore, Claim
from app.redis.client import OptionalRedis, RedisAwayError
from app.settings.redis import RedisSettings

MAX_BYTES = 262_144
"""Larger results are not cached."""

JITTER = 0.1
"""The share of its TTL by which a result may expire earlier, so that not all expire at once."""

WAIT_SECONDS = 1.0
"""Seconds that a process waits for another one that computes the same result."""

POLL_SECONDS = 0.02

T = TypeVar("T")

Outcome = Literal["hits", "misses", "bypassed"]

Listener = Callable[[str, Outcome], object]
"""Is called with the key prefix and the outcome of each call."""


class RedisCache:
    """The cache in Redis. While Redis is down, the methods are called."""

    def __init__(
        self,
        redis: OptionalRedis,
        settings: RedisSettings,
        listener: Listener = lambda _key_prefix, _outcome: None,
    ) -> None:
        self._store = CacheStore(redis, settings.cache_prefix)
        self._enabled = settings.cache_enabled
        self._ttl = settings.cache_ttl
        self._flights: dict[str, _Flight] = {}
        self.statistics: defaultdict[str, CacheStatistics] = defaultdict(CacheStatistics)
        """By key prefix."""
        self._listener = listener

    async def invalidate(self, *tags: str) -> None:
        """Invalidate all results with one of these tags. It never fails: see `CacheStore`."""
        await self._forget(tags=tags)

    async def invalidate_prefix(self, key_prefix: str) -> None:
        """Invalidate all results with this prefix."""
        await self._forget(tags=[prefix_tag(key_prefix)])

    async def invalidate_key(self, key: str) -> None:
        """Invalidate one result; `method.invalidate(...)` knows its key."""
        await self._forget(keys=[key])

    async def clear(self) -> None:
        """Invalidate all results."""
        await self._forget(tags=[EVERYTHING])

    async def get(self, entry: Entry[T], compute: Callable[[], Awaitable[T]]) -> T:
        """Return the cached result, else that of `compute`, which is then cached.

        Of many concurrent callers, here and in other processes, one computes (single-flight). An
        error is raised for all who wait in this process, and is not cached.
        """
        if not self._enabled:
            return await compute()
        try:
            found = await self._store.look_up(entry.key, entry.tags)
        except RedisAwayError:
            found = None
        while found is None and (flight := self._flights.get(entry.key)):
            # Shielded: a caller that stops waiting must not stop the others.
            found = await asyncio.shield(flight.result)
        if found is not None:
            with suppress(ValidationError):  # `_lead` handles it
                result = entry.result.validate_json(found)
                self._count(entry, "hits")
                return result
        return await self._lead(entry, compute)

    async def _lead(self, entry: Entry[T], compute: Callable[[], Awaitable[T]]) -> T:
        """Find or compute a result for all concurrent callers; with None, another one must lead."""
        flight = self._flights[entry.key] = _Flight(entry.tags)
        try:
            result, encoded = await self._find_or_compute(entry, compute)
            flight.result.set_result(encoded)
        except Exception as error:
            flight.result.set_exception(error)
            flight.result.exception()  # mark it as retrieved, in case no other caller waits
            raise
        finally:
            if not flight.result.done():
                flight.result.set_result(None)
            if self._flights.get(entry.key) is flight:
                del self._flights[entry.key]
        return result

    async def _find_or_compute(
        self, entry: Entry[T], compute: Callable[[], Awaitable[T]]
    ) -> tuple[T, bytes]:
        claim = await self._claim(entry)
        if (stored := claim.found) is not None:
            try:
                found = entry.result.validate_json(stored)
            except ValidationError:  # another program writes to these keys
                await self._store.forget(keys=[entry.key])
                claim = await self._claim(entry)
            else:
                self._count(entry, "hits")
                return found, stored
        try:
            result = await compute()
            encoded = entry.result.dump_json(result, by_alias=True, round_trip=True)
            keep = claim.holder and len(encoded) <= MAX_BYTES
        except BaseException:
            await self._release(entry, claim)
            raise
        if keep:
            ttl = (entry.ttl or self._ttl) * (1 - JITTER * random.random())  # noqa: S311
            with suppress(RedisAwayError):
                await self._store.store(entry.key, claim, encoded, ttl)
        else:
            await self._release(entry, claim)
        return result, encoded

    async def _claim(self, entry: Entry[T]) -> Claim:
        """Find the result, or get the lock to compute it. Otherwise wait for a while."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                claim = await self._store.claim(entry.key, entry.tags)
            except RedisAwayError:
                self._count(entry, "bypassed")
                return Claim()
            if claim.found is not None:
                return claim
            if claim.holder or time.monotonic() > deadline:
                self._count(entry, "misses")
                return claim
            await asyncio.sleep(POLL_SECONDS)

    def _count(self, entry: Entry[T], outcome: Outcome) -> None:
        statistics = self.statistics[entry.key_prefix]
        setattr(statistics, outcome, getattr(statistics, outcome) + 1)
        self._listener(entry.key_prefix, outcome)

    async def _release(self, entry: Entry[T], claim: Claim) -> None:
        if claim.holder:
            with suppress(RedisAwayError):
                await self._store.release(entry.key, claim)

    async def _forget(self, *, keys: Sequence[str] = (), tags: Sequence[str] = ()) -> None:
        try:
            await self._store.forget(keys=keys, tags=tags)
        finally:  # no caller joins a flight that began before
            gone = [
                key
                for key, flight in self._flights.items()
                if key in keys or not flight.tags.isdisjoint(tags)
            ]
            for key in gone:
                del self._flights[key]


class _Flight:
    """A result that is being found or computed, as JSON; None if the caller gave up."""

    def __init__(self, tags: Sequence[str]) -> None:
        self.tags = frozenset(tags)
        self.result: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
