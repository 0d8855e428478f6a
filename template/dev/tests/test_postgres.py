"""PostgreSQL servers for development and tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings.database_url import parse_database_url
from dev import binaries
from dev.binaries import find_binaries
from dev.process import ServerError
from dev.tests.test_process import is_over
from tests.databases import execute

OWNER = """
import time
from dev.postgres import throwaway_server
with throwaway_server() as url:
    print(url, flush=True)
    time.sleep(60)
"""


def test_server_is_gone_with_its_owner() -> None:
    """After a test run, nothing stays, even after kill -9, which no code can catch.

    The server runs next to the one of the other tests: any number of servers can run.
    """
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    url = parse_database_url(owner.stdout.readline())
    # It sorts and folds text in the same way for any locale of the machine.
    letters = "SELECT string_agg(x, '' ORDER BY x) FROM unnest('{b,a,B,é,É}'::text[]) AS x"
    assert execute(url, letters) == [("BabÉé",)]
    assert execute(url, "SELECT lower('É')") == [("é",)]
    home = Path(str(url.query["host"]))
    assert home.exists()
    owner.kill()
    owner.communicate()
    assert is_over(f"postgres -D {home}", home)


def test_chosen_programs_come_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = find_binaries()
    (tmp_path / "bin").symlink_to(found)
    monkeypatch.setenv("PG_BINDIR", str(tmp_path / "bin"))
    assert find_binaries() == tmp_path / "bin"
    monkeypatch.setenv("PG_BINDIR", str(tmp_path))
    with pytest.raises(ServerError, match="PG_BINDIR"):
        find_binaries()


def test_installed_programs_come_before_the_wheel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake(tmp_path, "18.1")
    fake_pg_config = tmp_path / "pg_config"
    fake_pg_config.write_text(f"#!/bin/sh\necho {tmp_path}\n")
    fake_pg_config.chmod(0o755)
    monkeypatch.delenv("PG_BINDIR", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert find_binaries() == tmp_path
    fake(tmp_path, "16.9")  # too old
    assert find_binaries() != tmp_path


def fake(directory: Path, version: str) -> None:
    for name in ("postgres", "initdb"):
        program = directory / name
        program.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        program.chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_root_copies_nothing_but_the_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installation in a private directory is not copied."""
    tmp_path.chmod(0o700)
    fake(tmp_path, "18.1")
    monkeypatch.setenv("PG_BINDIR", str(tmp_path))
    with pytest.raises(ServerError, match="closed to nobody"):
        binaries.reachable_binaries(tmp_path / "home")


def test_without_any_program_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PG_BINDIR", raising=False)
    monkeypatch.setattr(binaries, "_installed", list)
    monkeypatch.setattr(binaries, "_wheel", list)
    with pytest.raises(ServerError, match="set DATABASE_URL"):
        find_binaries()
