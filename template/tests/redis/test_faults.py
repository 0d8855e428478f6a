"""F1: requests are answered while Redis fails; Redis is used again when it has recovered."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from statistics import median

import httpx2
import pytest
from fastapi import FastAPI, Request
from pydantic import SecretStr
from redis.exceptions import TimeoutError as RedisTimeoutError

from app.core.cache import Cache, cached
from app.core.config import Settings
from app.main import create_app
from app.redis.client import OptionalRedis, RedisAwayError, build_redis, close_redis
from app.redis.rate_limit import RedisRateLimiter
from tests.conftest import client_of, running
from tests.pace import Stopwatch
from tests.redis.conftest import Server
from tests.waiting import PATIENCE

RECOVERY = 0.3
"""Seconds until the breaker lets a probe pass, in these tests."""


class Answers:
    """A service that reads through the cache."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache

    @cached(key_prefix="answers", ttl=1, tags=["answers"])
    async def find(self, question: int) -> int:
        """Return a constant."""
        return 42 + question


def app_with(settings: Settings, url: str, **changes: object) -> FastAPI:
    """Return the service over another Redis, with a route that reads through the cache."""
    values = {
        "redis_url": SecretStr(url),
        "circuit_breaker_recovery_timeout": RECOVERY,
        "rate_limit_enabled": True,
        "rate_limit_per_minute": 10_000,
        **changes,
    }
    app = create_app(settings.model_copy(update=values))

    @app.get("/answer/{question}")
    async def answer(request: Request, question: int) -> int:
        service = Answers(request.state.cache)
        if question % 10 == 0:
            await service.cache.invalidate("answers")
        return await service.find(question)

    return app


