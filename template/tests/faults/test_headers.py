"""Headers without end, and other things that only a real connection shows."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from app.core.config import Settings
from tests.server import WITH_ROUTES, Service, serving
from tests.waiting import PATIENCE

LIMIT = 10_000

PROGRAMS = {
    "httptools": WITH_ROUTES,
    "h11": f"import sys; sys.modules['httptools'] = None\n{WITH_ROUTES}",
}


@pytest.fixture(scope="module", params=PROGRAMS)
def service(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Service]:
    """The service by each implementation of HTTP."""
    program = PROGRAMS[request.param]
    limits = {"MAX_HEADER_SIZE": str(LIMIT), "RATE_LIMIT_ENABLED": "false"}
    with serving(settings, program=program, **limits) as service:
        service.get("/live")
        yield service
        service.process.terminate()  # a killed process would not report its coverage
        service.process.wait(PATIENCE)


def connect(service: Service) -> socket.socket:
    url = urlsplit(service.address)
    return socket.create_connection((url.hostname, url.port), timeout=PATIENCE)


def exchange(service: Service, *parts: bytes) -> bytes:
    """Send these parts, as far as they are taken, and return all that comes until the end."""
    reply = b""
    with connect(service) as connection:
        with suppress(ConnectionError):
            for part in parts:
                connection.sendall(part)
        with suppress(ConnectionError):
            while received := connection.recv(65_536):
                reply += received
    return reply


def assert_too_large(reply: bytes) -> None:
    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert b"connection: close" in head
    assert b"content-type: application/problem+json" in head
    assert b'"status":431' in body


def get(*, size: int) -> bytes:
    """Return a request of so many bytes that ends its connection."""
    start, end = b"GET /live HTTP/1.1\r\nHost: test\r\nConnection: close\r\nX-Fill: ", b"\r\n\r\n"
    return start + b"x" * (size - len(start) - len(end)) + end


MEBIBYTE = 2**20

ENDLESS = {
    "one header": [b"GET / HTTP/1.1\r\nHost: test\r\nX: ", *[b"x" * MEBIBYTE] * 8],
    "one name": [b"GET / HTTP/1.1\r\nHost: test\r\n", *[b"x" * MEBIBYTE] * 8],
    "one address": [b"GET /", *[b"x" * MEBIBYTE] * 8],
    "many headers": [b"GET / HTTP/1.1\r\nHost: test\r\n", b"a: b\r\n" * MEBIBYTE],
}


@pytest.mark.parametrize("parts", ENDLESS.values(), ids=ENDLESS)
def test_headers_without_end_are_refused(service: Service, parts: list[bytes]) -> None:
    """X3: 431 and the end of the connection, whether they are few or many."""
    assert_too_large(exchange(service, *parts))
    assert service.get("/live").status_code == 200


def test_limit_is_exact(service: Service) -> None:
    """X3: also for headers that arrive whole."""
    assert exchange(service, get(size=LIMIT)).startswith(b"HTTP/1.1 200 ")
    assert_too_large(exchange(service, get(size=LIMIT + 1)))
    assert_too_large(exchange(service, get(size=20 * LIMIT)))


def test_slow_headers_count_together(service: Service) -> None:
    """X3: a client may send them in any parts."""
    request = get(size=LIMIT)
    parts = [request[start : start + 1000] for start in range(0, LIMIT, 1000)]
    assert exchange(service, *parts).startswith(b"HTTP/1.1 200 ")
    endless = [b"GET / HTTP/1.1\r\nHost: test\r\n", *[b"a: b\r\n" * 100] * 40]
    assert_too_large(exchange(service, *endless))


def test_each_request_of_a_connection_counts_alone(service: Service) -> None:
    """X3: many pipelined requests are no long headers, also in one piece."""
    requests = b"GET /live HTTP/1.1\r\nHost: test\r\n\r\n" * 1000
    reply = exchange(service, requests + get(size=200))
    assert reply.count(b"HTTP/1.1 200 ") == 1001


def test_long_headers_after_other_requests(service: Service) -> None:
    """X3: those are answered, in their order, before the connection ends."""
    requests = b"GET /live HTTP/1.1\r\nHost: test\r\n\r\nGET / HTTP/1.1\r\nHost: test\r\n\r\n"
    reply = exchange(service, requests + get(size=20 * LIMIT))
    assert reply.index(b"alive") < reply.index(b"Welcome")
    assert reply.count(b"HTTP/1.1 200 ") == 2
    assert reply.count(b"HTTP/1.1 ") == 2 + reply.count(b"HTTP/1.1 431 ")


CHUNKED = b"POST /notes HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n"
JSON = b"Content-Type: application/json\r\n"
CHUNK = b"2\r\n{}\r\n0\r\n"


@pytest.mark.parametrize("trailers", [b"a: b\r\n" * LIMIT, b"a: " + b"b" * 20 * LIMIT])
def test_trailers_without_end_are_refused(service: Service, trailers: bytes) -> None:
    """X3: headers may also come after a chunked body."""
    assert_too_large(exchange(service, CHUNKED + JSON + b"\r\n" + CHUNK + trailers))
    assert_too_large(exchange(service, CHUNKED + JSON + b"\r\n" + CHUNK + trailers + b"\r\n\r\n"))


def test_chunk_extensions_without_end_are_refused(service: Service) -> None:
    """X3: they are not a part of the body either."""
    assert_too_large(exchange(service, CHUNKED + JSON + b"\r\n", b"2;" + b"x" * 20 * LIMIT))


def test_trailers_are_no_headers(service: Service) -> None:
    """X3: a proxy checks headers, so trailers must not pass for them (RFC 9110, section 6.5.1)."""
    end = b"Connection: close\r\n\r\n"
    as_header = exchange(service, CHUNKED + JSON + end + CHUNK + b"X: y\r\n\r\n")
    as_trailer = exchange(service, CHUNKED + end + CHUNK + JSON + b"\r\n")
    assert as_header.startswith(b"HTTP/1.1 200 ")
    assert as_trailer.startswith(b"HTTP/1.1 422 ")


def test_no_body_follows_head(service: Service) -> None:
    """X14: so the next response of the connection is where its client expects it."""
    head = b"HEAD /live HTTP/1.1\r\nHost: test\r\n\r\n"
    reply = exchange(service, head + get(size=200))
    first, second, body = reply.split(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200 ")
    assert b"content-length: 18\r\n" in first
    assert second.startswith(b"HTTP/1.1 200 ")
    assert body == b'{"status":"alive"}'


def test_no_http(service: Service) -> None:
    """What is no HTTP gets the usual error body as well."""
    reply = exchange(service, b"\x16\x03\x01 hello\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert b'"error_code":"bad_request"' in reply
