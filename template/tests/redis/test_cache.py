"""O14: keys, sharing and invalidation of cached results."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from pydantic import AwareDatetime, BaseModel, SecretStr
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from app.core.cache import CacheStatistics, cached
from app.core.config import Settings
from app.redis import cache as redis_cache
from app.redis.cache import RedisCache
from app.redis.cache_store import LOCK_SECONDS, CacheStore
from app.redis.client import OptionalRedis, RedisAwayError, build_redis, close_redis
from tests.pace import Stopwatch
from tests.redis.conftest import Server, run_at_once
from tests.waiting import PATIENCE, until


class Book(BaseModel):
    """A value with a type that JSON does not have."""

    title: str
    printed: AwareDatetime


BOOK = Book.model_validate({"title": "Atlas", "printed": "2026-01-31T09:30:00Z"})


class Shelf:
    """A service with cached methods, which counts what it computes."""

    def __init__(self, cache: RedisCache, reader_id: int | None = 1) -> None:
        self.cache = cache
        self.reader_id = reader_id
        self.computed: list[Any] = []
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.result: Book | None = BOOK
        self.error: Exception | None = None
        self.seconds = 0.0

    @cached(key_prefix="books", ttl=60, per="reader_id", tags=["shelf:{reader_id}", "book:{name}"])
    async def find(self, name: str, edition: int | str = 1) -> Book | None:
        """Find a book."""
        return await self._compute(name, edition)

    @cached(key_prefix="all_books")
    async def everybodys(self) -> Book | None:
        return await self._compute()

    async def _compute(self, *arguments: object) -> Book | None:
        self.computed.append(arguments)
        self.begun.set()
        result, error = self.result, self.error
        await asyncio.sleep(self.seconds)
        await self.may_end.wait()
        if error:
            raise error
        return result


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with a prefix of their own, and a timeout that fits a busy machine."""
    return settings.model_copy(update={"cache_prefix": uuid4().hex, "redis_timeout": 5})


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    client = build_redis(settings)
    yield client
    await close_redis(client)


@pytest.fixture
def cache(redis: Redis, settings: Settings) -> RedisCache:
    return new_cache(redis, settings)


def new_cache(redis: Redis, settings: Settings) -> RedisCache:
    return RedisCache(OptionalRedis(redis, settings), settings)


@pytest.fixture
def shelf(cache: RedisCache) -> Shelf:
    return Shelf(cache)


async def test_second_call_is_answered_from_the_cache(shelf: Shelf, cache: RedisCache) -> None:
    assert await shelf.find("atlas") == BOOK
    assert await shelf.find("atlas") == BOOK
    assert shelf.computed == [("atlas", 1)]
    statistics = cache.statistics["books"]
    assert statistics == CacheStatistics(hits=1, misses=1)
    assert statistics.hit_ratio == 0.5
    assert cache.statistics["all_books"].hit_ratio == 0


async def test_each_combination_of_arguments_is_another_result(shelf: Shelf) -> None:
    """By type as well: `1` is not `"1"`. A default is the same as its value."""
    await shelf.find("atlas")
    await shelf.find("atlas", edition=1)
    await shelf.find(edition=1, name="atlas")
    await shelf.find("atlas", "1")
    await shelf.find('atlas",1,"')
    assert shelf.computed == [("atlas", 1), ("atlas", "1"), ('atlas",1,"', 1)]


async def test_each_user_has_results_of_their_own(shelf: Shelf, cache: RedisCache) -> None:
    other = Shelf(cache, reader_id=2)
    other.result = None
    assert await shelf.find("atlas") == BOOK
    assert await other.find("atlas") is None
    assert await shelf.find("atlas") == BOOK


async def test_without_saying_so_everybody_gets_the_same(shelf: Shelf, cache: RedisCache) -> None:
    await shelf.everybodys()
    other = Shelf(cache, reader_id=2)
    assert await other.everybodys() == BOOK
    assert not other.computed


