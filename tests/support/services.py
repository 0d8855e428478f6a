"""Programs that run beside a test, and what they answer."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.support.shell import clean_environment


def ask(url: str, headers: dict[str, str] | None = None) -> str:
    """Get something."""
    with urlopen(Request(url, headers=headers or {}), timeout=10) as answer:  # noqa: S310  # our own addresses
        text: str = answer.read().decode()
        return text


def post(url: str, body: Any, headers: dict[str, str] | None = None) -> str:
    """Send a form, as text, or JSON."""
    kind = "application/x-www-form-urlencoded" if isinstance(body, str) else "application/json"
    data = body if isinstance(body, str) else json.dumps(body)
    request = Request(url, data.encode(), {"Content-Type": kind, **(headers or {})})  # noqa: S310  # our own addresses
    with urlopen(request, timeout=10) as answer:  # noqa: S310  # the same
        text: str = answer.read().decode()
        return text


def wait_for(attempt: Callable[[], object], seconds: float = 90) -> None:
    """Try until it works."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            attempt()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


@contextmanager
def running(directory: Path, *command: str, **environment: str) -> Iterator[None]:
    """Run a program, with its output in a file beside it, and end it."""
    with (
        (directory / "output.log").open("w", encoding="utf-8") as log,
        subprocess.Popen(
            command,
            cwd=directory,
            env=clean_environment() | {"RATE_LIMIT_AUTH_PER_MINUTE": "1000"} | environment,
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
