"""Reads without a transaction, and connections that broke while they were idle."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.core.config import Settings
from app.db import renewal
from tests.databases import POOLER, execute
from tests.db.conftest import NOTES, WORDS
from tests.waiting import until

# Through a pooler, each transaction begins with its timeouts.
own_session = pytest.mark.skipif(POOLER is not None, reason="a pooler decides about sessions")


async def driver_of(connection: AsyncConnection) -> Any:
    return (await connection.get_raw_connection()).driver_connection


async def is_in_transaction(connection: AsyncConnection) -> bool:
    return bool((await driver_of(connection)).is_in_transaction())


def end_of(process_id: int) -> str:
    """Return what ends a session of the server, and waits until it has ended."""
    return f"SELECT pg_terminate_backend({process_id}, 60000)"


@own_session
async def test_transaction_begins_with_the_first_other_statement(
    engine_with_notes: AsyncEngine,
) -> None:
    async with engine_with_notes.connect() as connection:
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
async def test_other_reads_have_a_transaction(engine_with_notes: AsyncEngine) -> None:
    """Also after one that needs none, and with another isolation level."""
    async with engine_with_notes.connect() as connection:
        await connection.execute(WORDS)
        await connection.execute(select(NOTES.c.word))
        assert await is_in_transaction(connection)
    async with engine_with_notes.connect() as connection:
        await connection.execution_options(isolation_level="SERIALIZABLE")
        await connection.execute(WORDS)
        await connection.execute(select(NOTES.c.word))
        assert await connection.scalar(text("SHOW transaction_isolation")) == "serializable"


@own_session
async def test_autocommit_of_a_connection_stays(engine_with_notes: AsyncEngine) -> None:
    async with engine_with_notes.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(WORDS)
        await connection.execute(select(NOTES.c.word))
        assert not await is_in_transaction(connection)


@own_session
async def test_connection_that_ended_while_idle_is_replaced(
    settings: Settings, engine_with_notes: AsyncEngine
) -> None:
    """The event loop has seen its end."""
    async with engine_with_notes.connect() as connection:
        driver = await driver_of(connection)
    await asyncio.to_thread(execute, settings.database_url, end_of(driver.get_server_pid()))
    await until(driver.is_closed)
    async with engine_with_notes.connect() as connection:
        assert await connection.scalar(WORDS) == "stored"


@own_session
async def test_connection_that_was_idle_for_long_is_asked_first(
    settings: Settings, engine_with_notes: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop has not seen its end: it was busy."""
    async with engine_with_notes.connect() as connection:
        process_id = (await driver_of(connection)).get_server_pid()
    monkeypatch.setattr(renewal, "IDLE_SECONDS", -1)
    with ThreadPoolExecutor() as threads:
        threads.submit(execute, settings.database_url, end_of(process_id)).result()
    async with engine_with_notes.connect() as connection:
        assert await connection.scalar(WORDS) == "stored"
        assert (await driver_of(connection)).get_server_pid() != process_id
