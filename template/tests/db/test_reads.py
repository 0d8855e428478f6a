"""Reads without a transaction, and connections that break."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Text, column, func, insert, select, table, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.core.config import Settings
from app.db import renewal
from app.db.reads import fetch_row, fetch_rows, read_only
from app.db.session import build_engine, build_session_factory
from tests.databases import POOLER, execute
from tests.waiting import until

NOTES = table("read_notes", column("word", Text))

WORDS = read_only(select(NOTES.c.word))

# Through a pooler, each transaction begins with its timeouts.
own_session = pytest.mark.skipif(POOLER is not None, reason="a pooler decides about sessions")


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """An engine with one connection, beside a table with one row, and a sequence."""
    engine = build_engine(settings.model_copy(update={"db_pool_size": 1, "db_max_overflow": 0}))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE read_notes (word text)"))
        await connection.execute(text("CREATE SEQUENCE read_attempts"))
        await connection.execute(insert(NOTES).values(word="stored"))
    yield engine
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE read_notes"))
        await connection.execute(text("DROP SEQUENCE read_attempts"))
    await engine.dispose()


async def driver_of(connection: AsyncConnection) -> Any:
    return (await connection.get_raw_connection()).driver_connection


async def is_in_transaction(connection: AsyncConnection) -> bool:
    return bool((await driver_of(connection)).is_in_transaction())


def end_of(process_id: int) -> str:
    """Return what ends a session of the server, and waits until it has ended."""
    return f"SELECT pg_terminate_backend({process_id}, 60000)"


@own_session
async def test_transaction_begins_with_the_first_other_statement(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await connection.scalar(WORDS) == "stored"
        assert not await is_in_transaction(connection)
        await connection.execute(insert(NOTES).values(word="new"))
        assert await is_in_transaction(connection)
        # It is part of the transaction, which it does not end.
        assert (await connection.scalars(WORDS)).all() == ["stored", "new"]
        assert await is_in_transaction(connection)
        await connection.rollback()
        assert (await connection.scalars(WORDS)).all() == ["stored"]
        assert not await is_in_transaction(connection)


@own_session
async def test_other_reads_have_a_transaction(engine: AsyncEngine) -> None:
    """Also after one that needs none, and with another isolation level."""
    async with engine.connect() as connection:
        await connection.execute(WORDS)
        await connection.execute(select(NOTES.c.word))
        assert await is_in_transaction(connection)
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="SERIALIZABLE")
        await connection.execute(WORDS)
        await connection.execute(select(NOTES.c.word))
        assert await connection.scalar(text("SHOW transaction_isolation")) == "serializable"


@own_session
async def test_autocommit_of_a_connection_stays(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(WORDS)
        await connection.execute(select(NOTES.c.word))
        assert not await is_in_transaction(connection)


async def test_read_is_repeated_when_its_connection_breaks(engine: AsyncEngine) -> None:
    """The first attempt ends its own connection, and so does a statement that always does."""
    sessions = build_session_factory(engine)
    break_off = func.pg_terminate_backend(func.pg_backend_pid())
    once = select(NOTES.c.word).where((func.nextval("read_attempts") > 1) | break_off)
    assert await fetch_row(sessions, read_only(once), {}) == ("stored",)
    with pytest.raises(DBAPIError):
        await fetch_row(sessions, read_only(select(NOTES.c.word).where(break_off)), {})


async def test_other_errors_are_not_repeated(engine: AsyncEngine) -> None:
    sessions = build_session_factory(engine)
    attempt = func.nextval("read_attempts")
    with pytest.raises(DBAPIError, match="division by zero"):
        await fetch_row(sessions, read_only(select(1 / (attempt * 0))), {})
    async with engine.connect() as connection:
        assert await connection.scalar(select(attempt)) == 2


async def test_read_is_part_of_a_transaction_that_has_begun(engine: AsyncEngine) -> None:
    async with build_session_factory(engine)() as session:
        assert await fetch_rows(session, WORDS, {}) == [("stored",)]
        assert not session.in_transaction()
        await session.execute(insert(NOTES).values(word="new"))
        assert await fetch_rows(session, WORDS, {}) == [("stored",), ("new",)]
        await session.rollback()
        assert await fetch_rows(session, WORDS, {}) == [("stored",)]


@own_session
async def test_connection_that_ended_while_idle_is_replaced(
    settings: Settings, engine: AsyncEngine
) -> None:
    """The event loop has seen its end."""
    async with engine.connect() as connection:
        driver = await driver_of(connection)
    await asyncio.to_thread(execute, settings.database_url, end_of(driver.get_server_pid()))
    await until(driver.is_closed)
    async with engine.connect() as connection:
        assert await connection.scalar(WORDS) == "stored"


@own_session
async def test_connection_that_was_idle_for_long_is_asked_first(
    settings: Settings, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop has not seen its end: it was busy."""
    async with engine.connect() as connection:
        process_id = (await driver_of(connection)).get_server_pid()
    monkeypatch.setattr(renewal, "IDLE_SECONDS", -1)
    with ThreadPoolExecutor() as threads:
        threads.submit(execute, settings.database_url, end_of(process_id)).result()
    async with engine.connect() as connection:
        assert await connection.scalar(WORDS) == "stored"
        assert (await driver_of(connection)).get_server_pid() != process_id
