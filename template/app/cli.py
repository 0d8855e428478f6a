"""The command line: `uv run app --help`."""

import json
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

import click
import uvicorn

from app import PROJECT_NAME, __version__
from app.core.config import Settings, SettingsError, load_settings
from app.db.errors import DatabaseAccessError
from app.db.migrations import MigrationError, OutsideProjectError, require_project, upgrade
from app.utils.logging import configure_logging


class Commands(click.Group):
    """A group that reports what the operator can mend in words, not in a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (SettingsError, DatabaseAccessError, MigrationError, OutsideProjectError) as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=Commands, help=f"Run and manage {PROJECT_NAME}.")
@click.version_option(__version__)
def cli() -> None:
    """Gather the commands."""


@cli.command()
@click.option("--host", envvar="HOST", default="127.0.0.1", show_default=True, show_envvar=True)
@click.option("--port", envvar="PORT", default=8000, show_default=True, show_envvar=True)
@click.option(
    "--workers",
    envvar="WEB_CONCURRENCY",
    default=1,
    show_default=True,
    show_envvar=True,
    help="Processes; one per container is best, more only on bare machines.",
)
def serve(host: str, port: int, workers: int) -> None:
    """Serve requests until SIGTERM, then finish those that are under way."""
    _settings_with_logging()
    require_project()  # so that a wrong directory is told here, in words
    # uvicorn raises the signal once more when it has finished: that end was planned, so status 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        "app.main:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=20,
    )


@cli.command()
@click.argument("revision", default="head")
def migrate(revision: str) -> None:
    """Bring the database schema to REVISION (default: the newest).

    Replicas may run it at once: one works, the others wait and find nothing left to do.
    """
    settings = _settings_with_logging()
    upgrade(settings.database_url, revision)


@cli.command()
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it here.")
def openapi(output: Path | None) -> None:
    """Print the OpenAPI document, for generating clients."""
    from app.main import create_app  # the other commands start faster without FastAPI

    # The document says nothing about the database, so none has to be configured.
    settings = load_settings(database_url="postgresql://localhost/none")
    document = json.dumps(create_app(settings).openapi(), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(document, nl=False)
    else:
        output.write_text(document, encoding="utf-8")


def _settings_with_logging() -> Settings:
    settings = load_settings()
    configure_logging(settings)
    return settings


if find_spec("dev"):  # absent from a production install
    from dev.cli import dev

    cli.add_command(dev)
