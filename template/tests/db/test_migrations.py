"""Migrations, on databases of their own."""

import asyncio
import os
import sys

import pytest
from alembic import command
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.db.migrations import LOCK_KEY, MigrationError, alembic_config, read_revisions, upgrade
from tests.databases import execute

# Processes of their own, as replicas are; forked, so that the imports happen once.
FOUR_REPLICAS = """
import logging, os, sys
from app.core.config import load_settings
from app.db.migrations import upgrade

logging.basicConfig(level="INFO")
replicas = []
for _ in range(4):
    replica = os.fork()
    if not replica:
        upgrade(load_settings().database_url)
        os._exit(0)
    replicas.append(replica)
sys.exit(any([os.waitpid(replica, 0)[1] for replica in replicas]))
"""

WAITING = text(
    "SELECT count(DISTINCT pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def current(url: URL) -> object:
    return execute(url, "SELECT version_num FROM alembic_version")


async def test_four_at_once_apply_each_revision_once(empty_database: URL) -> None:
    """F9: replicas that start together may all migrate. One works, the others wait."""
    environment = {
        **os.environ,
        "ENVIRONMENT": "development",
        "DATABASE_URL": empty_database.render_as_string(hide_password=False),
    }
    engine = create_async_engine(empty_database, isolation_level="AUTOCOMMIT")
    async with engine.connect() as somebody:
        await somebody.execute(text(f"SELECT pg_advisory_lock({LOCK_KEY})"))
        replicas = await asyncio.create_subprocess_exec(
            sys.executable, "-c", FOUR_REPLICAS, env=environment, stderr=asyncio.subprocess.PIPE
        )
        while await somebody.scalar(WAITING) != 4:
            assert replicas.returncode is None
            await asyncio.sleep(0.01)
        assert await somebody.scalar(text("SELECT to_regclass('alembic_version')")) is None
        await somebody.execute(text("SELECT pg_advisory_unlock_all()"))
        _, output = await replicas.communicate()
        assert replicas.returncode == 0, output
        assert output.count(b"Running upgrade") == len(read_revisions().known)
        versions = await somebody.scalars(text("SELECT version_num FROM alembic_version"))
        assert versions.all() == [read_revisions().head]
    await engine.dispose()


async def test_waiting_replicas_hold_nothing(empty_database: URL) -> None:
    """CREATE INDEX CONCURRENTLY waits for every snapshot: one held by a waiter never goes."""
    engine = create_async_engine(empty_database, isolation_level="AUTOCOMMIT")
    async with engine.connect() as somebody:
        await somebody.execute(text(f"SELECT pg_advisory_lock({LOCK_KEY})"))
        waiter = asyncio.create_task(asyncio.to_thread(upgrade, empty_database))
        while await somebody.scalar(WAITING) != 1:  # noqa: ASYNC110  # in another thread
            await asyncio.sleep(0.01)
        await somebody.execute(text("CREATE TABLE t (id int)"))
        await somebody.execute(text("SET statement_timeout = '5s'"))
        await somebody.execute(text("CREATE INDEX CONCURRENTLY ON t (id)"))
        await somebody.execute(text("SELECT pg_advisory_unlock_all()"))
        await waiter
    await engine.dispose()


def test_database_of_a_newer_build_is_left_alone(empty_database: URL) -> None:
    """An old replica that starts again during a rolling update must not crash."""
    upgrade(empty_database)
    execute(empty_database, "UPDATE alembic_version SET version_num = 'newer'")
    upgrade(empty_database)
    assert current(empty_database) == [("newer",)]


def test_unknown_revision_is_told_in_words(empty_database: URL) -> None:
    with pytest.raises(MigrationError, match="nonsense"):
        upgrade(empty_database, "nonsense")


def test_up_down_up(empty_database: URL) -> None:
    """F10: every revision can be taken back."""
    upgrade(empty_database)
    command.downgrade(alembic_config(empty_database), "base")
    assert current(empty_database) == []
    upgrade(empty_database)
    assert current(empty_database) == [(read_revisions().head,)]


def test_models_and_revisions_agree(empty_database: URL) -> None:
    """F10: autogenerate finds nothing to do."""
    upgrade(empty_database)
    command.check(alembic_config(empty_database))


def test_tables_without_a_model_are_left_alone(empty_database: URL) -> None:
    """A feature that was turned off keeps its data until somebody decides otherwise."""
    upgrade(empty_database)
    execute(empty_database, "CREATE TABLE of_a_feature_gone (id int PRIMARY KEY)")
    command.check(alembic_config(empty_database))


@pytest.mark.usefixtures("settings")
def test_sql_can_be_reviewed_beforehand(capsys: pytest.CaptureFixture[str]) -> None:
    command.upgrade(alembic_config(), "head", sql=True)
    assert "INSERT INTO alembic_version" in capsys.readouterr().out
