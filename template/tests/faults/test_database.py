"""Faults of the database."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from io import StringIO
from itertools import islice

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Request
from sqlalchemy import text

from app.core.config import Settings
from app.dependencies.database import DBSession
from app.main import create_app
from app.services import health
from tests.conftest import client_of, running
from tests.pace import Stopwatch
from tests.waiting import until

TOUCH = text("UPDATE alembic_version SET version_num = version_num")


@dataclass(frozen=True)
class Holders:
    """Requests that keep a connection until they are released."""

    arrived: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    let_go: asyncio.Event = field(default_factory=asyncio.Event)


routes = APIRouter()


@routes.get("/sleep")
async def sleep(session: DBSession, seconds: float) -> None:
    await session.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})


@routes.get("/hold")
async def hold(session: DBSession, request: Request) -> None:
    holders: Holders = request.app.state.holders
    await session.execute(text("SELECT 1"))
    holders.arrived.release()
    await holders.let_go.wait()
    await session.execute(text("SELECT 1"))


@routes.get("/process-id")
async def process_id(session: DBSession) -> int:
    return await session.scalar(text("SELECT pg_backend_pid()")) or 0


@routes.get("/idle")
async def idle(session: DBSession) -> None:
    await session.execute(text("SET LOCAL idle_in_transaction_session_timeout = '10ms'"))
    connection = (await (await session.connection()).get_raw_connection()).driver_connection
    assert connection
    await until(connection.is_closed)
    await session.execute(text("SELECT 1"))


@routes.get("/repeatable")
async def repeatable(session: DBSession, request: Request) -> None:
    await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    await session.execute(text("SELECT * FROM alembic_version"))
    holders: Holders = request.app.state.holders
    holders.arrived.release()
    await holders.let_go.wait()
    await session.execute(TOUCH)


@routes.get("/embrace")
async def embrace(session: DBSession, request: Request, first: int, second: int) -> None:
    take = text("SELECT pg_advisory_xact_lock(:key)")
    await session.execute(text("SET LOCAL lock_timeout = '10s'"))
    await session.execute(text("SET LOCAL statement_timeout = '10s'"))
    await session.execute(take, {"key": first})
    holders: Holders = request.app.state.holders
    holders.arrived.release()
    await holders.let_go.wait()
    await session.execute(take, {"key": second})


@routes.get("/lock")
async def lock(session: DBSession) -> None:
    await session.execute(text("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE"))


@routes.get("/fail-at-commit")
async def fail_at_commit(session: DBSession) -> None:
    await session.execute(
        text("CREATE TEMP TABLE once (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    )
    await session.execute(text("INSERT INTO once VALUES (1), (1)"))


@routes.get("/dangling")
async def dangling(session: DBSession) -> None:
    await session.execute(text("CREATE TEMP TABLE gone (id int PRIMARY KEY)"))
    await session.execute(text("CREATE TEMP TABLE child (id int REFERENCES gone)"))
    await session.execute(text("INSERT INTO child VALUES (1)"))


@routes.get("/own-error")
async def own_error(session: DBSession) -> None:  # noqa: ARG001
    raise TimeoutError("of something else")


@routes.get("/values")
async def values(session: DBSession) -> None:
    await session.execute(text("SELECT 1 / (:value - 424242)"), {"value": 424242})


@routes.get("/mistake")
async def mistake(session: DBSession) -> None:
    await session.execute(text("SELECT * FROM no_such_table"))


@pytest.fixture(scope="module")
def app(settings: Settings) -> FastAPI:
    """The service with a small pool, short timeouts, and routes that load it."""
    app = create_app(
        settings.model_copy(
            update={
                "db_pool_size": 2,
                "db_max_overflow": 0,
                "db_pool_timeout": 0.1,
                "db_statement_timeout": 0.25,
                "db_lock_timeout": 0.1,
            }
        )
    )

    app.include_router(routes)
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(app) as state, client_of(app, state) as client:
        yield client


@pytest.fixture
def holders(app: FastAPI) -> Holders:
    app.state.holders = holders = Holders()
    return holders


def assert_passing(response: httpx2.Response) -> None:
    """The response says that trying again may help."""
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert response.json()["error_code"] == "service_unavailable"


async def test_waiting_for_a_connection_is_bounded(
    client: httpx2.AsyncClient, holders: Holders
) -> None:
    """F4: with an exhausted pool, further requests get a quick 503, and probes still respond."""
    requests = [asyncio.create_task(client.get("/hold")) for _ in range(8)]
    for _ in range(2):
        await holders.arrived.acquire()
    assert (await client.get("/live")).status_code == 200
    for refused in islice(asyncio.as_completed(requests), 6):
        assert_passing(await refused)
    holders.let_go.set()
    responses = await asyncio.gather(*requests)
    assert [response.status_code for response in responses].count(200) == 2
    assert (await client.get("/process-id")).status_code == 200


async def test_slow_statement_is_cancelled(client: httpx2.AsyncClient) -> None:
    """F5."""
    assert_passing(await client.get("/sleep?seconds=30"))


async def test_waiting_for_a_lock_is_bounded(client: httpx2.AsyncClient, app: FastAPI) -> None:
    """F5."""
    async with running(app) as state, state["engine"].begin() as connection:
        await connection.execute(text("LOCK TABLE alembic_version IN ACCESS SHARE MODE"))
        assert_passing(await client.get("/lock"))
    assert (await client.get("/lock")).status_code == 200


async def test_change_under_a_snapshot(
    client: httpx2.AsyncClient, app: FastAPI, holders: Holders
) -> None:
    """F5: a serialization failure. A retry helps, but only the client can decide that."""
    request = asyncio.create_task(client.get("/repeatable"))
    await holders.arrived.acquire()
    async with running(app) as state, state["engine"].begin() as connection:
        await connection.execute(TOUCH)
    holders.let_go.set()
    assert_passing(await request)


async def test_deadlock(client: httpx2.AsyncClient, holders: Holders) -> None:
    """F5: PostgreSQL cancels one of two requests that wait for each other."""
    requests = [
        asyncio.create_task(client.get(f"/embrace?first={first}&second={3 - first}"))
        for first in (1, 2)
    ]
    for _ in requests:
        await holders.arrived.acquire()
    holders.let_go.set()
    victim, other = sorted(await asyncio.gather(*requests), key=lambda answer: -answer.status_code)
    assert_passing(victim)
    assert other.status_code == 200


async def test_idle_transaction_is_ended(client: httpx2.AsyncClient) -> None:
    """F3: the locks of an idle transaction are released in the end."""
    assert_passing(await client.get("/idle"))
    assert (await client.get("/process-id")).status_code == 200


async def test_requests_that_are_given_up(client: httpx2.AsyncClient) -> None:
    """F6: wherever a request is cancelled, its connection is returned."""
    for number in range(200):
        request = asyncio.create_task(client.get("/sleep?seconds=0.005"))
        await asyncio.sleep(number * 0.00005)
        request.cancel()
        with suppress(asyncio.CancelledError):
            await request
    answers = await asyncio.gather(client.get("/process-id"), client.get("/process-id"))
    assert [answer.status_code for answer in answers] == [200, 200]


async def terminate(app: FastAPI, process_id: int) -> None:
    """End a connection from the other side, and wait until it has ended."""
    async with running(app) as state, state["engine"].connect() as connection:
        ended = text("SELECT pg_terminate_backend(:id, 5000)")
        assert await connection.scalar(ended, {"id": process_id})


async def test_lost_connection_is_replaced(client: httpx2.AsyncClient, app: FastAPI) -> None:
    """F3: a connection that broke in the pool fails no request."""
    process_id = (await client.get("/process-id")).json()
    await terminate(app, process_id)
    after = await client.get("/process-id")
    assert after.status_code == 200
    assert after.json() != process_id


async def test_connection_lost_in_a_transaction(
    client: httpx2.AsyncClient, app: FastAPI, holders: Holders
) -> None:
    """F3: only the request that used it fails."""
    process_id = (await client.get("/process-id")).json()
    request = asyncio.create_task(client.get("/hold"))
    await holders.arrived.acquire()
    await terminate(app, process_id)
    holders.let_go.set()
    assert_passing(await request)
    assert (await client.get("/process-id")).status_code == 200


async def test_failed_commit_is_no_success(client: httpx2.AsyncClient) -> None:
    """F7: the response is sent after the commit."""
    assert (await client.get("/fail-at-commit")).status_code == 500


async def test_reference_to_what_is_gone_is_a_conflict(client: httpx2.AsyncClient) -> None:
    """Another request deleted the row between our read and our write."""
    assert (await client.get("/dangling")).status_code == 409


async def test_mistake_of_ours_is_no_passing_failure(client: httpx2.AsyncClient) -> None:
    """A wrong statement stays a 500: trying again will not help."""
    assert (await client.get("/mistake")).status_code == 500


async def test_failure_of_something_else_is_not_the_databases(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/own-error")).status_code == 500


async def test_values_stay_out_of_the_log(client: httpx2.AsyncClient, output: StringIO) -> None:
    """The text of an error is logged, so it must not contain values."""
    assert (await client.get("/values")).status_code == 500
    log = output.getvalue()
    assert "DivisionByZeroError" in log
    assert "{'value'" not in log
    assert "hide_parameters" in log


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Act as a server that goes down during a connection attempt."""
    await reader.readexactly(8)
    writer.write(b"N")  # no TLS here
    await reader.read(1)
    writer.close()


