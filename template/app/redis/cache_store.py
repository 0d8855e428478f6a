"""How results are stored in Redis.

A result is stored with the versions that its tags had before it was computed, and is valid only
while they are unchanged. So to invalidate all results with a tag, one key is deleted. A result that
was computed from older data may be stored late, but is never read. If Redis evicts a version, a new
one takes its place.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, cast

from app.core.cache import EVERYTHING, MAX_TTL
from app.redis.client import OptionalRedis, RedisAwayError

LOCK_SECONDS = 10
"""Seconds until a lock expires: the result of a slower computation is not cached."""

MAX_OWED = 10_000
"""Failed deletions that are remembered while Redis is down; beyond, all results are cleared."""

# KEYS: the result, its lock, its tags. ARGV: a random version, also the value of the lock; the TTL
# of the lock in milliseconds; the TTL of the tags in seconds. Returns what to do, and its data.
_CLAIM = """
local versions = ''
for i = 3, #KEYS do
  redis.call('SET', KEYS[i], ARGV[1], 'NX')
  redis.call('EXPIRE', KEYS[i], ARGV[3])
  versions = versions .. redis.call('GET', KEYS[i])
end
local stored = redis.call('GET', KEYS[1])
if stored and string.sub(stored, 1, #versions) == versions then
  return {'use', string.sub(stored, #versions + 1)}
end
-- A claim that is sent again, because its response was lost, finds its own lock.
if redis.call('GET', KEYS[2]) == ARGV[1]
    or redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return {'compute', versions}
end
return {'wait', ''}
"""

# KEYS: the result, its lock. ARGV: the value of the lock; the result; its TTL in milliseconds.
# Without the lock, or if the key was invalidated, nothing is stored.
_STORE = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""

_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


@dataclass(frozen=True, slots=True)
class Claim:
    """A result that was found, or the lock to compute it, or neither: another caller has it."""

    found: bytes | None = None
    versions: bytes | None = None
    holder: str = ""


class CacheStore:
    """Results in Redis. All methods except `forget` raise `RedisAwayError` while Redis is down."""

    def __init__(self, redis: OptionalRedis, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._claim_script = redis.client.register_script(_CLAIM)
        self._store_script = redis.client.register_script(_STORE)
        self._release_script = redis.client.register_script(_RELEASE)
        self._owed: dict[str, object] = {}

    async def look_up(self, key: str, tags: Sequence[str]) -> bytes | None:
        """Return the result, None if there is no valid one."""
        await self._settle()
        keys = [self._result(key), *map(self._tag, tags)]
        stored, *versions = await self._run(lambda: self._redis.client.mget(keys))
        if stored is None or None in versions:
            return None
        header = b"".join(versions)
        return cast("bytes", stored[len(header) :]) if stored.startswith(header) else None

    async def claim(self, key: str, tags: Sequence[str]) -> Claim:
        """Return the result or, for one caller at a time, the lock to compute it."""
        await self._settle()
        keys = [self._result(key), self._lock(key), *map(self._tag, tags)]
        holder = token_hex(8)
        args: list[str | int] = [holder, LOCK_SECONDS * 1000, 2 * MAX_TTL]
        wanted = True

        async def claim() -> Any:
            answer = await self._claim_script(keys, args)
            if not wanted:  # it came too late: another caller may compute
                await self._release_script(keys[1:2], [holder])
            return answer

        try:
            verdict, value = await self._run(claim)
        except BaseException:
            wanted = False
            raise
        if verdict == b"use":
            return Claim(found=value)
        return Claim(versions=value, holder=holder) if verdict == b"compute" else Claim()

    async def store(self, key: str, claim: Claim, result: bytes, ttl: float) -> None:
        """Store the result of a claim for `ttl` seconds."""
        keys = [self._result(key), self._lock(key)]
        stored = (claim.versions or b"") + result
        args: list[str | bytes | int] = [claim.holder, stored, round(ttl * 1000)]
        await self._run(lambda: self._store_script(keys, args))

    async def release(self, key: str, claim: Claim) -> None:
        """Release the lock."""
        await self._run(lambda: self._release_script([self._lock(key)], [claim.holder]))

    async def forget(self, *, keys: Iterable[str] = (), tags: Iterable[str] = ()) -> None:
        """Invalidate these results: here at once, for other processes as soon as Redis is up."""
        # Owned by this call: the end of an older deletion must not remove it.
        mark = object()
        self._owed |= dict.fromkeys(
            (f(key) for key in keys for f in (self._result, self._lock)), mark
        )
        self._owed |= dict.fromkeys(map(self._tag, tags), mark)
        if len(self._owed) > MAX_OWED:
            self._owed = {self._tag(EVERYTHING): mark}
        with suppress(RedisAwayError):  # the next caller retries before it reads
            await self._settle()

    async def _settle(self) -> None:
        """Repeat the failed deletions."""
        if owed := dict(self._owed):
            await self._run(lambda: self._redis.client.unlink(*owed))
            for key, mark in owed.items():
                if self._owed.get(key) is mark:
                    del self._owed[key]

    async def _run(self, command: Any) -> Any:
        # redis-py's types cover the responses of a command in all modes.
        return await self._redis.use(command)

    def _result(self, key: str) -> str:
        return f"{self._prefix}:cache:{key}"

    def _lock(self, key: str) -> str:
        return f"{self._prefix}:lock:{key}"

    def _tag(self, tag: str) -> str:
        return f"{self._prefix}:tag:{tag}"
