"""O4: the limit that all processes share."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from app.core.config import Settings
from app.redis.client import OptionalRedis, build_redis
from app.redis.rate_limit import RedisRateLimiter
from app.server.rate_limit import MAX_BURST, Decision, InProcessRateLimiter, Limit
from tests.redis.conftest import Server, run_at_once

LIMIT = Limit("requests", requests=20, seconds=60)

LARGE = Limit("large", requests=12_000, seconds=60)
"""A request every 5 ms."""


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[OptionalRedis]:
    # A busy machine must not look like Redis being down.
    settings = settings.model_copy(update={"redis_timeout": 5})
    redis = OptionalRedis(build_redis(settings), settings)
    yield redis
    await redis.aclose()


@pytest.fixture
def limiter(redis: OptionalRedis, request: pytest.FixtureRequest) -> RedisRateLimiter:
    prefix = f"{request.node.name}-{time.time_ns()}"
    return RedisRateLimiter(redis, prefix=prefix, fallback=InProcessRateLimiter())


async def test_hundred_at_once_never_pass_the_limit(limiter: RedisRateLimiter) -> None:
    decisions = await asyncio.gather(*(limiter.hit([(LIMIT, "client")]) for _ in range(100)))
    assert sum(decision.allowed for decision in decisions) == 20
    assert sorted(d.remaining for d in decisions if d.allowed) == list(range(20))


async def test_caller_who_goes_takes_nobody_with_it(limiter: RedisRateLimiter) -> None:
    """They share a round trip."""
    calls = [asyncio.create_task(limiter.hit([(LIMIT, "client")])) for _ in range(10)]
    await asyncio.sleep(0)
    calls[0].cancel()
    calls[5].cancel()
    decisions = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(decision, Decision) for decision in decisions) == 8
    assert not limiter._trips


async def test_unexpected_error_reaches_everybody(
    limiter: RedisRateLimiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nonsense(*_: object) -> bytes:
        return b"nonsense"

    monkeypatch.setattr(limiter._redis, "execute", nonsense)
    calls = [asyncio.create_task(limiter.hit([(LIMIT, "client")])) for _ in range(3)]
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(outcome, ValueError)


async def test_server_that_lost_the_script_gets_it_again(
    limiter: RedisRateLimiter, redis: OptionalRedis
) -> None:
    for remaining in (19, 18):
        await redis.client.script_flush()
        assert (await limiter.hit([(LIMIT, "client")])).remaining == remaining


async def test_limit_holds_across_the_edge_of_the_window(limiter: RedisRateLimiter) -> None:
    """No window ever has more requests than the limit."""
    limit = Limit("requests", requests=20, seconds=1)
    passed: list[tuple[float, float]] = []
    while len(passed) < 50:
        before = time.monotonic()
        if (await limiter.hit([(limit, "client")])).allowed:
            passed.append((before, time.monotonic()))
        await asyncio.sleep(0.005)
    # By the server's clock, each came between our two times.
    for (before, _), (_, after) in zip(passed, passed[20:], strict=False):
        assert after - before > 0.99


async def test_tells_what_is_left_and_when_there_is_more(limiter: RedisRateLimiter) -> None:
    began = time.monotonic()
    first = await limiter.hit([(LIMIT, "client")])
    await asyncio.sleep(0.05)
    second = await limiter.hit([(LIMIT, "client")])
    took = time.monotonic() - began
    assert (first.remaining, second.remaining) == (19, 18)
    assert first.reset == 60
    assert 59.9 - took < second.reset <= 59.95


async def test_refused_requests_do_not_count(limiter: RedisRateLimiter) -> None:
    limit = Limit("requests", requests=1, seconds=2)
    assert (await limiter.hit([(limit, "client")])).allowed
    for refused in await asyncio.gather(*(limiter.hit([(limit, "client")]) for _ in range(50))):
        assert not refused.allowed
        assert 0 < refused.reset <= 2
    await asyncio.sleep(refused.reset + 0.01)
    assert (await limiter.hit([(limit, "client")])).allowed


async def test_x21_request_passes_all_its_limits_or_counts_for_none(
    limiter: RedisRateLimiter,
) -> None:
    """X21: also among requests that share a round trip."""
    small, large = Limit("small", 2), Limit("large", 3)
    names = ["ada"] * 5 + ["bob"] * 2 + ["eve"]
    decisions = await asyncio.gather(
        *(limiter.hit([(small, name), (large, "home")]) for name in names)
    )
    assert [decision.allowed for decision in decisions] == [True] * 2 + [False] * 3 + [True] + [
        False
    ] * 2
    assert [decision.limit for decision in decisions] == [small] * 5 + [large] * 3
    assert (await limiter.hit([(small, "eve")])).remaining == 1


async def micros(redis: OptionalRedis) -> int:
    """Return the server's time in microseconds."""
    seconds, rest = await redis.client.time()
    return int(seconds) * 1_000_000 + int(rest)


async def test_large_limit_allows_a_burst_and_then_its_rate(
    limiter: RedisRateLimiter, redis: OptionalRedis
) -> None:
    began = await micros(redis)
    passed = 0
    for _ in range(11):
        decisions = await asyncio.gather(*(limiter.hit([(LARGE, "client")]) for _ in range(1000)))
        passed += sum(decision.allowed for decision in decisions)
    took = await micros(redis) - began
    assert MAX_BURST <= passed <= MAX_BURST + took // LARGE.interval
    refused = next(decision for decision in decisions if not decision.allowed)
    assert refused.remaining == 0
    assert 0 < refused.reset <= 0.005
    await asyncio.sleep(refused.reset)
    assert (await limiter.hit([(LARGE, "client")])).allowed


