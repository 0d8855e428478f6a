"""Reads over a connection without a session."""

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.fetch import fetch_row, fetch_rows
from app.db.reads import read_only
from app.db.session import build_session_factory
from tests.db.conftest import NOTES, WORDS


async def test_read_is_repeated_when_its_connection_breaks(engine_with_notes: AsyncEngine) -> None:
    """The first attempt ends its own connection, and so does a statement that always does."""
    sessions = build_session_factory(engine_with_notes)
    break_off = func.pg_terminate_backend(func.pg_backend_pid())
    once = select(NOTES.c.word).where((func.nextval("read_attempts") > 1) | break_off)
    assert await fetch_row(sessions, read_only(once), {}) == ("stored",)
    with pytest.raises(DBAPIError):
        await fetch_row(sessions, read_only(select(NOTES.c.word).where(break_off)), {})


async def test_other_errors_are_not_repeated(engine_with_notes: AsyncEngine) -> None:
    sessions = build_session_factory(engine_with_notes)
    attempt = func.nextval("read_attempts")
    with pytest.raises(DBAPIError, match="division by zero"):
        await fetch_row(sessions, read_only(select(1 / (attempt * 0))), {})
    async with engine_with_notes.connect() as connection:
        assert await connection.scalar(select(attempt)) == 2


async def test_read_is_part_of_a_transaction_that_has_begun(engine_with_notes: AsyncEngine) -> None:
    async with build_session_factory(engine_with_notes)() as session:
        assert await fetch_rows(session, WORDS, {}) == [("stored",)]
        assert not session.in_transaction()
        await session.execute(insert(NOTES).values(word="new"))
        assert await fetch_rows(session, WORDS, {}) == [("stored",), ("new",)]
        await session.rollback()
        assert await fetch_rows(session, WORDS, {}) == [("stored",)]
