"""The engine and its sessions."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import Request
from fastapi.responses import StreamingResponse
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from app.core.config import Settings
from app.db import session as module
from app.db.errors import passing_failure
from app.dependencies.database import DBSession
from app.features import State
from app.main import create_app
from tests.conftest import client_of, running


async def test_sessions_outside_of_a_request(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scripts and shells use `AsyncSessionLocal`, with the settings of the environment."""
    url = settings.database_url.render_as_string(hide_password=False)
    monkeypatch.setenv("ENVIRONMENT", "development")
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("DB_POOLER", str(settings.db_pooler))
    async with module.AsyncSessionLocal() as session:
        assert await session.scalar(text("SELECT 1")) == 1
    assert isinstance(module.engine, AsyncEngine)
    assert session.bind is module.engine
    await module.engine.dispose()


def test_other_names_are_still_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'sessions'"):
        module.sessions  # noqa: B018


async def test_every_connection_has_its_deadlines(settings: Settings) -> None:
    engine = module.build_engine(settings)
    async with engine.connect() as connection:
        for name, value in {"statement_timeout": "10s", "lock_timeout": "5s"}.items():
            assert await connection.scalar(text(f"SHOW {name}")) == value
    await engine.dispose()


@pytest.fixture
async def streams(settings: Settings) -> AsyncIterator[tuple[httpx2.AsyncClient, State]]:
    """A client of the service with routes that stream, and the service's state."""
    app = create_app(settings)

    @app.get("/own")
    async def own(request: Request, session: DBSession) -> StreamingResponse:
        before = await session.scalar(text("SELECT 'before '"))

        async def body() -> AsyncIterator[str]:
            yield str(before)
            yield f"{request.state.engine.pool.checkedout()} "
            async with request.state.session_factory() as later:
                yield await later.scalar(text("SELECT 'after'"))

        return StreamingResponse(body())

    @app.get("/late")
    async def late(session: DBSession) -> StreamingResponse:
        async def body() -> AsyncIterator[str]:
            yield await session.scalar(text("SELECT 'late'"))

        return StreamingResponse(body())

    @app.get("/generator", response_class=StreamingResponse)
    async def generator(session: DBSession) -> AsyncIterator[str]:
        yield await session.scalar(text("SELECT 'late'"))

    async with running(app) as state, client_of(app, state) as client:
        yield client, state


async def test_x13_a_stream_holds_no_connection_and_may_open_a_session(
    streams: tuple[httpx2.AsyncClient, State],
) -> None:
    """X13: the request's session is committed and closed before the first byte."""
    client, _ = streams
    assert (await client.get("/own")).text == "before 0 after"


@pytest.mark.parametrize("path", ["/late", "/generator"])
async def test_x13_the_session_of_the_request_is_closed_in_a_stream(
    streams: tuple[httpx2.AsyncClient, State], path: str
) -> None:
    """X13: it must not take a connection that nothing returns."""
    client, state = streams
    with pytest.raises(InvalidRequestError, match="permanently closed"):
        await client.get(path)
    pool = state["engine"].pool
    assert isinstance(pool, QueuePool)
    assert pool.checkedout() == 0


async def test_pooler_gets_its_deadlines_in_each_transaction(settings: Settings) -> None:
    """X7: the session has none of them, and no prepared statement, for another client to find."""
    engine = module.build_engine(settings.model_copy(update={"db_pooler": True}))
    async with engine.connect() as connection:
        for _ in range(2):
            for name, value in {"statement_timeout": "10s", "lock_timeout": "5s"}.items():
                assert await connection.scalar(text(f"SHOW {name}")) == value
            await connection.rollback()
        session = (await connection.get_raw_connection()).driver_connection
        assert session
        assert await session.fetchval("SHOW lock_timeout") == "0"
        assert await session.fetchval("SELECT count(*) FROM pg_prepared_statements") == 0
    await engine.dispose()


async def test_deadline_that_passes_is_the_same_with_a_pooler(settings: Settings) -> None:
    """X7."""
    values = {"db_pooler": True, "db_statement_timeout": 0.05}
    engine = module.build_engine(settings.model_copy(update=values))
    async with engine.connect() as connection:
        with pytest.raises(DBAPIError) as caught:
            await connection.execute(text("SELECT pg_sleep(60)"))
    assert passing_failure(caught.value) == "query_canceled"
    await engine.dispose()
