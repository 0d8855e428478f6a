"""The command line: `uv run app --help`."""

import asyncio
import json
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import uvicorn
from fastapi import FastAPI
from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE

from app import PROJECT_NAME, __version__
from app.commands.check import check_dependencies
from app.core.config import Settings, SettingsError, load_kinds, load_settings
from app.core.feature import server_options, settings_of_features
from app.db.errors import DatabaseAccessError
from app.db.migrations import (
    MigrationError,
    OutsideProjectError,
    read_revisions,
    upgrade_database,
)
from app.features import FEATURES
from app.server.drain import end_process
from app.server.workers import Workers
from app.utils.logging import configure_logging


class Commands(click.Group):
    """A group that reports errors of the operator in a sentence, not in a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (SettingsError, DatabaseAccessError, MigrationError, OutsideProjectError) as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=Commands, help=f"Run and manage {PROJECT_NAME}.")
@click.version_option(__version__)
def cli() -> None:
    """Group the commands."""


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
    """Serve requests until SIGTERM, then finish those that are under way.

    After SIGTERM, /ready returns 503, and requests are served for DRAIN_SECONDS more. A second
    SIGTERM ends the process at once.
    """
    settings = _settings_with_logging()
    read_revisions()  # so that a wrong directory, and two heads, are reported here
    own = click.get_current_context().with_resource(server_options(FEATURES, settings, workers))
    # uvicorn raises the signal again when it has finished. This end is planned: exit 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end_process())
    options: dict[str, Any] = {
        **own,
        "host": host,
        "port": port,
        "timeout_graceful_shutdown": 20,
        # On a busy or throttled machine, imports take longer than uvicorn's default of 5 seconds,
        # which would restart the process again and again.
        "timeout_worker_healthcheck": 60,
    }
    if workers > 1:
        config = Config("app.main:create_served_app", workers=workers, **options)
        supervisor = Workers(config, [config.bind_socket()])
        supervisor.run()
        if supervisor.failed:
            sys.exit(STARTUP_FAILURE)
    else:
        uvicorn.run("app.main:create_served_app", **options)


@cli.command()
@click.argument("revision", default="head")
def migrate(revision: str) -> None:
    """Migrate the database schema to REVISION (default: the newest).

    Replicas may run it at the same time: one works, the others wait.
    """
    upgrade_database(_settings_with_logging(), revision)


@cli.command()
def check() -> None:
    """Check settings, database, schema and all other dependencies, with one line for each.

    The exit code is 1 if one of them is not right.
    """
    from app.main import create_app

    app = create_app()
    click.echo("settings: ok")
    if not asyncio.run(_check(app)):
        sys.exit(1)


async def _check(app: FastAPI) -> bool:
    right = True
    async with app.router.lifespan_context(app) as state:
        async for name, fault in check_dependencies(state or {}):
            click.echo(f"{name}: {fault or 'ok'}")
            right = right and fault is None
    return right


@cli.command()
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it here.")
def openapi(output: Path | None) -> None:
    """Print the OpenAPI document, for generating clients."""
    from app.main import create_app

    # The document does not depend on the environment, so no setting is needed.
    fields = Settings.model_fields.items()
    examples = {name: field.examples[0] for name, field in fields if field.examples}
    settings = load_settings(**examples, environment="development", docs_enabled=True)
    document = json.dumps(create_app(settings).openapi(), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(document, nl=False)
    else:
        output.write_text(document, encoding="utf-8")


def _settings_with_logging() -> Settings:
    settings = load_kinds([Settings, *settings_of_features(FEATURES)])[Settings]
    configure_logging(settings)
    return settings


for _feature in FEATURES:
    for _command in _feature.commands:
        cli.add_command(_command)

if find_spec("dev"):  # absent from a production install
    from dev.cli import dev

    cli.add_command(dev)