async def test_what_is_nobodys_is_not_kept(cache: RedisCache) -> None:
    everybody = Shelf(cache, reader_id=None)
    await everybody.find("atlas")
    await everybody.find("atlas")
    await everybody.find.invalidate("atlas")
    assert len(everybody.computed) == 2


async def test_nothing_found_is_a_result(shelf: Shelf) -> None:
    """Otherwise all requests for what does not exist would reach the database."""
    shelf.result = None
    assert await shelf.find("atlas") is None
    assert await shelf.find("atlas") is None
    assert len(shelf.computed) == 1


async def test_errors_are_not_kept(shelf: Shelf) -> None:
    shelf.error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        await shelf.find("atlas")
    shelf.error = None
    stopwatch = Stopwatch()
    assert await shelf.find("atlas") == BOOK
    assert stopwatch.within(1)  # their lock is released as well


async def test_hundred_misses_at_once_compute_once(shelf: Shelf, cache: RedisCache) -> None:
    shelf.seconds = 0.05
    results = await asyncio.gather(*(shelf.find("atlas") for _ in range(100)))
    assert results == [BOOK] * 100
    assert len(shelf.computed) == 1
    assert cache.statistics["books"] == CacheStatistics(hits=99, misses=1)
    assert len({id(result) for result in results}) == 100  # no caller shares an object


async def test_error_reaches_everybody_who_waits(shelf: Shelf) -> None:
    shelf.seconds = 0.05
    shelf.error = ValueError("no")
    calls = [shelf.find("atlas") for _ in range(100)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, ValueError) for result in results)
    assert len(shelf.computed) == 1


async def test_waiting_caller_who_goes_stops_nobody(shelf: Shelf) -> None:
    shelf.may_end.clear()
    leader = asyncio.create_task(shelf.find("atlas"))
    await shelf.begun.wait()
    waiting = [asyncio.create_task(shelf.find("atlas")) for _ in range(5)]
    await asyncio.sleep(0.1)
    waiting[2].cancel()
    shelf.may_end.set()
    results = await asyncio.gather(leader, *waiting, return_exceptions=True)
    assert results.count(BOOK) == 5
    assert len(shelf.computed) == 1


async def test_cancelled_caller_takes_nobody_with_it(shelf: Shelf) -> None:
    """One of the waiting callers computes instead."""
    shelf.may_end.clear()
    leader = asyncio.create_task(shelf.find("atlas"))
    await shelf.begun.wait()
    waiting = [asyncio.create_task(shelf.find("atlas")) for _ in range(50)]
    await asyncio.sleep(0.1)
    leader.cancel()
    waiting[7].cancel()
    shelf.may_end.set()
    results = await asyncio.gather(leader, *waiting, return_exceptions=True)
    assert sum(isinstance(result, asyncio.CancelledError) for result in results) == 2
    assert results.count(BOOK) == 49
    assert len(shelf.computed) == 2


PROCESS = """
import asyncio, sys
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from app.core.cache import cached
from app.core.config import load_settings
from app.redis.cache import RedisCache
from app.redis.client import OptionalRedis, build_redis

class Service:
    computed = 0
    def __init__(self, cache: RedisCache) -> None:
        self.cache = cache
    @cached(key_prefix="shared")
    async def slow(self) -> str:
        self.computed += 1
        await asyncio.sleep(0.3)
        return "answer"

async def main():
    settings = load_settings(
        database_url="postgresql://h/d", redis_timeout=10, cache_prefix=sys.argv[1]
    )
    service = Service(RedisCache(OptionalRedis(build_redis(settings), settings), settings))
    print("ready", flush=True)
    sys.stdin.readline()
    assert set(await asyncio.gather(*(service.slow() for _ in range(20)))) == {"answer"}
    print(service.computed)

asyncio.run(main())
"""


def test_three_processes_compute_once(settings: Settings) -> None:  # noqa: ARG001
    prefix = f"shared-{time.time_ns()}"
    assert sorted(run_at_once(PROCESS, prefix, 3)) == [0, 0, 1]


