"""Graceful shutdown, as in a rolling update."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.core.config import Settings
from tests.load import under_load
from tests.pace import Stopwatch
from tests.server import WITH_ROUTES, serving
from tests.waiting import PATIENCE


def test_f8_drain(settings: Settings) -> None:
    """F8: after SIGTERM, /ready returns 503, requests are served, and those under way finish."""
    with serving(settings, program=WITH_ROUTES, DRAIN_SECONDS="3") as service:
        assert service.get("/ready").status_code == 200
        assert "connection" not in service.get("/").headers
        url = urlsplit(service.address)
        with socket.create_connection((url.hostname, url.port), timeout=PATIENCE) as slow:
            slow.sendall(b"GET /slow?seconds=5 HTTP/1.1\r\nHost: test\r\n\r\n")
            assert service.get("/live").status_code == 200  # so the slow one is under way
            service.process.send_signal(signal.SIGTERM)
            service.wait_for("/ready", 503)
            late = service.get("/")
            assert late.status_code == 200
            assert late.headers["connection"] == "close"
            assert slow.recv(4096).startswith(b"HTTP/1.1 200 ")
        assert service.process.wait(timeout=PATIENCE) == 0


@pytest.mark.parametrize("processes", ["1", "2"])
def test_f8_second_signal_forces(settings: Settings, processes: str) -> None:
    """F8: a second signal ends the process, but not if both come at the same time."""
    with serving(settings, DRAIN_SECONDS="300", WEB_CONCURRENCY=processes) as service:
        for _ in range(int(processes)):
            service.next_line("Application startup complete")
        assert service.get("/live").status_code == 200
        for pid in [service.process.pid, *children(service.process.pid)]:
            os.kill(pid, signal.SIGTERM)
        for _ in range(int(processes)):
            service.next_line("draining")
        with pytest.raises(subprocess.TimeoutExpired):
            service.process.wait(timeout=3)
        service.process.send_signal(signal.SIGTERM)
        service.process.wait(timeout=PATIENCE)


def children(pid: int) -> list[int]:
    """The processes that a process started, where the system tells."""
    file = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in file.read_text().split()] if file.exists() else []


def test_processes_that_cannot_start_are_a_failure() -> None:
    """The exit status must show that the service does not run."""
    program = """
import sys
from uvicorn import Config
from app.server.workers import Workers

config = Config("tests.faults.broken:app", workers=2, port=0)
workers = Workers(config, [config.bind_socket()])
workers.run()
sys.exit(7 if workers.failed else 0)
"""
    ended = subprocess.run([sys.executable, "-c", program], check=False, timeout=PATIENCE)
    assert ended.returncode == 7


def test_f8_idle_process_ends_soon(settings: Settings) -> None:
    """F8: without a drain, the process does not wait."""
    with serving(settings, DRAIN_SECONDS="0") as service:
        assert service.get("/live").status_code == 200
        stopwatch = Stopwatch()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=PATIENCE) == 0
        assert stopwatch.within(5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_x4_threads_hold_up_no_exit(settings: Settings, number: signal.Signals) -> None:
    """X4: a thread that never ends is like one that waits for a silent name server."""
    with serving(settings, program=WITH_ROUTES) as service:
        assert service.get("/thread").status_code == 200
        service.process.send_signal(number)
        assert service.process.wait(timeout=PATIENCE) == 0


@pytest.mark.soak
def test_f8_rolling_update_loses_nothing(settings: Settings) -> None:
    """F8: behind a load balancer, no request fails while a process is replaced."""
    environment = {"DRAIN_SECONDS": "2", "RATE_LIMIT_ENABLED": "false"}
    with serving(settings, **environment) as old, serving(settings, **environment) as new:
        old.get("/live")
        targets = [old.address]
        with under_load(lambda client: client.get(targets[0])) as load:
            assert new.get("/ready").status_code == 200
            old.process.send_signal(signal.SIGTERM)
            old.wait_for("/ready", 503)
            load.enter("draining")
            targets[0] = new.address  # a load balancer takes half a second to notice
            load.enter("replaced")
            assert old.process.wait(timeout=PATIENCE) == 0
            load.enter("after")
    assert {answer for answers in load.answers.values() for answer in answers} == {"200"}
