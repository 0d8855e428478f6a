"""Redis servers that can be stopped, killed, filled and restarted."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from io import StringIO

import pytest
from redis import Redis

from app.core.config import Settings
from dev.process import free_port, throwaway_home
from dev.valkey import answers, running_valkey
from tests.waiting import PATIENCE


class Server:
    """A server on a port of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._running = ExitStack()

    def start(self) -> None:
        """Start it, empty."""
        home = self._running.enter_context(throwaway_home("valkey-"))
        log = self._running.enter_context((home / "log").open("w+b"))
        options = [f"port {self.port}", "bind 127.0.0.1"]
        self._running.enter_context(
            running_valkey(home, options, lambda: answers(self.port), log=log)
        )

    def kill(self) -> None:
        """Kill it, as `kill -9` does."""
        self._running.close()

    def hang(self) -> None:
        """Let it accept connections but never respond."""
        self._process_id = int(self.do("INFO", "server")["process_id"])
        os.kill(self._process_id, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it respond again."""
        os.kill(self._process_id, signal.SIGCONT)

    def fill(self) -> None:
        """Let it refuse all commands that need memory."""
        self.do("CONFIG", "SET", "maxmemory", "1")

    def make_room(self) -> None:
        """Let it accept all commands again."""
        self.do("CONFIG", "SET", "maxmemory", "0")

    def be_replica(self) -> None:
        """Let it be read-only, as a server that was the primary before a failover."""
        self.do("REPLICAOF", "127.0.0.1", "1")

    def be_primary(self) -> None:
        """Let it accept writes again."""
        self.do("REPLICAOF", "NO", "ONE")

    def do(self, *command: str) -> dict[str, str]:
        """Send a command directly, not through the service."""
        with Redis.from_url(self.url, legacy_responses=False) as client:
            answer: dict[str, str] = client.execute_command(*command)
            return answer


def run_at_once(script: str, prefix: str, count: int) -> list[int]:
    """Run the script in several processes at the same time; return the number each prints."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, prefix],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return [int(process.communicate(timeout=PATIENCE)[0]) for process in processes]


@pytest.fixture(scope="session")
def settings(settings: Settings) -> Settings:
    """Settings by which a Redis that hangs is soon left alone, as in production."""
    return settings.model_copy(update={"redis_timeout": 0.1})


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.start()
    yield server
    server.kill()


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a server that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(params=["refuses", "no socket", "silent", "wrong password"])
def away(request: pytest.FixtureRequest, server: Server, silent: str) -> str:
    """The URL of an unusable Redis, for each reason."""
    server.do("CONFIG", "SET", "requirepass", "right")
    urls = {
        "refuses": "redis://127.0.0.1:1",
        "no socket": "unix:///nowhere/socket",
        "silent": silent,
        "wrong password": f"redis://:wrong@127.0.0.1:{server.port}",
    }
    return urls[request.param]


@pytest.fixture(autouse=True)
def _log(output: StringIO) -> None:
    """Faults are logged; capture the lines."""