async def test_large_limit_tells_what_is_left_and_when_there_is_more(
    limiter: RedisRateLimiter,
) -> None:
    decisions = await asyncio.gather(*(limiter.hit([(LARGE, "client")]) for _ in range(10)))
    assert [decision.remaining for decision in decisions] == list(range(9999, 9989, -1))
    assert {decision.reset for decision in decisions} == {0.005}


async def test_request_counts_for_none_if_one_of_two_kinds_refuses(
    limiter: RedisRateLimiter,
) -> None:
    """In one round trip, so that no time passes."""
    slow = Limit("slow", requests=12_000, seconds=6_000_000)
    hits = [[(LIMIT, "ada"), (slow, "home")]] * 25 + [[(slow, "home")]]
    decisions = await asyncio.gather(*map(limiter.hit, hits))
    assert [decision.allowed for decision in decisions] == [True] * 20 + [False] * 5 + [True]
    assert {decision.limit for decision in decisions[:25]} == {LIMIT}
    assert decisions[25].remaining == MAX_BURST - 21
    rest = [limiter.hit([(slow, "home")]) for _ in range(MAX_BURST - 21)]
    assert all(decision.allowed for decision in await asyncio.gather(*rest))
    refused = await limiter.hit([(LIMIT, "bob"), (slow, "home")])
    assert (refused.allowed, refused.limit) == (False, slow)
    assert (await limiter.hit([(LIMIT, "bob")])).remaining == 19


async def test_nothing_stays_of_a_client_that_is_gone(
    limiter: RedisRateLimiter, redis: OptionalRedis
) -> None:
    await limiter.hit([(Limit("requests", 5, seconds=1), "client")])
    (key,) = await redis.client.keys(f"{limiter._prefix}*")
    assert 0 < await redis.client.pttl(key) <= 1000


async def test_large_limit_is_one_number_which_expires(
    limiter: RedisRateLimiter, redis: OptionalRedis
) -> None:
    await asyncio.gather(*(limiter.hit([(LARGE, "client")]) for _ in range(200)))
    (key,) = await redis.client.keys(f"{limiter._prefix}*")
    assert await redis.client.strlen(key) == 16
    assert 0 < await redis.client.pttl(key) <= 1000  # 200 requests of 5 ms


async def test_server_whose_clock_was_set_back(
    limiter: RedisRateLimiter, redis: OptionalRedis
) -> None:
    """F16: otherwise, times in the future would count for hours."""
    future = (time.time() + 3600) * 1000
    members = {str(number): future + number for number in range(20)}
    await redis.client.zadd(f"{limiter._prefix}:limit:requests:client", members)
    decision = await limiter.hit([(LIMIT, "client")])
    assert (decision.allowed, decision.remaining) == (True, 19)


async def test_large_limit_and_a_server_whose_clock_was_set_back(
    limiter: RedisRateLimiter, redis: OptionalRedis
) -> None:
    """The client neither waits for the hour nor gets a new burst."""
    slow = Limit("slow", requests=12_000, seconds=6_000_000)
    future = await micros(redis) + 2 * MAX_BURST * slow.interval
    await redis.client.set(f"{limiter._prefix}:pace:slow:client", future)
    decisions = await asyncio.gather(*(limiter.hit([(slow, "client")]) for _ in range(5)))
    assert [decision.allowed for decision in decisions] == [True] + [False] * 4
    assert decisions[4].reset == slow.interval / 1_000_000


PROCESS = """
import asyncio, sys
from app.core.config import load_settings
from app.server.rate_limit import InProcessRateLimiter, Limit
from app.redis.client import OptionalRedis, build_redis
from app.redis.rate_limit import RedisRateLimiter

async def main():
    settings = load_settings(database_url="postgresql://h/d", redis_timeout=10)
    redis = OptionalRedis(build_redis(settings), settings)
    limiter = RedisRateLimiter(redis, prefix=sys.argv[1], fallback=InProcessRateLimiter())
    await redis.client.ping()
    print("ready", flush=True)
    sys.stdin.readline()
    hits = [limiter.hit([(Limit("requests", 20), "client")]) for _ in range(50)]
    print(sum(decision.allowed for decision in await asyncio.gather(*hits)))
    await redis.aclose()

asyncio.run(main())
"""


def test_limit_holds_across_two_processes(settings: Settings) -> None:  # noqa: ARG001
    prefix = f"two-{time.time_ns()}"
    passed = run_at_once(PROCESS, prefix, 2)
    assert sum(passed) == 20


async def test_without_redis_the_process_counts_alone(server: Server, settings: Settings) -> None:
    """F1: the process still limits, and Redis counts again after it has recovered."""
    values = {
        "redis_url": SecretStr(server.url),
        "circuit_breaker_failure_threshold": 2,
        "circuit_breaker_recovery_timeout": 0.2,
    }
    settings = settings.model_copy(update=values)
    redis = OptionalRedis(build_redis(settings), settings)
    limiter = RedisRateLimiter(redis, prefix="away", fallback=InProcessRateLimiter())
    await limiter.hit([(LIMIT, "client")])
    server.kill()
    decisions = [await limiter.hit([(LIMIT, "client")]) for _ in range(40)]
    assert sum(decision.allowed for decision in decisions) == 20
    server.start()
    await asyncio.sleep(0.25)
    await limiter.hit([(LIMIT, "late")])
    assert await redis.client.zcard("away:limit:requests:late") == 1
    await redis.aclose()
