"""The service in separate processes, as in production."""

import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import httpx2

from app.core.config import Settings
from dev.process import free_port
from tests.waiting import PATIENCE

_PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients of a service without TLS. By default, each one would read all certificates first."""


def client_at(address: str = "", headers: Mapping[str, str] | None = None) -> httpx2.Client:
    """Return a client of a service at `address`, which waits as long as a busy machine takes."""
    return httpx2.Client(base_url=address, headers=headers, verify=_PLAIN, timeout=PATIENCE)


@dataclass(frozen=True)
class Service:
    """A running `app serve`."""

    process: "subprocess.Popen[str]"
    address: str

    def get(self, path: str = "/") -> httpx2.Response:
        """Send a request, as soon as the service is up."""
        deadline = time.monotonic() + PATIENCE
        with client_at(self.address) as client:
            while True:
                try:
                    return client.get(path)
                except httpx2.ConnectError:
                    if self.process.poll() is not None or time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)

    def next_line(self, text: str) -> str:
        """Wait for a log line with this text, and return it."""
        assert self.process.stdout
        timer = threading.Timer(PATIENCE, self.end)
        timer.start()
        try:
            line = next((line for line in self.process.stdout if text in line), None)
        finally:
            timer.cancel()
        assert line, f"The log ended without {text!r}."
        return line

    def end(self) -> None:
        """Kill all of its processes."""
        with suppress(ProcessLookupError, PermissionError):  # all have ended
            os.killpg(self.process.pid, signal.SIGKILL)

    def wait_for(self, path: str, status: int) -> None:
        """Repeat a request until this is its status."""
        deadline = time.monotonic() + PATIENCE
        while self.get(path).status_code != status:
            assert time.monotonic() < deadline
            time.sleep(0.01)


AS_IT_IS = "from app.cli import cli; cli()"

WITH_ROUTES = f"""
import app.main, tests.faults.routes
app.main.create_app = tests.faults.routes.create_app
{AS_IT_IS}
"""
"""The same with routes for tests, which several processes do not get."""


@contextmanager
def serving(
    settings: Settings, *, program: str = AS_IT_IS, **environment: str
) -> Iterator[Service]:
    """Start the service with the tests' database."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-c", program, "serve"],
        env={
            **os.environ,
            "ENVIRONMENT": "staging",
            "ALLOWED_HOSTS": "*",
            "LOG_FORMAT": "json",
            "DRAIN_SECONDS": "0",
            "PORT": str(port),
            "DATABASE_URL": settings.database_url.render_as_string(hide_password=False),
            "DB_POOLER": str(settings.db_pooler),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # so that `end` reaches every process of it
    ) as process:
        service = Service(process, f"http://127.0.0.1:{port}")
        try:
            yield service
        finally:
            service.end()
