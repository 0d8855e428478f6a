"""F1: one connection for many callers, and what they notice of a fault."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, ResponseError

from app.core.circuit_breaker import CircuitState
from app.core.config import Settings
from app.redis.client import OptionalRedis, RedisAwayError, build_redis
from app.redis.shared_connection import SharedConnection
from tests.redis.conftest import Server
from tests.waiting import PATIENCE


@pytest.fixture
async def redis(settings: Settings, server: Server) -> AsyncIterator[OptionalRedis]:
    values = {"redis_url": SecretStr(server.url), "redis_timeout": PATIENCE}
    settings = settings.model_copy(update=values)
    redis = OptionalRedis(build_redis(settings), settings)
    yield redis
    await redis.aclose()


@pytest.fixture
async def shared(redis: OptionalRedis) -> AsyncIterator[SharedConnection]:
    shared = SharedConnection(redis.client.connection_pool, deadline=PATIENCE)
    yield shared
    await shared.aclose()


async def test_each_caller_gets_its_own_response(shared: SharedConnection) -> None:
    """Over one connection: also before it is open, and those that Redis refuses."""
    for _ in range(2):
        first = [shared.send("ECHO", number) for number in range(50)]
        refused = shared.send("NONSENSE")
        rest = [shared.send("ECHO", number) for number in range(50, 100)]
        answers = await asyncio.gather(*first, *rest)
        assert answers == [b"%d" % number for number in range(100)]
        with pytest.raises(ResponseError):
            await refused
    ids = await asyncio.gather(*(shared.send("CLIENT", "ID") for _ in range(10)))
    assert len(set(ids)) == 1


async def test_caller_who_goes_closes_nothing(shared: SharedConnection, server: Server) -> None:
    """A late response is dropped, and the connection stays open."""
    connection = await shared.send("CLIENT", "ID")
    server.hang()
    late = shared.send("ECHO", "late")
    await asyncio.wait({late}, timeout=0.01)
    late.cancel()
    answer = shared.send("ECHO", "next")
    server.go_on()
    assert await answer == b"next"
    assert await shared.send("CLIENT", "ID") == connection


async def test_command_of_a_caller_who_has_gone_is_not_sent(shared: SharedConnection) -> None:
    """The connection is not open yet: Redis would count a request that is counted elsewhere."""
    for _ in range(5):
        shared.send("INCR", "gone").cancel()
    assert await shared.send("GET", "gone") is None


async def test_argument_that_cannot_be_sent_disturbs_nobody(shared: SharedConnection) -> None:
    for _ in range(2):  # before the connection is open, and afterwards
        with pytest.raises(DataError):
            shared.send("ECHO", object())  # type: ignore[arg-type]  # wrong on purpose
        assert await shared.send("ECHO", "next") == b"next"


async def test_lost_connection_is_no_failure_of_redis(redis: OptionalRedis) -> None:
    """A proxy closes it, with more commands under way than the circuit breaker bears."""
    await redis.execute("PING")
    session = redis._shared._session
    assert session
    assert session._writer
    commands = [asyncio.create_task(redis.execute("ECHO", number)) for number in range(20)]
    await asyncio.sleep(0)
    session._writer.transport.abort()
    assert await asyncio.gather(*commands) == [b"%d" % number for number in range(20)]
    assert session.lost
    assert redis._breaker.state is CircuitState.CLOSED


@pytest.mark.parametrize(
    ("late_by", "patience", "waits"), [(0, 3, False), (60, 3, True), (60, 1, False)]
)
async def test_busy_event_loop_is_no_failure_of_redis(
    redis: OptionalRedis, late_by: float, patience: int, waits: bool
) -> None:
    """A timer that fires late says nothing about Redis: the use gets more time, but not always."""
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    redis._give_up(answer, time.monotonic() - late_by, patience)
    assert answer.done() != waits
    if answer.done():
        with pytest.raises(TimeoutError):
            await answer


async def test_close_fails_those_who_wait(shared: SharedConnection) -> None:
    """Also before anything was sent. Then no command is accepted any more."""
    answer = shared.send("PING")
    await shared.aclose()
    with pytest.raises(RedisConnectionError):
        await answer
    with pytest.raises(RedisConnectionError):
        shared.send("PING")


async def test_server_that_dies_fails_those_who_wait(
    shared: SharedConnection, server: Server
) -> None:
    """The next command connects again."""
    await shared.send("PING")
    server.hang()
    waiting = [shared.send("PING") for _ in range(3)]
    server.kill()
    for answer in waiting:
        with pytest.raises((RedisConnectionError, OSError)):
            await answer
    with pytest.raises((RedisConnectionError, OSError)):
        await shared.send("PING")
    server.start()
    assert await shared.send("PING") == b"PONG"


async def test_connection_without_responses_is_replaced(
    redis: OptionalRedis, server: Server
) -> None:
    """As when a firewall forgets it: no error would ever come."""
    shared = SharedConnection(redis.client.connection_pool, deadline=0.01)
    await shared.send("PING")
    assert shared._session
    lost = shared._session
    server.hang()
    forgotten = shared.send("PING")
    await asyncio.sleep(0.02)  # more than the deadline
    answer = shared.send("PING")
    with pytest.raises(RedisConnectionError):
        await forgotten
    server.go_on()
    assert await answer == b"PONG"
    assert lost.lost
    await shared.aclose()


async def test_failover_replaces_the_connection(redis: OptionalRedis, server: Server) -> None:
    """X8: the address may lead to another server now."""
    connection = await redis.execute("CLIENT", "ID")
    server.be_replica()
    with pytest.raises(RedisAwayError):
        await redis.execute("SET", "key", "value")
    assert await redis.execute("CLIENT", "ID") != connection


async def test_nothing_outlives_the_service(redis: OptionalRedis, server: Server) -> None:
    await redis.execute("PING")
    assert redis._shared._session
    reader = redis._shared._session.reader
    server.hang()
    waiting = asyncio.create_task(redis.execute("PING"))
    await asyncio.sleep(0)
    await redis.aclose()
    with pytest.raises(RedisAwayError):
        await waiting
    assert reader.done()
    server.go_on()
