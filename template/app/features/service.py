"""The part of the lifespan that every service has: database, rate limiter, graceful shutdown."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypedDict

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from app.core.config import Settings
from app.core.feature import Feature, State
from app.db.migrations import Revisions, read_revisions
from app.db.session import build_engine, build_session_factory
from app.server.drain import Drain
from app.server.rate_limit import InProcessRateLimiter, RateLimiter


class ServiceState(TypedDict):
    """The state that every service has."""

    drain: Drain
    engine: AsyncEngine
    probe_engine: AsyncEngine
    session_factory: async_sessionmaker[AsyncSession]
    revisions: Revisions
    rate_limiter: RateLimiter


@asynccontextmanager
async def part(settings: Settings, _state: State) -> AsyncGenerator[ServiceState]:
    """Open the pools of the database, and handle SIGTERM before the server does."""
    drain = Drain(settings.drain_seconds)
    engine = build_engine(settings)
    # Probes have connections of their own: a busy pool does not mean an unhealthy database.
    probe_engine = build_engine(
        settings.model_copy(update={"db_pool_size": 1, "db_max_overflow": 1})
    )
    try:
        with drain.before_the_server():
            yield {
                "drain": drain,
                "engine": engine,
                "probe_engine": probe_engine,
                "session_factory": build_session_factory(engine),
                "revisions": read_revisions(),
                "rate_limiter": InProcessRateLimiter(),
            }
    finally:
        await engine.dispose()
        await probe_engine.dispose()


SERVICE = Feature(part=part)
