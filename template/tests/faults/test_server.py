"""The service as a process of its own, as operators run it."""

import json
import signal
import socket
import time
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.faults.conftest import Service


@pytest.mark.parametrize("header", [b"", b"Content-Encoding: gzip\r\n"])
def test_announced_gigabyte_is_refused_at_once(service: Service, header: bytes) -> None:
    """A7: nobody waits for a body that is too large anyway, and the answer is short."""
    answer(f"{service.address}/live")
    url = urlsplit(service.address)
    with socket.create_connection((url.hostname, url.port), timeout=5) as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: test\r\n" + header + b"Content-Length: 1000000000\r\n\r\n"
        )
        reply = b""
        while part := connection.recv(4096):
            reply += part
            if b"}" in part:
                break
    assert reply.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in reply
    assert len(reply) < 4096


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
