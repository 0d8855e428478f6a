"""The schema's revisions: apply them, and compare a database with them."""

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import URL

from app.db.errors import explain_access_errors
from app.settings.database import DatabaseSettings
from app.utils.exceptions import OperatorError

LOCK_KEY = 0x6D6967726174
"""The advisory lock of migrations; the number must not be used for anything else."""

LOCK_TIMEOUT: float = DatabaseSettings.model_fields["migration_lock_timeout"].default
"""Seconds that a migration waits for others where there are no settings."""


class OutsideProjectError(OperatorError):
    """The working directory is not the project's, so its migrations cannot be found."""


class MigrationError(OperatorError):
    """The migration is not possible."""


@dataclass(frozen=True, slots=True)
class Revisions:
    """The revisions of this build."""

    head: str | None
    known: frozenset[str]

    def reached_by(self, current: frozenset[str]) -> bool:
        """Return whether a database at `current` is new enough for this build.

        An unknown revision comes from a newer build: during a rolling update, the old replicas
        must still serve.
        """
        return current == {self.head} - {None} or self.is_newer(current)

    def is_newer(self, current: frozenset[str]) -> bool:
        """Return whether a newer build has migrated the database to `current`."""
        return not current <= self.known


def require_project() -> Path:
    """Return the working directory if it is the project's.

    Raises:
        OutsideProjectError: it is not.
    """
    directory = Path.cwd()
    if not (directory / "alembic.ini").is_file():
        raise OutsideProjectError(f"{directory} is not the project's directory: run this there.")
    return directory


def direct_url(settings: DatabaseSettings) -> URL:
    """Return the URL for migrations, whose lock needs a session of its own.

    Raises:
        MigrationError: there is a pooler before `DATABASE_URL`, and no other URL.
    """
    if settings.db_pooler and settings.migration_database_url is None:
        raise MigrationError(
            "MIGRATION_DATABASE_URL is missing: with DB_POOLER, migrations need a connection to "
            "PostgreSQL itself."
        )
    return settings.migration_database_url or settings.database_url


def alembic_config(database_url: URL | None = None, lock_timeout: float = LOCK_TIMEOUT) -> Config:
    """Return Alembic's configuration; without a URL it uses the settings' own, and their timeout.

    Raises:
        OutsideProjectError: the working directory is not the project's.
    """
    config = Config(require_project() / "alembic.ini")
    config.attributes["database_url"] = database_url
    config.attributes["lock_timeout"] = lock_timeout
    return config


def read_revisions() -> Revisions:
    """Read the revisions under `migrations/versions`.

    Raises:
        MigrationError: they are no chain with one head.
        OutsideProjectError: the working directory is not the project's.
    """
    scripts = ScriptDirectory.from_config(alembic_config())
    try:
        heads = scripts.get_heads()
        known = frozenset(script.revision for script in scripts.walk_revisions())
    except CommandError as error:
        raise MigrationError(f"{error}.") from None
    if len(heads) > 1:
        raise MigrationError(
            f"The migrations have {len(heads)} heads, {' and '.join(sorted(heads))}: "
            "join them with `uv run alembic merge heads`."
        )
    return Revisions(head=heads[0] if heads else None, known=known)


def upgrade_database(settings: DatabaseSettings, revision: str = "head") -> None:
    """Migrate the database of the settings to `revision`. Raises as `upgrade` does."""
    upgrade(
        direct_url(settings),
        revision,
        lock_timeout=settings.migration_lock_timeout,
        setting="MIGRATION_DATABASE_URL" if settings.migration_database_url else "DATABASE_URL",
    )


def upgrade(
    database_url: URL,
    revision: str = "head",
    *,
    lock_timeout: float = LOCK_TIMEOUT,
    setting: str = "DATABASE_URL",
) -> None:
    """Migrate the database to `revision`. Several processes may do so at the same time.

    Each waits up to `lock_timeout` seconds for the others. Errors name `setting`.

    Raises:
        DatabaseAccessError: the database is unreachable or refuses access.
        MigrationError: there is no such revision, or another process takes too long.
        OutsideProjectError: the working directory is not the project's.
    """
    config = alembic_config(database_url, lock_timeout)
    config.attributes["only_upgrades"] = True
    if revision == "head":
        read_revisions()  # so that two heads are reported
        # An old replica that restarts during the rollout of a newer build has nothing to do.
        config.attributes["skip_if_newer"] = True
    with explain_access_errors(database_url, setting):
        try:
            command.upgrade(config, revision)
        except CommandError as error:
            raise MigrationError(f"{error}.") from None
