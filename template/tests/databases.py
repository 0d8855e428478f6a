"""Temporary databases for a test or a run."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.db.pooler import WITHOUT_PREPARED_STATEMENTS
from app.settings.database_url import parse_database_url

POOLER = os.environ.get("DATABASE_URL") if os.environ.get("DB_POOLER") == "true" else None
"""The URL of a pooler by which the service reaches the server, for databases of any name."""


def settings_for(url: URL) -> dict[str, object]:
    """Return the settings for a database, with the pooler of the environment if there is one."""
    if POOLER is None:
        return {"database_url": url}
    pooler = parse_database_url(POOLER).set(database=url.database)
    return {"database_url": pooler, "db_pooler": True, "migration_database_url": url}


@contextmanager
def new_database(server_url: str) -> Iterator[URL]:
    """Yield the URL of a new, empty database on that server; the one it names stays untouched."""
    server = parse_database_url(server_url)
    name = f"test_{uuid4().hex}"
    execute(server, f"CREATE DATABASE {name}")
    try:
        yield server.set(database=name)
    finally:
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def execute(url: URL, *statements: str) -> list[tuple[object, ...]]:
    """Run each statement outside any transaction; return the rows of the last."""

    async def run() -> list[tuple[object, ...]]:
        engine = create_async_engine(
            url,
            isolation_level="AUTOCOMMIT",
            poolclass=NullPool,
            connect_args=dict(WITHOUT_PREPARED_STATEMENTS),
        )
        async with engine.connect() as connection:
            for statement in statements:
                result = await connection.exec_driver_sql(statement)
            return [tuple(row) for row in result] if result.returns_rows else []

    return asyncio.run(run())
