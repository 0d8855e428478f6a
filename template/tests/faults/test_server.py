"""The service as a process of its own, as operators run it."""

import json
import signal
import time

import httpx2

from tests.faults.conftest import Service


def test_serves_logs_and_stops(service: Service) -> None:
    """It answers, writes nothing but JSON lines, and ends with status 0 on SIGTERM."""
    response = answer(f"{service.address}/ready")
    service.process.send_signal(signal.SIGTERM)
    output, _ = service.process.communicate(timeout=20)
    assert response.json() == {"status": "ready"}
    assert "server" not in response.headers  # O13
    assert service.process.returncode == 0, output
    lines = [json.loads(line) for line in output.splitlines()]
    assert all(line.keys() >= {"timestamp", "level", "event"} for line in lines)
    assert any("Application startup complete" in line["event"] for line in lines)


def answer(url: str) -> httpx2.Response:
    """Wait until the service is up."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return httpx2.get(url)
        except httpx2.ConnectError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
