"""`app dev`: the persistent database of the project."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import cli
from app.settings.database_url import parse_database_url
from dev.database import data_directory, project_database
from dev.dotenv import provide_dotenv
from dev.process import ServerError
from tests.databases import execute

ROOT = Path(__file__).parents[2]
OWNER = """
import time
from pathlib import Path
from dev.database import data_directory, project_database
from dev.process import ServerError
with project_database(Path.cwd()):
    print("up", flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def project() -> Iterator[Path]:
    """A project with a database that these tests share, like consecutive commands."""
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        Path(directory).chmod(0o755)
        for name in (".env.example", "alembic.ini"):
            shutil.copy(ROOT / name, directory)
        yield Path(directory)


@pytest.fixture(autouse=True)
def _in_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in the project, without settings from the environment."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    # Set first, so that it is unset again after a command has set it.
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.delenv("DATABASE_URL")


def test_database_is_made_once_and_stays(project: Path) -> None:
    with project_database(project) as first:
        execute(parse_database_url(first), "CREATE TABLE kept (id int)")
        file = project / ".env"
        lines = file.read_text().splitlines()
        assert f"DATABASE_URL={first}" in lines
        # With secrets of its own, readable only for its owner.
        assert not [line for line in lines if "change-me" in line and not line.startswith("#")]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with project_database(project) as second:
        assert second == first
        assert execute(parse_database_url(second), "SELECT count(*) FROM kept") == [(0,)]


def test_environment_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """X16: in one sentence, and it is not replaced."""
    shutil.copy(ROOT / ".env.example", tmp_path)
    file = tmp_path / ".env"
    file.write_bytes(b"\xff")
    with pytest.raises(SystemExit, match=f"^{file} cannot be read: it is not UTF-8.$"):
        provide_dotenv(tmp_path)
    assert file.read_bytes() == b"\xff"


def test_existing_environment_file_is_kept(project: Path) -> None:
    mine = "# mine\nPOSTGRES_PASSWORD=mine\nDATABASE_URL="
    (project / ".env").write_text(mine)
    with project_database(project) as url:
        assert (project / ".env").read_text().startswith(f"{mine}{url}\n")


def test_secrets_that_are_missing_are_added_once(project: Path) -> None:
    """For example, after a feature that needs one was turned on."""
    (project / ".env").write_text("ENVIRONMENT=development")
    for _ in range(2):
        provide_dotenv(project)
        lines = (project / ".env").read_text().splitlines()
        assert lines[0] == "ENVIRONMENT=development"
        assert [line[:18] for line in lines].count("POSTGRES_PASSWORD=") == 1
        assert min(map(len, lines[1:])) > 32


@pytest.mark.parametrize("place", ["environment", "file"])
def test_given_database_is_used_as_it_is(
    project: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    given = "postgresql://elsewhere/db"
    before = (project / ".env").read_text() if (project / ".env").exists() else ""
    if place == "environment":
        monkeypatch.setenv("DATABASE_URL", given)
    else:
        (project / ".env").write_text(f"DATABASE_URL={given}\n")
    with project_database(project) as url:
        assert url == given
    (project / ".env").write_text(before)


def test_second_command_shares_the_server(project: Path) -> None:
    with project_database(project) as first, project_database(project) as second:
        assert second == first
        assert execute(parse_database_url(second), "SELECT 1") == [(1,)]


def test_server_stops_with_its_command_even_when_killed(project: Path) -> None:
    command = subprocess.Popen(
        [sys.executable, "-c", OWNER], cwd=project, stdout=subprocess.PIPE, text=True
    )
    assert command.stdout is not None
    assert command.stdout.readline() == "up\n"
    command.kill()
    command.communicate()
    with project_database(project) as url:  # waits until the old server has shut down
        assert execute(parse_database_url(url), "SELECT 1") == [(1,)]


def test_port_taken_by_another_program(project: Path) -> None:
    with project_database(project) as first:
        pass
    port = parse_database_url(first).port
    script = f"import socket; s = socket.create_server(('127.0.0.1', {port})); print(); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with project_database(project) as second:
            assert parse_database_url(second).port != port
            assert execute(parse_database_url(second), "SELECT 1") == [(1,)]
            assert second in (project / ".env").read_text()


def test_data_of_another_version_is_left_alone(project: Path) -> None:
    with project_database(project):
        version = project / ".dev" / "postgres" / "PG_VERSION"
        ours = version.read_text()
    version.write_text("16\n")
    with pytest.raises(ServerError, match="made by PostgreSQL 16"), project_database(project):
        pass
    version.write_text(ours)
    with project_database(project) as url:
        assert execute(parse_database_url(url), "SELECT 1") == [(1,)]


def test_command_gets_the_database_and_gives_its_status() -> None:
    check = 'test "$DATABASE_URL" = "$(cat .dev/database-url)" && exit 7'
    result = CliRunner().invoke(cli, ["dev", "sh", "-c", check])
    assert result.exit_code == 7, result.output


def test_options_of_the_command_are_its_own() -> None:
    command = ["sh", "-c", 'test "$*" = "--port 9000 --help"', "sh", "--port", "9000", "--help"]
    assert CliRunner().invoke(cli, ["dev", *command]).exit_code == 0


def test_unknown_command_is_told_in_words() -> None:
    result = CliRunner().invoke(cli, ["dev", "no-such-program"])
    assert result.exit_code == 1
    assert "There is no program 'no-such-program'" in result.output


def test_failure_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG_BINDIR", "/nowhere")
    result = CliRunner().invoke(cli, ["dev", "true"])
    assert result.exit_code == 1
    assert "PG_BINDIR=/nowhere holds no PostgreSQL" in result.output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_root_may_have_its_project_where_nobody_can_enter(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    home = data_directory(tmp_path).parent
    assert home.parent == Path("/var/lib/dev-postgres")
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    home.rmdir()
