"""The service as a process of its own, as operators run it."""

import json
import re
import signal
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.core.config import Settings
from tests.server import AS_IT_IS, WITH_ROUTES, Service, client_at, serving
from tests.waiting import PATIENCE


@pytest.mark.parametrize("header", [b"", b"Content-Encoding: gzip\r\n"])
def test_announced_gigabyte_is_refused_at_once(service: Service, header: bytes) -> None:
    """A7: the body is not awaited if it is too large anyway, and the response is short."""
    reply = send(
        service,
        b"POST / HTTP/1.1\r\nHost: test\r\n" + header + b"Content-Length: 1000000000\r\n\r\n",
    )
    assert_too_large(reply)


def test_unannounced_body_is_cut_off(service: Service) -> None:
    """A7: a chunked body has no announced length."""
    head = b"POST /notes HTTP/1.1\r\nHost: test\r\n"
    head += b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    assert_too_large(send(service, head + chunk * 17))


def send(service: Service, request: bytes) -> bytes:
    """Send bytes and return the answer."""
    service.get("/live")
    url = urlsplit(service.address)
    reply = b""
    with socket.create_connection((url.hostname, url.port), timeout=PATIENCE) as connection:
        connection.sendall(request)
        while part := connection.recv(4096):
            reply += part
            if b"}" in part:
                break
    return reply


def assert_too_large(reply: bytes) -> None:
    """It gets a short error with the usual body."""
    assert reply.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in reply
    assert len(reply) < 4096


def test_o3_only_the_proxys_word_counts(service: Service) -> None:
    """The client is the last address in `X-Forwarded-For` that is not a trusted proxy."""
    service.get("/live")

    def passing(number: int, forwarded: str, **headers: str) -> int:
        """Return how many of so many requests are not refused."""
        headers |= {"Host": "test", "X-Forwarded-For": forwarded}
        with client_at(headers=headers) as client:
            answers = [client.get(service.address) for _ in range(number)]
        return [reply.status_code for reply in answers].count(200)

    # What the client itself wrote stands further left.
    rotating = [passing(1, f"192.0.2.{number}, 198.51.100.1, 10.0.0.1") for number in range(40)]
    assert sum(rotating) == 30
    assert passing(40, "198.51.100.2") == 30
    assert passing(1, "198.51.100.2", **{"X-Real-IP": "192.0.2.1", "Forwarded": "for=1.2.3.4"}) == 0


def test_start_that_fails_ends_the_process(settings: Settings) -> None:
    """Also if it fails outside of the lifespan, in which case uvicorn serves by default."""
    program = f"""
from app.middleware.head import HeadMiddleware
def fail(self, app):
    raise LookupError
HeadMiddleware.__init__ = fail
{AS_IT_IS}
"""
    with serving(settings, program=program) as service:
        assert service.process.wait(PATIENCE) != 0


def test_f17_writes_no_file(settings: Settings, tmp_path: Path) -> None:
    """F17: it runs on a read-only disk, without a home directory."""
    program = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n{AS_IT_IS}"
    with serving(settings, program=program, HOME="/nowhere", TMPDIR=str(tmp_path)) as service:
        assert service.get("/ready").status_code == 200
        assert service.get("/health").status_code == 200
    assert not list(tmp_path.iterdir())


SLOW_START = """
import sys, time
if "--multiprocessing-fork" in sys.argv:
    time.sleep(7)
"""


@pytest.mark.soak
def test_processes_may_take_their_time_to_start(settings: Settings, tmp_path: Path) -> None:
    """On a busy machine, they take longer than uvicorn's default timeout."""
    (tmp_path / "sitecustomize.py").write_text(SLOW_START)
    with serving(settings, WEB_CONCURRENCY="2", PYTHONPATH=str(tmp_path)) as service:
        started = time.monotonic()
        assert service.get("/live").status_code == 200
        assert time.monotonic() - started > 7  # so they were slow
        service.process.send_signal(signal.SIGTERM)
        output, _ = service.process.communicate(timeout=PATIENCE)
    assert service.process.returncode == 0
    assert output.count("Started server process") == 2
    assert "died" not in output


def test_behind_a_proxy_that_removes_a_prefix(settings: Settings) -> None:
    """X17: pages, redirects and links lead to what clients can call."""
    with serving(settings, ROOT_PATH="/shop") as service:
        assert service.get("/ready").json() == {"status": "ready"}
        assert service.get("/").json()["docs"] == "/shop/docs"
        assert service.get("/openapi.json").json()["servers"] == [{"url": "/shop"}]
        for page in ("/docs", "/redoc"):
            attributes = r"""(?:src|href|url|spec-url)[=:] ?["']([^"']+)"""
            addresses = re.findall(attributes, service.get(page).text)
            assert addresses
            assert all(address.startswith("/shop/") for address in addresses)
            for address in addresses:
                assert service.get(address.removeprefix("/shop")).status_code == 200
        moved = service.get("/docs/")
        assert moved.status_code == 307
        assert moved.headers["location"] == f"{service.address}/shop/docs"


def test_serves_logs_and_stops(service: Service) -> None:
    """It responds, writes only JSON lines, and exits with 0 on SIGTERM."""
    response = service.get("/ready")
    service.process.send_signal(signal.SIGTERM)
    output, _ = service.process.communicate(timeout=PATIENCE)
    assert response.json() == {"status": "ready"}
    assert "server" not in response.headers  # O13
    assert service.process.returncode == 0, output
    lines = [json.loads(line) for line in output.splitlines()]
    assert all(line.keys() >= {"timestamp", "level", "event"} for line in lines)
    assert any("Application startup complete" in line["event"] for line in lines)


def test_answered_error_is_logged_once_and_keeps_the_connection(settings: Settings) -> None:
    """X9: error reporters learn of it, the server does not."""
    with serving(settings, program=WITH_ROUTES) as service:
        service.get("/live")
        ports = set()
        with client_at(service.address) as client:
            for _ in range(3):
                response = client.get("/crash")
                assert response.status_code == 500
                stream = response.extensions["network_stream"]
                ports.add(stream.get_extra_info("client_addr"))
        assert len(ports) == 1
        service.process.send_signal(signal.SIGTERM)
        output, _ = service.process.communicate(timeout=PATIENCE)
    events = [json.loads(line)["event"] for line in output.splitlines()]
    assert events.count("unhandled_error") == 3
    assert not [event for event in events if "Exception in ASGI" in event]
