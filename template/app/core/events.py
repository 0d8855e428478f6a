"""What lives as long as the process: built at start, closed at stop."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypedDict

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from app.core.config import Settings
from app.db.migrations import Revisions, read_revisions
from app.db.session import build_engine, build_session_factory


class State(TypedDict):
    """What the lifespan hands to every request as `request.state`."""

    settings: Settings
    engine: AsyncEngine
    probe_engine: AsyncEngine
    session_factory: async_sessionmaker[AsyncSession]
    revisions: Revisions


def build_lifespan(
    settings: Settings,
) -> Callable[[FastAPI], AbstractAsyncContextManager[State]]:
    """Return the lifespan of one app, so that a process can hold several."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[State]:
        engine = build_engine(settings)
        # Probes have a connection of their own: a busy pool is no unhealthy database.
        probe_engine = build_engine(
            settings.model_copy(update={"db_pool_size": 1, "db_max_overflow": 1})
        )
        try:
            yield {
                "settings": settings,
                "engine": engine,
                "probe_engine": probe_engine,
                "session_factory": build_session_factory(engine),
                "revisions": read_revisions(),
            }
        finally:
            await engine.dispose()
            await probe_engine.dispose()

    return lifespan
