"""Alembic's connection to the database, for `upgrade` and `revision --autogenerate`."""

import asyncio
import logging
import time
from itertools import count

from alembic import context
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Connection, Index, Table, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import ColumnCollectionConstraint, SchemaItem

import app.features  # noqa: F401  # imports all models
from app.core.config import load_settings
from app.db.base import Base
from app.db.migrations import LOCK_KEY, read_revisions

log = logging.getLogger(__name__)


def include_object(
    thing: SchemaItem, name: str | None, kind: str, reflected: bool, known: SchemaItem | None
) -> bool:
    """Ignore tables and columns that no model describes, with their indexes and constraints.

    They may have data of a feature that was turned off. To drop them is a decision, so write such a
    revision by hand.
    """
    if not reflected or known is not None:
        return True
    if isinstance(thing, Table | Column):
        log.warning("No model describes the %s %s: it is left alone", kind, name)
        return False
    if isinstance(thing, Index | ColumnCollectionConstraint) and thing.table is not None:
        described = Base.metadata.tables[thing.table.name].columns
        return all(column.name in described for column in thing.columns)
    return True


def run_offline() -> None:
    """Print the SQL instead of running it (`alembic upgrade head --sql`)."""
    context.configure(dialect_name="postgresql", target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def take_turn(connection: Connection) -> None:
    """Take the lock, which lasts until the connection closes, beyond all commits.

    Polling, instead of waiting in a statement, holds no snapshot. CREATE INDEX CONCURRENTLY in the
    process that has the lock would wait for the end of such a snapshot.
    """
    for attempt in count():
        if connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK_KEY}):
            return
        connection.commit()
        if attempt == 0:
            log.info("Another process migrates this database: waiting for it")
        time.sleep(0.1)


def run(connection: Connection) -> None:
    """Run the revisions, one transaction each, while other processes that migrate wait."""
    take_turn(connection)
    # A table lock that takes long would delay all queries behind it: fail instead.
    connection.execute(text("SET lock_timeout = '10s'"))
    connection.commit()
    current = MigrationContext.configure(connection).get_current_revision()
    connection.commit()
    if context.config.attributes.get("skip_if_newer") and read_revisions().is_newer(current):
        log.warning("The schema is at %s, which is newer than this build: nothing to do", current)
        return
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_object=include_object,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_online() -> None:
    """Connect and run."""
    url = context.config.attributes.get("database_url") or load_settings().database_url
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"timeout": 10})
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


if context.is_offline_mode():
    run_offline()
else:
    asyncio.run(run_online())
