"""Alembic's connection to the database, for `upgrade` and `revision --autogenerate`."""

import asyncio
import logging
import time

from alembic import context
from alembic.runtime.migration import MigrationContext
from alembic.util.exc import CommandError
from sqlalchemy import Column, Connection, Index, Table, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import ColumnCollectionConstraint, SchemaItem

from app.core.config import load_settings
from app.db.base import Base
from app.db.migrations import LOCK_KEY, direct_url, read_revisions
from app.db.pooler import WITHOUT_PREPARED_STATEMENTS, set_in_each_transaction

if not context.config.attributes.get("only_upgrades"):
    import app.features  # noqa: F401  # imports all models, which autogenerate compares

log = logging.getLogger(__name__)

HOLDER = text(
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
    "AND classid::int8 << 32 | objid::int8 = :key "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
"""The process of the session that has the lock."""


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


def take_turn(connection: Connection, seconds: float) -> None:
    """Take the lock, which lasts until the connection closes, beyond all commits.

    Polling, instead of waiting in a statement, holds no snapshot. CREATE INDEX CONCURRENTLY in the
    process that has the lock would wait for the end of such a snapshot.

    Raises:
        CommandError: another session has had it for this number of seconds.
    """
    deadline = time.monotonic() + seconds
    waits = False
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK_KEY}):
        if time.monotonic() > deadline:
            holder = connection.scalar(HOLDER, {"key": LOCK_KEY})
            raise CommandError(
                f"Another session, {holder} in pg_stat_activity, has held the lock of migrations "
                f"for {seconds:g} seconds (MIGRATION_LOCK_TIMEOUT). If no migration runs, a "
                f"connection pooler has kept it: SELECT pg_terminate_backend({holder}), and set "
                "MIGRATION_DATABASE_URL to PostgreSQL itself"
            )
        connection.commit()
        if not waits:
            log.info("Another process migrates this database: waiting for it")
            waits = True
        time.sleep(0.1)


def give_turn_back(connection: Connection) -> None:
    """Release the lock before the connection closes: a pooler would keep it."""
    if not connection.scalar(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK_KEY}):
        log.warning(
            "A connection pooler is before PostgreSQL, so other processes may migrate at the same "
            "time: set MIGRATION_DATABASE_URL to PostgreSQL itself"
        )
    connection.commit()


def run(connection: Connection, lock_timeout: float) -> None:
    """Run the revisions, one transaction each, while other processes that migrate wait."""
    take_turn(connection, lock_timeout)
    current = frozenset(MigrationContext.configure(connection).get_current_heads())
    connection.commit()
    if context.config.attributes.get("skip_if_newer") and read_revisions().is_newer(current):
        newer = ", ".join(sorted(current))
        log.warning("The schema is at %s, which is newer than this build: nothing to do", newer)
    else:
        migrate(connection)
    give_turn_back(connection)


def migrate(connection: Connection) -> None:
    """Run the revisions."""
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
    attributes = context.config.attributes
    if url := attributes.get("database_url"):
        lock_timeout: float = attributes["lock_timeout"]
    else:
        settings = load_settings()
        url, lock_timeout = direct_url(settings), settings.migration_lock_timeout
    options = {"timeout": 10, **WITHOUT_PREPARED_STATEMENTS}
    engine = create_async_engine(url, poolclass=NullPool, connect_args=options)
    # A table lock that takes long would delay all queries behind it: fail instead.
    set_in_each_transaction(engine, {"lock_timeout": "10s"})
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run, lock_timeout)
    finally:
        await engine.dispose()


if context.is_offline_mode():
    run_offline()
else:
    asyncio.run(run_online())
