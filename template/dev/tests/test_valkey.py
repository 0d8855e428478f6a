"""`app dev`: the server with the Redis protocol that the project's commands share."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from dev.process import ServerError
from dev.valkey import find_valkey, project_valkey

ROOT = Path(__file__).parents[2]
OWNER = """
import time
from pathlib import Path
from dev.valkey import project_valkey, throwaway_valkey
with {server} as url:
    print(url, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without settings from the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("REDIS_URL", "")
    monkeypatch.delenv("REDIS_URL")
    (tmp_path / ".env").write_text("ENVIRONMENT=development\nREDIS_URL=\n")
    return tmp_path


def owner(server: str) -> tuple["subprocess.Popen[str]", str]:
    """Start a process that runs a server, and return its URL."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER.format(server=server)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_several_throwaway_servers_end_with_their_owners() -> None:
    """Each server is separate, and kill -9 of its owner leaves nothing behind."""
    owners = [owner("throwaway_valkey()") for _ in range(4)]
    for number, (_, url) in enumerate(owners):
        with Redis.from_url(url, legacy_responses=False) as client:
            assert client.dbsize() == 0
            client.set("owner", number)
    for process, _ in owners:
        process.kill()
        process.communicate()
    homes = [Path(url.removeprefix("unix://")).parent for _, url in owners]
    deadline = time.monotonic() + 10
    while any(home.exists() for home in homes):
        assert time.monotonic() < deadline, homes
        time.sleep(0.05)


def test_project_keeps_its_url(project: Path) -> None:
    """The password is required; only its owner can read it, in files and process lists."""
    with project_valkey(project) as first, Redis.from_url(first) as client:
        assert client.ping()
        assert f"REDIS_URL={first}" in (project / ".env").read_text()
        assert stat.S_IMODE((project / ".dev" / "redis-url").stat().st_mode) == 0o600
        password = first.partition("@")[0].rpartition(":")[2]
        running = subprocess.run(["ps", "ax"], capture_output=True, text=True, check=True)
        assert "valkey-server" in running.stdout
        assert password not in running.stdout
        with pytest.raises(AuthenticationError):
            Redis.from_url(first.replace(password, "wrong")).ping()
    with project_valkey(project) as second:
        assert second == first


def test_second_command_shares_the_server(project: Path) -> None:
    with project_valkey(project) as first, project_valkey(project) as second:
        assert second == first
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(first.rpartition(":")[2].partition("/")[0])))


@pytest.mark.parametrize("place", ["environment", "file"])
def test_given_server_is_used_as_it_is(
    project: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    given = "redis://elsewhere/1"
    if place == "environment":
        monkeypatch.setenv("REDIS_URL", given)
    else:
        (project / ".env").write_text(f"REDIS_URL={given}\n")
    with project_valkey(project) as url:
        assert url == given
    assert not (project / ".dev").exists()


def test_server_stops_with_its_command_even_when_killed(project: Path) -> None:
    process, url = owner("project_valkey(Path.cwd())")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with project_valkey(project) as again, Redis.from_url(again) as client:
        assert again == url
        assert client.ping()


def test_port_taken_by_another_program(project: Path) -> None:
    with project_valkey(project) as first:
        pass
    port = int(first.rpartition(":")[2].partition("/")[0])
    with socket.create_server(("127.0.0.1", port)), project_valkey(project) as second:
        assert second != first
        assert f"REDIS_URL={second}" in (project / ".env").read_text()


def test_program_of_the_machine_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(find_valkey(), tmp_path / "redis-server")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert find_valkey() == tmp_path / "redis-server"


def test_failure_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("dev.valkey.find_spec", lambda _: None)
    with pytest.raises(ServerError, match="set REDIS_URL"):
        find_valkey()
