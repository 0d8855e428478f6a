"""The schema's revisions: apply them, and compare a database with them."""

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import URL

from app.db.errors import explain_access_errors

LOCK_KEY = 0x6D6967726174
"""The advisory lock of migrations; the number must not be used for anything else."""


class OutsideProjectError(Exception):
    """The working directory is not the project's, so its migrations cannot be found."""


class MigrationError(Exception):
    """The migration is not possible."""


@dataclass(frozen=True, slots=True)
class Revisions:
    """The revisions of this build."""

    head: str | None
    known: frozenset[str]

    def reached_by(self, current: str | None) -> bool:
        """Return whether a database at `current` is new enough for this build.

        An unknown revision comes from a newer build: during a rolling update, the old replicas
        must still serve.
        """
        return current == self.head or self.is_newer(current)

    def is_newer(self, current: str | None) -> bool:
        """Return whether a newer build has migrated the database to `current`."""
        return current is not None and current not in self.known


def require_project() -> Path:
    """Return the working directory if it is the project's.

    Raises:
        OutsideProjectError: it is not.
    """
    directory = Path.cwd()
    if not (directory / "alembic.ini").is_file():
        raise OutsideProjectError(f"{directory} is not the project's directory: run this there.")
    return directory


def alembic_config(database_url: URL | None = None) -> Config:
    """Return Alembic's configuration; without a URL it uses the settings' own.

    Raises:
        OutsideProjectError: the working directory is not the project's.
    """
    config = Config(require_project() / "alembic.ini")
    config.attributes["database_url"] = database_url
    return config


def read_revisions() -> Revisions:
    """Read the revisions under `migrations/versions`."""
    scripts = ScriptDirectory.from_config(alembic_config())
    return Revisions(
        head=scripts.get_current_head(),
        known=frozenset(script.revision for script in scripts.walk_revisions()),
    )


def upgrade(database_url: URL, revision: str = "head") -> None:
    """Migrate the database to `revision`. Several processes may do so at the same time.

    Raises:
        DatabaseAccessError: the database is unreachable or refuses access.
        MigrationError: there is no such revision.
        OutsideProjectError: the working directory is not the project's.
    """
    config = alembic_config(database_url)
    # An old replica that restarts during the rollout of a newer build has nothing to do.
    config.attributes["skip_if_newer"] = revision == "head"
    with explain_access_errors(database_url):
        try:
            command.upgrade(config, revision)
        except CommandError as error:
            raise MigrationError(f"{error}.") from None