async def test_process_that_dies_while_it_computes(
    shelf: Shelf, redis: Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock expires; a caller that stops waiting computes the result without caching it."""
    await shelf.find("atlas")
    await shelf.find.invalidate("atlas")
    (key,) = [key async for key in redis.scan_iter(f"{settings.cache_prefix}:tag:book:atlas")]
    assert key
    monkeypatch.setattr(redis_cache, "WAIT_SECONDS", 0.1)
    dead = Shelf(new_cache(redis, settings))
    dead.seconds = 60
    call = asyncio.create_task(dead.find("atlas"))
    await dead.begun.wait()
    started = time.monotonic()
    assert await shelf.find("atlas") == BOOK
    assert 0.1 < time.monotonic() - started < LOCK_SECONDS
    locks = [key async for key in redis.scan_iter(f"{settings.cache_prefix}:lock:*")]
    assert len(locks) == 1
    assert 0 < await redis.pttl(locks[0]) <= LOCK_SECONDS * 1000
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert not [key async for key in redis.scan_iter(f"{settings.cache_prefix}:lock:*")]


async def test_invalidation_by_key(shelf: Shelf) -> None:
    await shelf.find("atlas")
    await shelf.find("novel")
    await shelf.find.invalidate("atlas")
    await shelf.find("atlas")
    await shelf.find("novel")
    assert [name for name, _ in shelf.computed] == ["atlas", "novel", "atlas"]


@pytest.mark.parametrize(
    ("tag", "computed_again"),
    [("shelf:1", ["atlas", "novel"]), ("book:atlas", ["atlas"]), ("shelf:2", []), ("shelf:*", [])],
)
async def test_invalidation_by_tag(
    shelf: Shelf, cache: RedisCache, tag: str, computed_again: list[str]
) -> None:
    await shelf.find("atlas")
    await shelf.find("novel")
    shelf.computed.clear()
    await cache.invalidate(tag)
    await shelf.find("atlas")
    await shelf.find("novel")
    assert [name for name, _ in shelf.computed] == computed_again


async def test_invalidation_by_prefix(shelf: Shelf, cache: RedisCache) -> None:
    await shelf.find("atlas")
    await shelf.everybodys()
    await cache.invalidate_prefix("books")
    await shelf.everybodys()
    assert len(shelf.computed) == 2
    await shelf.find("atlas")
    assert len(shelf.computed) == 3


@pytest.mark.parametrize("by", ["key", "tag", "prefix", "all"])
async def test_result_computed_before_an_invalidation_is_never_read(
    shelf: Shelf, cache: RedisCache, by: str
) -> None:
    """It was computed from older data, and is stored afterwards."""
    shelf.may_end.clear()
    before = asyncio.create_task(shelf.find("atlas"))
    await shelf.begun.wait()
    shelf.result = None
    await {
        "key": lambda: shelf.find.invalidate("atlas"),
        "tag": lambda: cache.invalidate("shelf:1"),
        "prefix": lambda: cache.invalidate_prefix("books"),
        "all": cache.clear,
    }[by]()
    shelf.may_end.set()
    assert await shelf.find("atlas") is None  # nor does a caller wait for it
    assert await before == BOOK
    assert await shelf.find("atlas") is None


async def test_lifetimes_are_bounded_and_differ(
    shelf: Shelf, redis: Redis, settings: Settings
) -> None:
    """So that results of the same time do not all expire at the same time."""
    for number in range(20):
        await shelf.find(str(number))
    keys = [key async for key in redis.scan_iter(f"{settings.cache_prefix}:cache:books:*")]
    lifetimes = [await redis.pttl(key) for key in keys]
    assert len(lifetimes) == 20
    assert 53_000 < min(lifetimes) < max(lifetimes) <= 60_000
    assert max(lifetimes) - min(lifetimes) > 1_000
    async for key in redis.scan_iter(f"{settings.cache_prefix}:*"):
        assert await redis.pttl(key) > 0, key


async def test_large_results_are_not_kept(
    shelf: Shelf, redis: Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_cache, "MAX_BYTES", 10)
    assert await shelf.find("atlas") == BOOK
    assert await shelf.find("atlas") == BOOK
    assert len(shelf.computed) == 2
    pattern = f"{settings.cache_prefix}:[cl]*:books:*"
    assert not [key async for key in redis.scan_iter(pattern)]


async def test_keys_have_one_length_and_tell_nothing(
    shelf: Shelf, redis: Redis, settings: Settings
) -> None:
    await shelf.find("x" * 10_000)
    (key,) = [key async for key in redis.scan_iter(f"{settings.cache_prefix}:cache:books:*")]
    assert len(key) == len(f"{settings.cache_prefix}:cache:books:") + 64


async def test_values_are_json(shelf: Shelf, redis: Redis, settings: Settings) -> None:
    """Nothing that is read from Redis is ever executed."""
    await shelf.find("atlas")
    (key,) = [key async for key in redis.scan_iter(f"{settings.cache_prefix}:cache:books:*")]
    stored = await redis.get(key)
    assert isinstance(stored, bytes)
    body = stored[stored.index(b"{") :]
    assert json.loads(body) == {"title": "Atlas", "printed": "2026-01-31T09:30:00Z"}


async def test_damaged_value_is_replaced(shelf: Shelf, redis: Redis, settings: Settings) -> None:
    await shelf.find("atlas")
    (key,) = [key async for key in redis.scan_iter(f"{settings.cache_prefix}:cache:books:*")]
    await redis.append(key, "!")
    assert await shelf.find("atlas") == BOOK
    assert await shelf.find("atlas") == BOOK
    assert len(shelf.computed) == 2


async def test_another_shape_is_another_result(shelf: Shelf) -> None:
    """During a rolling update, no build reads results of another form."""

    async def old(_self: Shelf) -> int:
        return 1

    async def new(_self: Shelf) -> list[int]:
        return [1]

    old.__qualname__ = new.__qualname__ = "Shelf.read"
    of_old_build = cached(key_prefix="shape")(old).__get__(shelf, Shelf)
    of_new_build = cached(key_prefix="shape")(new).__get__(shelf, Shelf)
    assert await of_old_build() == 1
    assert await of_new_build() == [1]


async def test_evicted_version_makes_a_miss(shelf: Shelf, redis: Redis, settings: Settings) -> None:
    await shelf.find("atlas")
    await redis.delete(f"{settings.cache_prefix}:tag:shelf:1")
    await shelf.find("atlas")
    assert len(shelf.computed) == 2


async def test_cache_can_be_turned_off(redis: Redis, settings: Settings) -> None:
    settings = settings.model_copy(update={"cache_enabled": False})
    shelf = Shelf(RedisCache(OptionalRedis(redis, settings), settings))
    await shelf.find("atlas")
    await shelf.find("atlas")
    assert len(shelf.computed) == 2


def test_what_cannot_be_a_key_is_refused_when_it_is_declared() -> None:
    async def undeclared(self: Shelf, name) -> int: ...  # type: ignore[no-untyped-def,empty-body]  # noqa: ANN001
    async def anything(self: Shelf, *names: str) -> int: ...  # type: ignore[empty-body]
    async def no_result(self: Shelf): ...  # type: ignore[no-untyped-def]  # noqa: ANN202
    async def twice(self: Shelf, reader_id: int) -> int: ...  # type: ignore[empty-body]
    async def secret(self: Shelf, key: SecretStr) -> int: ...  # type: ignore[empty-body]
    async def unordered(self: Shelf, names: set[str]) -> int: ...  # type: ignore[empty-body]
    async def inner(self: Shelf, books: list[dict[str, int]]) -> int: ...  # type: ignore[empty-body]

    for method in (undeclared, anything, no_result, twice, secret, unordered, inner):
        with pytest.raises(TypeError):
            cached(key_prefix="x", per="reader_id")(method)
    for ttl in (0, 86_401):
        with pytest.raises(ValueError, match="ttl"):
            cached(key_prefix="x", ttl=ttl)


@pytest.fixture
def away(server: Server, settings: Settings) -> tuple[Server, Settings]:
    values = {
        "redis_url": SecretStr(server.url),
        "redis_timeout": 0.1,
        "circuit_breaker_failure_threshold": 2,
        "circuit_breaker_recovery_timeout": 0.2,
    }
    return server, settings.model_copy(update=values)


async def test_without_redis_the_method_answers(away: tuple[Server, Settings]) -> None:
    """F1: still computed once for all concurrent callers."""
    server, settings = away
    redis = build_redis(settings)
    shelf = Shelf(RedisCache(OptionalRedis(redis, settings), settings))
    server.kill()
    shelf.seconds = 0.3
    assert await asyncio.gather(*(shelf.find("atlas") for _ in range(50))) == [BOOK] * 50
    assert len(shelf.computed) == 1
    assert shelf.cache.statistics["books"].bypassed == 1
    await close_redis(redis)


async def test_claim_that_comes_too_late_holds_nobody_up(
    away: tuple[Server, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis grants the lock to a caller that has continued without it."""
    monkeypatch.setattr("app.redis.client.DEADLINE", PATIENCE)  # the claim itself is not given up
    server, settings = away
    redis = build_redis(settings)
    optional = OptionalRedis(redis, settings)
    await redis.ping()
    server.hang()
    with pytest.raises(RedisAwayError):
        await CacheStore(optional, settings.cache_prefix).claim("key", ["tag"])
    server.go_on()
    await until(lambda: not optional._commands)
    assert await redis.keys(f"{settings.cache_prefix}:tag:tag")  # it was granted
    assert not await redis.keys(f"{settings.cache_prefix}:lock:*")
    await close_redis(redis)


@pytest.mark.parametrize("many", [False, True])
async def test_what_could_not_be_invalidated_is_not_read(
    shelf: Shelf,
    cache: RedisCache,
    redis: Redis,
    monkeypatch: pytest.MonkeyPatch,
    many: bool,
) -> None:
    """F1: Redis comes back with its old entries."""
    monkeypatch.setattr("app.redis.cache_store.MAX_OWED", 1 if many else 1000)
    await shelf.find("atlas")
    shelf.result = None
    with monkeypatch.context() as away:
        away.setattr(redis, "unlink", _fail)
        await cache.invalidate("shelf:1")
        if many:
            await cache.invalidate("shelf:2", "shelf:3")
        assert await shelf.find("atlas") is None  # not even then
    assert cache._store._owed
    assert await shelf.find("atlas") is None
    assert not cache._store._owed


async def _fail(*_: object) -> None:
    raise RedisConnectionError


async def test_end_of_an_older_invalidation_settles_no_newer_one(
    cache: RedisCache, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise results that were computed in between would be served."""
    answered = asyncio.Event()
    with monkeypatch.context() as slow:
        slow.setattr(redis, "unlink", lambda *_: answered.wait())
        older = asyncio.create_task(cache.invalidate("shelf:1"))
        await asyncio.sleep(0.01)
        slow.setattr(redis, "unlink", _fail)
        await cache.invalidate("shelf:1")
        answered.set()
        await older
    assert cache._store._owed


async def test_other_invalidations_do_not_multiply_the_work(
    shelf: Shelf, cache: RedisCache
) -> None:
    shelf.may_end.clear()
    calls = []
    for number in range(20):
        calls.append(asyncio.create_task(shelf.find("atlas")))
        await cache.invalidate(f"book:other {number}")
    shelf.may_end.set()
    assert await asyncio.gather(*calls) == [BOOK] * 20
    assert len(shelf.computed) == 1


async def test_invalidation_that_is_cancelled_has_begun(shelf: Shelf, cache: RedisCache) -> None:
    shelf.may_end.clear()
    before = asyncio.create_task(shelf.find("atlas"))
    await shelf.begun.wait()
    shelf.result = None
    invalidation = asyncio.create_task(cache.invalidate("shelf:1"))
    await asyncio.sleep(0)
    invalidation.cancel()
    await asyncio.gather(invalidation, return_exceptions=True)
    shelf.may_end.set()
    assert await shelf.find("atlas") is None
    assert await before == BOOK
    assert await shelf.find("atlas") is None
