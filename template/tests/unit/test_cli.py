"""The command line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from socket import EAI_NONAME, gaierror

import pytest
from click.testing import CliRunner

from app import __version__
from app.cli import cli
from app.core.config import Settings


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """A runner whose environment names the test database."""
    monkeypatch.setenv("ENVIRONMENT", "development")
    monkeypatch.setenv("DATABASE_URL", settings.database_url.render_as_string(hide_password=False))
    return CliRunner()


def test_help_lists_the_commands() -> None:
    output = CliRunner().invoke(cli, ["--help"]).output
    for command in ("dev", "migrate", "openapi", "serve"):
        assert command in output


def test_version() -> None:
    assert __version__ in CliRunner().invoke(cli, ["--version"]).output


IMPORTED = """
import sys
import app.project_commands
before = set(sys.modules)
from app.cli import cli
try:
    cli()
finally:
    names = {name.partition(".")[0] for name in sys.modules.keys() - before}
    print(*names - sys.stdlib_module_names, file=sys.stderr)
"""


def libraries_of(*arguments: str, **environment: str) -> set[str]:
    """Return the libraries that `app` imports, without those of the project's own commands."""
    result = subprocess.run(
        [sys.executable, "-c", IMPORTED, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return set(result.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("command", ["", *cli.commands])
def test_help_imports_no_library(command: str) -> None:
    """It is quick: only a command that runs needs FastAPI and the libraries of the database."""
    assert libraries_of(*command.split(), "--help") <= {"app", "click", "dev"}


@pytest.mark.usefixtures("settings")
def test_migrate_imports_no_routes() -> None:
    url = "postgresql://app@127.0.0.1:1/app"
    libraries = libraries_of("migrate", ENVIRONMENT="development", DATABASE_URL=url)
    assert "alembic" in libraries
    assert "fastapi" not in libraries


@pytest.mark.usefixtures("settings")
def test_openapi_needs_no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    printed = CliRunner().invoke(cli, ["openapi"])
    assert printed.exit_code == 0
    assert json.loads(printed.stdout)["info"]["version"] == __version__
    file = tmp_path / "openapi.json"
    assert CliRunner().invoke(cli, ["openapi", "--output", str(file)]).exit_code == 0
    assert file.read_text() == printed.stdout


def test_migrate_twice_is_harmless(run: CliRunner) -> None:
    for _ in range(2):
        result = run.invoke(cli, ["migrate"])
        assert result.exit_code == 0, result.output


@pytest.mark.usefixtures("settings")
def test_wrong_settings_are_told_in_words() -> None:
    result = CliRunner().invoke(cli, ["migrate"])
    assert result.exit_code == 1
    assert "DATABASE_URL is missing" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:1", "nothing listens there"),
        ("/app?host=/nowhere", "there is no such socket or file"),
    ],
)
def test_database_away_is_told_in_words(run: CliRunner, address: str, reason: str) -> None:
    """X18: no names of classes or drivers."""
    path = "" if "?" in address else "/app"
    url = f"postgresql://app:hunter2@{address}{path}"
    result = run.invoke(cli, ["migrate"], env={"DATABASE_URL": url})
    assert result.exit_code == 1
    assert f"cannot be used ({reason}): check DATABASE_URL" in result.output
    assert "Error: postgresql://app:***@" in result.output
    assert "hunter2" not in result.output
    assert isinstance(result.exception, SystemExit)


def test_unknown_host_name_is_told_in_words(
    run: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X18: the resolver's answer is ours, so that no name server of others is asked."""

    def unknown(*_: object, **__: object) -> None:
        raise gaierror(EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    url = "postgresql://app:hunter2@primary.invalid/app"
    result = run.invoke(cli, ["migrate"], env={"DATABASE_URL": url})
    assert result.exit_code == 1
    assert "(its host name is unknown): check DATABASE_URL" in result.output


def test_url_of_migrations_is_named(run: CliRunner) -> None:
    """X18: its error must not lead to the other URL."""
    url = "postgresql://owner:hunter2@127.0.0.1:1/app"
    result = run.invoke(cli, ["migrate"], env={"MIGRATION_DATABASE_URL": url})
    assert result.exit_code == 1
    assert "(nothing listens there): check MIGRATION_DATABASE_URL" in result.output


def test_database_that_does_not_exist(run: CliRunner, settings: Settings) -> None:
    url = settings.database_url.set(database="nothing").render_as_string(hide_password=False)
    result = run.invoke(cli, ["migrate"], env={"DATABASE_URL": url})
    assert result.exit_code == 1
    assert 'database "nothing" does not exist' in result.output
    assert "check DATABASE_URL" in result.output


@pytest.mark.parametrize("command", ["migrate", "serve"])
def test_outside_the_project(
    run: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run.invoke(cli, [command])
    assert result.exit_code == 1
    assert "is not the project's directory" in result.output


@pytest.mark.parametrize("command", ["migrate", "serve"])
def test_two_heads(
    run: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """X16: one sentence that says what to do."""
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    shutil.copy("alembic.ini", tmp_path)
    for name in ("one", "other"):
        (versions / f"{name}.py").write_text(f"revision, down_revision = {name!r}, None\n")
    monkeypatch.chdir(tmp_path)
    result = run.invoke(cli, [command])
    assert result.exit_code == 1
    assert result.output == (
        "Error: The migrations have 2 heads, one and other: join them with "
        "`uv run alembic merge heads`.\n"
    )
