"""The engine and its sessions."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import Settings
from app.db import session as module
from app.db.errors import passing_failure


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
