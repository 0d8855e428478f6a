"""The service as a process of its own, as operators run it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import httpx2
from httpx2 import ConnectError

from app.core.config import Settings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_serves_logs_and_stops(settings: Settings) -> None:
    """It answers, writes nothing but JSON lines, and ends with status 0 on SIGTERM."""
    port = free_port()
    environment = {
        **os.environ,
        "ENVIRONMENT": "staging",
        "LOG_FORMAT": "json",
        "PORT": str(port),
        "DATABASE_URL": settings.database_url.render_as_string(hide_password=False),
    }
    command = [sys.executable, "-c", "from app.cli import cli; cli()", "serve"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        response = answer(f"http://127.0.0.1:{port}/ready")
        server.send_signal(signal.SIGTERM)
        output, _ = server.communicate(timeout=20)
    assert response.json() == {"status": "ready"}
    assert "server" not in response.headers  # O13
    assert server.returncode == 0, output
    lines = [json.loads(line) for line in output.splitlines()]
    assert all(line.keys() >= {"timestamp", "level", "event"} for line in lines)
    assert any("Application startup complete" in line["event"] for line in lines)


def answer(url: str) -> httpx2.Response:
    deadline = time.monotonic() + 20
    while True:
        try:
            return httpx2.get(url)
        except ConnectError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