@pytest.mark.parametrize(
    "away", ["no socket", "no answer", "hangs up", "two addresses", "unknown name"]
)
async def test_database_away(
    settings: Settings, away: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F1, F2, X8: if the database refuses or is silent, the client gets an error in time.

    Connections that are open work on when their name is unknown later; then new ones are refused.
    """
    silent = socket.create_server(("127.0.0.1", 0))  # it accepts and never responds
    rude = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    nowhere = {
        "no socket": settings.database_url.set(query={"host": "/nowhere"}),
        "no answer": settings.database_url.set(
            host="127.0.0.1", port=silent.getsockname()[1], query={}
        ),
        "hangs up": settings.database_url.set(
            host="127.0.0.1", port=rude.sockets[0].getsockname()[1], query={}
        ),
        "two addresses": settings.database_url.set(host="localhost", port=1, query={}),
        "unknown name": settings.database_url.set(username="gone", password="gone"),
    }
    if away == "two addresses":
        addresses = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{n}", 1)) for n in (1, 2)
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: addresses)
    app = create_app(
        settings.model_copy(update={"database_url": nowhere[away], "db_connect_timeout": 0.2})
    )

    @app.get("/query")
    async def query(session: DBSession) -> None:
        await session.execute(text("SELECT 1"))

    async with running(app) as state, client_of(app, state) as client:
        stopwatch = Stopwatch()
        assert_passing(await client.get("/query"))
        assert stopwatch.within(2)
    silent.close()
    rude.close()


async def test_checks_are_bounded(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """F1: a probe gets a response in time, even if connections take long."""
    assert health.CHECK_TIMEOUT < 1  # the usual timeout of probes
    monkeypatch.setattr(health, "CHECK_TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = settings.database_url.set(host="127.0.0.1", port=silent.getsockname()[1], query={})
        app = create_app(settings.model_copy(update={"database_url": url}))
        async with running(app) as state, client_of(app, state) as client:
            stopwatch = Stopwatch()
            answers = await asyncio.gather(client.get("/ready"), client.get("/health"))
            assert [answer.status_code for answer in answers] == [503, 503]
            assert stopwatch.within(1)


async def test_busy_pool_is_no_unhealthy_database(
    client: httpx2.AsyncClient, holders: Holders
) -> None:
    """Under load, the load balancer must not remove all replicas."""
    requests = [asyncio.create_task(client.get("/hold")) for _ in range(2)]
    for _ in requests:
        await holders.arrived.acquire()
    assert (await client.get("/ready")).status_code == 200
    holders.let_go.set()
    await asyncio.gather(*requests)
