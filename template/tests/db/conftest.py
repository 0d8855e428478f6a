"""A table for tests of statements and connections."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Text, column, insert, select, table, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import Settings
from app.db.reads import read_only
from app.db.session import build_engine

NOTES = table("read_notes", column("word", Text))

WORDS = read_only(select(NOTES.c.word))


@pytest.fixture
async def engine_with_notes(settings: Settings) -> AsyncIterator[AsyncEngine]:
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
