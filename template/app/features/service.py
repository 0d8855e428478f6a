"""What every service has: database, rate limiter, graceful shutdown, options of its server."""

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypedDict

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from app.core.config import Settings
from app.core.feature import Feature, State
from app.db.migrations import Revisions, read_revisions
from app.db.renewal import Renewal
from app.db.session import build_engine, build_session_factory
from app.server.drain import Drain
from app.server.rate_limit import InProcessRateLimiter, RateLimiter
from app.services.health import RecentOutcomes
from app.settings.http import HttpSettings


class ServiceState(TypedDict):
    """The state that every service has."""

    drain: Drain
    engine: AsyncEngine
    probe_engine: AsyncEngine
    renewal: Renewal
    recent_outcomes: RecentOutcomes
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
                "renewal": Renewal(engine),
                "recent_outcomes": RecentOutcomes(),
                "session_factory": build_session_factory(engine),
                "revisions": read_revisions(),
                "rate_limiter": InProcessRateLimiter(),
            }
    finally:
        await engine.dispose()
        await probe_engine.dispose()


@contextmanager
def server(settings: HttpSettings, _workers: int) -> Iterator[Mapping[str, Any]]:
    """Yield what `app serve` and `app dev` have in common."""
    yield {
        "factory": True,
        "http": "app.server.protocol:HttpProtocol",
        "lifespan": "on",  # by default, an app whose middleware cannot be built is served
        "root_path": settings.root_path,
        "timeout_keep_alive": settings.keep_alive_timeout,
        "server_header": False,
        "log_config": None,
        "access_log": False,
    }


SERVICE = Feature(part=part, server=server)
