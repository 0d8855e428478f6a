"""The engine and its sessions."""

from collections.abc import AsyncGenerator
from functools import cache

from fastapi.requests import HTTPConnection
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from app import PROJECT_SLUG
from app.core.config import load_settings
from app.db.commit import commit
from app.db.errors import translate_database_errors
from app.db.pooler import WITHOUT_PREPARED_STATEMENTS, set_in_each_transaction
from app.db.reads import read_outside_transactions
from app.db.renewal import check_idle_connections, drop_useless_connections
from app.db.slow_queries import log_slow_queries
from app.settings.database import DatabaseSettings

engine: AsyncEngine
"""The engine for the environment's settings, for scripts and shells; built at first use."""

AsyncSessionLocal: async_sessionmaker[AsyncSession]
"""Sessions of `engine`: `async with AsyncSessionLocal() as session: ...`."""


def build_engine(settings: DatabaseSettings) -> AsyncEngine:
    """Return an engine with a bounded pool and timeouts for all waits. It connects lazily."""
    timeouts = {
        "statement_timeout": _milliseconds(settings.db_statement_timeout),
        "lock_timeout": _milliseconds(settings.db_lock_timeout),
        "idle_in_transaction_session_timeout": _milliseconds(60),
    }
    engine = create_async_engine(
        settings.database_url,
        hide_parameters=not settings.debug,
        pool_size=settings.db_pool_size,
        max_overflow=settings.db_max_overflow,
        pool_timeout=settings.db_pool_timeout,
        pool_recycle=settings.db_pool_recycle,
        pool_use_lifo=True,  # so that the others may become idle
        connect_args={
            "timeout": settings.db_connect_timeout,
            # The server cancels first; this timeout is for a server that does not respond.
            "command_timeout": settings.db_statement_timeout + 2,
            "server_settings": {
                "application_name": PROJECT_SLUG,
                **({} if settings.db_pooler else timeouts),
            },
            **(WITHOUT_PREPARED_STATEMENTS if settings.db_pooler else {}),
        },
    )
    if settings.db_pooler:
        set_in_each_transaction(engine, timeouts)
    drop_useless_connections(engine)
    check_idle_connections(engine)
    read_outside_transactions(engine)
    log_slow_queries(engine, settings.slow_query_seconds)
    return engine


def build_session_factory(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Return the session factory of `engine`; objects stay readable after the commit.

    A closed session raises an error when it is used. Otherwise it would take a connection that
    nothing returns, for example in the body of a stream, which runs after the commit.
    """
    return async_sessionmaker(engine, expire_on_commit=False, close_resets_only=False)


async def get_db(connection: HTTPConnection) -> AsyncGenerator[AsyncSession]:
    """Yield the request's session and commit when the route is done.

    Use it through `DBSession`. Its scope makes the commit happen before the response is sent, so a
    failed commit is an error for the client, never a 200.
    """
    async with translate_database_errors(), connection.state.session_factory() as session:
        yield session
        await commit(session)


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))


@cache
def _engine_of_environment() -> AsyncEngine:
    return build_engine(load_settings())


def __getattr__(name: str) -> object:
    """Build `engine` and `AsyncSessionLocal` on first use, so that importing needs no settings."""
    if name == "engine":
        return _engine_of_environment()
    if name == "AsyncSessionLocal":
        return build_session_factory(_engine_of_environment())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