@asynccontextmanager
async def started(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(app) as state, client_of(app, state) as client:
        yield client


async def test_starts_and_serves_without_redis(settings: Settings, away: str) -> None:
    app = app_with(settings, away, rate_limit_per_minute=40, circuit_breaker_recovery_timeout=60)
    stopwatch = Stopwatch()
    async with started(app) as client:
        assert (await client.get("/ready")).status_code == 200
        assert stopwatch.within(1)
        statuses, times = [], []
        for _ in range(50):
            before = time.monotonic()
            statuses.append((await client.get("/")).status_code)
            times.append(time.monotonic() - before)
        # The first few fail within their timeout; then the breaker is open.
        assert stopwatch.within(0.6, max(times))
        assert stopwatch.within(0.05, sorted(times)[40])
        # Now the process counts alone.
        assert statuses == [200] * 40 + [429] * 10
        assert (await client.get("/live")).status_code == 200


async def load(
    client: httpx2.AsyncClient, until: asyncio.Event, answers: list[tuple[float, float, int]]
) -> None:
    """Send requests repeatedly; record time, duration and status."""
    for number in count():
        if until.is_set():
            break
        before = time.monotonic()
        answer = await client.get(f"/answer/{number % 30}")
        answers.append((before, time.monotonic() - before, answer.status_code))
        await asyncio.sleep(0.002)  # without Redis, nothing else yields to the event loop


Fault = Callable[[Server], None]


@pytest.mark.parametrize(
    ("fault", "repair"),
    [
        (Server.kill, Server.start),
        (Server.hang, Server.go_on),
        (Server.fill, Server.make_room),
    ],
    ids=["killed", "hung", "full"],
)
async def test_no_request_fails_under_load(
    settings: Settings,
    server: Server,
    fault: Fault,
    repair: Fault,
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = app_with(settings, server.url)
    async with running(app) as state, client_of(app, state) as client:
        answers: list[tuple[float, float, int]] = []
        end = asyncio.Event()
        log = ""

        async def happens(what: Callable[[], bool]) -> None:
            nonlocal log
            async with asyncio.timeout(PATIENCE):
                while not what():
                    await asyncio.sleep(0.01)
                    log += capsys.readouterr().out

        stopwatch = Stopwatch()
        workers = [asyncio.create_task(load(client, end, answers)) for _ in range(20)]
        await happens(lambda: len(answers) >= 100)
        await asyncio.to_thread(fault, server)
        at_fault = time.monotonic()
        sign = "redis_refuses" if fault is Server.fill else '"state": "open"'
        await happens(lambda: sign in log)
        known, answered = time.monotonic(), len(answers)
        await happens(lambda: len(answers) >= answered + 200)
        await asyncio.to_thread(repair, server)
        repaired, seen = time.monotonic(), len(log)
        if fault is not Server.fill:
            await happens(lambda: '"state": "closed"' in log[seen:])
        answered = len(answers)
        await happens(lambda: len(answers) >= answered + 100)
        end.set()
        await asyncio.gather(*workers)

        assert {status for _, _, status in answers} == {200}
        # No request waited long, and almost none once the circuit was open.
        assert stopwatch.within(2.5, max(duration for _, duration, _ in answers))
        before = [duration for moment, duration, _ in answers if moment < at_fault]
        during = [duration for moment, duration, _ in answers if known < moment < repaired]
        assert stopwatch.within(2 * median(before) + 0.1, median(during))
        # Redis counts again.
        key = f"{settings.cache_prefix}:limit:requests:127.0.0.1/32"
        counted = first = await state["redis"].zcard(key)
        deadline = time.monotonic() + PATIENCE
        while counted <= first and time.monotonic() < deadline:
            await client.get("/")
            counted = await state["redis"].zcard(key)
        assert counted > first
        hits = state["cache"].statistics["answers"].hits
        # A computation that the fault cut short may have left its lock, which expires.
        deadline = time.monotonic() + PATIENCE
        while state["cache"].statistics["answers"].hits <= hits and time.monotonic() < deadline:
            await client.get("/answer/1")
        assert state["cache"].statistics["answers"].hits > hits
    # One line per change, not per request.
    log += capsys.readouterr().out
    assert 1 <= log.count("circuit_changed") + log.count("redis_refuses") < 20
    assert log.count("redis_refuses") == (fault is Server.fill)


async def test_killed_again_and_again(settings: Settings, server: Server) -> None:
    """Old connections are not used."""
    app = app_with(settings, server.url)
    async with started(app) as client:
        for _ in range(4):
            server.kill()
            server.start()
            answers = await asyncio.gather(*(client.get("/") for _ in range(30)))
            assert {answer.status_code for answer in answers} == {200}


@pytest.fixture
async def optional(settings: Settings, server: Server) -> AsyncIterator[OptionalRedis]:
    values = {
        "redis_url": SecretStr(server.url),
        "redis_max_connections": 5,
        "redis_timeout": 2,  # enough for a hundred calls on a busy machine
        "circuit_breaker_recovery_timeout": RECOVERY,
    }
    settings = settings.model_copy(update=values)
    client = build_redis(settings)
    yield OptionalRedis(client, settings)
    await close_redis(client)


async def use(redis: OptionalRedis, command: Callable[[], Awaitable[object]]) -> bool:
    """Return whether the use succeeded."""
    try:
        await redis.use(command)
    except RedisAwayError:
        return False
    return True


async def test_hundreds_of_calls_wait_for_five_connections(optional: OptionalRedis) -> None:
    """A busy pool is not a failure: a use that waits too long continues; the circuit is closed."""
    for burst in (1, 5, 500):
        await asyncio.gather(*(use(optional, optional.client.ping) for _ in range(burst)))
    assert await use(optional, optional.client.ping)


async def test_hanging_redis_is_found_by_one_call_at_a_time(
    optional: OptionalRedis, server: Server
) -> None:
    """While Redis hangs, a probe waits; a hundred other calls do not."""
    await use(optional, optional.client.ping)
    server.hang()
    assert not any(await asyncio.gather(*(use(optional, optional.client.ping) for _ in range(5))))
    await asyncio.sleep(RECOVERY)
    probe = asyncio.create_task(use(optional, optional.client.ping))
    await asyncio.sleep(0)
    others = await asyncio.gather(*(use(optional, optional.client.ping) for _ in range(100)))
    assert not any(others)
    assert not probe.done()
    assert not await probe
    server.go_on()
    await asyncio.sleep(RECOVERY)
    assert await use(optional, optional.client.ping)
    worked = await asyncio.gather(*(use(optional, optional.client.ping) for _ in range(100)))
    assert all(worked)


async def test_slow_redis_is_used_while_it_is_fast_enough(
    settings: Settings, server: Server
) -> None:
    delay: float = 0.02

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", server.port)

        async def copy(
            source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, slowly: bool
        ) -> None:
            while data := await source.read(65_536):
                await asyncio.sleep(delay if slowly else 0)
                sink.write(data)
            sink.close()

        with suppress(OSError):
            await asyncio.gather(copy(reader, back, slowly=False), copy(there, writer, slowly=True))
        back.close()
        writer.close()

    proxy = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    values = {"redis_url": SecretStr(f"redis://127.0.0.1:{port}"), "redis_timeout": 1}
    client = build_redis(settings.model_copy(update=values))
    redis = OptionalRedis(client, settings.model_copy(update=values))
    assert await use(redis, client.ping)
    delay = 5
    before = time.monotonic()
    assert not await use(redis, client.ping)
    assert time.monotonic() - before < delay
    await close_redis(client)
    proxy.close()
    await proxy.wait_closed()


async def test_own_deadlines_bound_every_command(
    settings: Settings, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for a command without `OptionalRedis`; redis-py alone would take long."""
    monkeypatch.setattr("app.redis.client.DEADLINE", 0.1)
    client = build_redis(settings.model_copy(update={"redis_url": SecretStr(silent)}))
    stopwatch = Stopwatch()
    with pytest.raises(RedisTimeoutError):
        await client.get("key")
    assert stopwatch.within(1)
    await close_redis(client)


async def test_late_command_does_not_outlive_the_service(
    settings: Settings, server: Server
) -> None:
    """A command that timed out is cancelled at the stop: it would open its connection again."""
    url = {"redis_url": SecretStr(server.url), "redis_timeout": 0.05}
    async with running(create_app(settings.model_copy(update=url))) as state:
        limiter = state["rate_limiter"]
        assert isinstance(limiter, RedisRateLimiter)
        server.hang()
        before = asyncio.all_tasks()
        with pytest.raises(RedisAwayError):
            await limiter._redis.use(state["redis"].ping)
        late = asyncio.all_tasks() - before
        assert late
    assert all(task.done() for task in late)
    server.go_on()


@pytest.mark.parametrize("stale", ["yes", "no"])
async def test_failover(settings: Settings, server: Server, stale: str) -> None:
    """X8: the first refused command drops the connections to a server that became a replica.

    It answers READONLY to writes, or MASTERDOWN to all commands, and closes no connection.
    """
    new = Server()
    new.start()
    leads_to = server

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", leads_to.port)
        with suppress(OSError):
            await asyncio.gather(copy(reader, back), copy(there, writer))

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            sink.write(data)
        sink.close()

    address = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    url = f"redis://127.0.0.1:{address.sockets[0].getsockname()[1]}"
    values = {
        "redis_url": SecretStr(url),
        "redis_max_connections": 5,
        "redis_timeout": PATIENCE,
        "circuit_breaker_failure_threshold": 1000,
    }
    client = build_redis(settings.model_copy(update=values))
    redis = OptionalRedis(client, settings.model_copy(update=values))

    async def write() -> None:
        await client.incr("written")

    await asyncio.gather(*(client.blpop(["nothing"], timeout=0.1) for _ in range(5)))
    server.do("CONFIG", "SET", "replica-serve-stale-data", stale)
    server.be_replica()
    leads_to = new
    assert not await use(redis, write)
    assert all(await asyncio.gather(*(use(redis, write) for _ in range(20))))
    assert await client.get("written") == b"20"
    await close_redis(client)
    address.close()
    await address.wait_closed()
    new.kill()
