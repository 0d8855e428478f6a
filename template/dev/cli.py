"""`app dev`."""

import os
import subprocess
import sys
from pathlib import Path

import click

from app.core.config import load_settings
from app.db.migrations import require_project, upgrade
from app.utils.logging import configure_logging
from dev.database import project_database
from dev.process import ServerError
from dev.server import serve_with_reload


# The options after COMMAND are its own.
@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--port", envvar="PORT", default=8000, show_default=True, show_envvar=True)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def dev(port: int, command: tuple[str, ...]) -> None:
    """Run COMMAND with a database of the project's own; without one, the reloading server.

    The database is a real PostgreSQL that needs no installation. It keeps its data under .dev/ and
    stops with the command that started it. Set DATABASE_URL to use another one.

    \b
    uv run app dev
    uv run app dev alembic revision --autogenerate -m "add a table"
    """  # noqa: D301  # click knows a paragraph to leave alone by its backspace
    require_project()
    try:
        with project_database(Path.cwd()) as url:
            os.environ["DATABASE_URL"] = url
            if command:
                sys.exit(_run(command))
            settings = load_settings()
            configure_logging(settings)
            upgrade(settings.database_url)
            click.secho(f"http://localhost:{port}/docs", bold=True, err=True)
            serve_with_reload(port)
    except ServerError as error:
        raise click.ClickException(str(error)) from None


def _run(command: tuple[str, ...]) -> int:
    try:
        return subprocess.run(command, check=False).returncode
    except FileNotFoundError:
        raise click.ClickException(f"There is no program {command[0]!r}.") from None
