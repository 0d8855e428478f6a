"""X8: what changes in the database under connections that stay open."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from io import StringIO

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Request
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.db.migrations import upgrade
from app.dependencies.database import DBSession
from app.main import create_app
from app.services import health
from tests.conftest import client_of, running
from tests.databases import execute

CONNECTIONS = 2

routes = APIRouter()


@routes.post("/marks")
async def write(session: DBSession) -> None:
    await session.execute(text("INSERT INTO marks VALUES ('x')"))


@routes.get("/marks")
async def read(session: DBSession) -> list[str]:
    return list(await session.scalars(text("SELECT name FROM marks")))


@routes.get("/process-id")
async def process_id(session: DBSession) -> int:
    return await session.scalar(text("SELECT pg_backend_pid()")) or 0


@routes.post("/read-only-on-purpose")
async def write_where_only_reading_is_allowed(session: DBSession) -> None:
    await session.connection(execution_options={"postgresql_readonly": True})
    await write(session)


@routes.get("/on-each-connection")
async def use_each(session: DBSession, request: Request) -> None:
    use: Callable[[AsyncSession], Awaitable[object]] = request.app.state.use
    await use(session)
    barrier: asyncio.Barrier = request.app.state.barrier
    await barrier.wait()


@pytest.fixture
def database(empty_database: URL) -> URL:
    """A database with a table of marks."""
    upgrade(empty_database)
    execute(empty_database, "CREATE TABLE marks (name varchar(10))")
    return empty_database


@pytest.fixture
def app(settings: Settings, database: URL, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """The service with a pool of two connections, and routes that use them."""
    monkeypatch.setattr(health, "REMEMBERED", 0)
    values = {
        "database_url": database,
        "db_pool_size": CONNECTIONS,
        "db_max_overflow": 0,
        "db_pool_timeout": 60,
    }
    app = create_app(settings.model_copy(update=values))
    app.include_router(routes)
    app.state.barrier = asyncio.Barrier(CONNECTIONS)
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(app) as state, client_of(app, state) as client:
        yield client


async def on_each_connection(
    app: FastAPI, client: httpx2.AsyncClient, use: Callable[[AsyncSession], Awaitable[object]]
) -> None:
    """Let each connection of the pool be open and do this."""
    app.state.use = use
    requests = (client.get("/on-each-connection") for _ in range(CONNECTIONS))
    assert {answer.status_code for answer in await asyncio.gather(*requests)} == {200}


async def set_read_only(database: URL, value: str) -> None:
    """Let new connections be read-only, as those to a replica; open ones stay as they are."""
    await asyncio.to_thread(
        execute,
        database,
        "SET default_transaction_read_only = off",
        f'ALTER DATABASE "{database.database}" SET default_transaction_read_only = {value}',
    )


def assert_passing(response: httpx2.Response) -> None:
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"


async def test_first_refused_write_drops_every_connection(
    app: FastAPI, client: httpx2.AsyncClient, database: URL, output: StringIO
) -> None:
    """X8: connections that lead to a replica since a failover fail one write, not one each."""
    await set_read_only(database, "on")
    await on_each_connection(app, client, read)
    await set_read_only(database, "off")  # new connections lead to the new primary server
    assert (await client.get("/marks")).status_code == 200
    assert_passing(await client.post("/marks"))
    assert '"reason": "cannot execute INSERT in a read-only transaction"' in output.getvalue()
    await on_each_connection(app, client, write)
    assert (await client.get("/marks")).json() == ["x"] * CONNECTIONS


async def test_ready_notices_and_replaces_the_connections(
    app: FastAPI, client: httpx2.AsyncClient, database: URL
) -> None:
    """X8: no request has to fail where /ready is asked."""
    await set_read_only(database, "on")
    await on_each_connection(app, client, read)
    not_ready, unhealthy = await client.get("/ready"), await client.get("/health")
    assert_passing(not_ready)
    assert not_ready.json()["detail"] == "The database is read-only."
    assert (unhealthy.status_code, unhealthy.json()["database"]) == (503, "unhealthy")
    await set_read_only(database, "off")
    assert (await client.get("/ready")).status_code == 200
    await on_each_connection(app, client, write)


async def test_database_that_is_read_only_on_purpose(settings: Settings, database: URL) -> None:
    """X8: a service that only reads may use a replica."""
    await set_read_only(database, "on")
    values = {"database_url": database, "db_read_only": True}
    app = create_app(settings.model_copy(update=values))
    async with running(app) as state, client_of(app, state) as client:
        assert (await client.get("/ready")).status_code == 200
        assert (await client.get("/health")).json()["database"] == "healthy"


async def test_transaction_that_is_read_only_on_purpose(client: httpx2.AsyncClient) -> None:
    """A write in it is a fault of the service: a 500, which costs no connection."""
    before = (await client.get("/process-id")).json()
    assert (await client.post("/read-only-on-purpose")).status_code == 500
    assert (await client.get("/process-id")).json() == before


async def test_changed_schema_fails_one_request(
    app: FastAPI, client: httpx2.AsyncClient, database: URL
) -> None:
    """X8: a revision changes a type of which connections have prepared statements."""
    await on_each_connection(app, client, read)
    await asyncio.to_thread(execute, database, "ALTER TABLE marks ALTER name TYPE varchar(20)")
    assert_passing(await client.get("/marks"))
    await on_each_connection(app, client, read)


async def test_lost_prepared_statements_fail_one_request(
    app: FastAPI, client: httpx2.AsyncClient
) -> None:
    """X8: something between the service and the server has reset the sessions."""

    async def lose(session: AsyncSession) -> None:
        await read(session)
        await session.execute(text("DEALLOCATE ALL"))

    await on_each_connection(app, client, lose)
    assert_passing(await client.get("/marks"))
    await on_each_connection(app, client, read)
