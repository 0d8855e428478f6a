"""The engine and its sessions."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import Settings
from app.db import session as module


async def test_sessions_outside_of_a_request(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scripts and shells use `AsyncSessionLocal`, with the settings of the environment."""
    url = settings.database_url.render_as_string(hide_password=False)
    monkeypatch.setenv("ENVIRONMENT", "development")
    monkeypatch.setenv("DATABASE_URL", url)
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
