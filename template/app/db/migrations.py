"""The schema's revisions: apply them, and tell how far a database has come."""

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import URL

from app.db.errors import explain_access_errors

LOCK_KEY = 0x6D6967726174
"""Names the lock that whoever migrates holds; any number that no other program of ours takes."""


class OutsideProjectError(Exception):
    """The working directory is not the project's, so its migrations cannot be found."""


class MigrationError(Exception):
    """What was asked for cannot be done."""


@dataclass(frozen=True, slots=True)
class Revisions:
    """The revisions that this build knows."""

    head: str | None
    known: frozenset[str]

    def reached_by(self, current: str | None) -> bool:
        """Tell whether a database at `current` is new enough for this build.

        A revision that this build does not know was applied by a newer one: during a rolling
        update the old replicas must go on serving.
        """
        return current == self.head or self.is_newer(current)

    def is_newer(self, current: str | None) -> bool:
        """Tell whether a newer build than this one brought the database to `current`."""
        return current is not None and current not in self.known


def require_project() -> Path:
    """Return the working directory, if it is the project's.

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
    """Bring the database to `revision`. Any number of processes may do so at once.

    Raises:
        DatabaseAccessError: the database cannot be reached, or refuses us.
        MigrationError: there is no such revision.
        OutsideProjectError: the working directory is not the project's.
    """
    config = alembic_config(database_url)
    # An old replica that starts again while a newer build is rolled out has nothing to do.
    config.attributes["skip_if_newer"] = revision == "head"
    with explain_access_errors(database_url):
        try:
            command.upgrade(config, revision)
        except CommandError as error:
            raise MigrationError(f"{error}.") from None
