"""Headers of all responses, and requests that are refused."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI
from starlette.responses import StreamingResponse

from app.core.config import Settings
from app.main import create_app
from tests.conftest import client_of, running

TIMEOUT = 0.5
"""Seconds that a request may take here: enough for most, also on a busy machine."""

FRIEND = "https://app.example.com"


def compute(seconds: float) -> None:
    """Let no other task run: the test may not depend on how long a task waits for its turn."""
    time.sleep(seconds)


@pytest.fixture(scope="module")
def app(settings: Settings) -> FastAPI:
    """The service with routes that misbehave, behind narrow limits."""
    app = create_app(
        settings.model_copy(
            update={
                "allowed_hosts": ("test", "[::1]", "my_app", "*.example.com"),
                "cors_origins": (FRIEND,),
                "cors_credentials": True,
                "max_body_size": 100,
                "request_timeout": TIMEOUT,
            }
        )
    )

    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.sleep(60)

    @app.get("/own-timeout")
    async def own_timeout() -> None:
        raise TimeoutError

    @app.get("/slow-answer")
    async def slow_answer() -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            yield b"half"
            await asyncio.sleep(60)

        return StreamingResponse(body())

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            began = time.monotonic()
            while time.monotonic() - began < 3 * TIMEOUT:
                yield b"x"
                compute(TIMEOUT / 50)
                await asyncio.sleep(0)
            yield b"end"

        return StreamingResponse(body())

    @app.post("/read")
    async def read(body: dict[str, str]) -> int:
        return len(body)

    return app


@pytest.fixture(scope="module")
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(app) as state, client_of(app, state) as client:
        yield client


ANSWERS = {
    200: ("GET", "/live"),
    400: ("GET", "/health"),
    404: ("GET", "/nothing"),
    405: ("DELETE", "/live"),
    413: ("POST", "/read"),
    422: ("POST", "/read"),
    500: ("GET", "/crash"),
    503: ("GET", "/slow"),
}


@pytest.mark.parametrize("status", ANSWERS)
async def test_security_headers_are_on_every_answer(
    client: httpx2.AsyncClient, status: int
) -> None:
    """O12."""
    method, path = ANSWERS[status]
    content = b"x" * 101 if status == 413 else None
    host = {"Host": "evil.example.org"} if status == 400 else {}
    response = await client.request(method, path, content=content, headers=host)
    assert response.status_code == status
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert "strict-transport-security" not in response.headers
    assert response.headers["x-request-id"]


async def test_https_is_for_ever(client: httpx2.AsyncClient) -> None:
    """O12: over HTTPS, browsers are told to use HTTPS only."""
    response = await client.get("https://test/live")
    assert response.headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"


async def test_docs_keep_their_own_policy(client: httpx2.AsyncClient) -> None:
    """O12: only the documentation pages need scripts."""
    page = await client.get("/docs")
    assert page.headers.get_list("content-security-policy") == [
        page.headers["content-security-policy"]
    ]
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.org",
        "null",
        "https://app.example.com.evil.org",
        "https://evilapp.example.com",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://APP.example.com",
        "",
    ],
)
async def test_other_sites_may_not_read_us(client: httpx2.AsyncClient, origin: str) -> None:
    """A13."""
    for path in ("/live", "/crash"):
        response = await client.get(path, headers={"Origin": origin})
        assert "access-control-allow-origin" not in response.headers
    preflight = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
    response = await client.options("/live", headers=preflight)
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("path", ["/live", "/nothing", "/crash", "/slow"])
async def test_sites_of_ours_may_read_every_answer(client: httpx2.AsyncClient, path: str) -> None:
    """A12, A13: errors too, or a page could not read what went wrong."""
    response = await client.get(path, headers={"Origin": FRIEND})
    assert response.headers["access-control-allow-origin"] == FRIEND
    assert response.headers["access-control-allow-credentials"] == "true"
    assert "X-Request-ID" in response.headers["access-control-expose-headers"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
@pytest.mark.parametrize(
    "headers",
    [
        "authorization,content-type",
        "x-requested-with, x-client-version",
        "if-match,if-modified-since,if-none-match,if-unmodified-since,cache-control,range",
        "idempotency-key,x-request-id,x-a-header-of-our-own",
    ],
)
async def test_preflight(client: httpx2.AsyncClient, method: str, headers: str) -> None:
    """X14: sites of ours may send what browsers, libraries and they themselves add."""
    asked = {
        "Origin": FRIEND,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
    }
    response = await client.options("/nothing", headers=asked)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == FRIEND
    assert method in response.headers["access-control-allow-methods"]
    assert response.headers["access-control-allow-headers"] == headers


@pytest.mark.parametrize(
    "host",
    [
        "test",
        "TEST",
        "test:8000",
        "api.example.com",
        "a.b.example.com",
        "a_b.example.com",
        "my_app:80",
        "[::1]:80",
    ],
)
async def test_our_own_names(client: httpx2.AsyncClient, host: str) -> None:
    """X14: Compose and others have names with an underscore."""
    assert (await client.get("/", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.org",
        "example.com",
        "evilexample.com",
        "test.evil.org",
        "test@evil.org",
        "evil.org@test",
        "",
        "[::1",
        "test:x",
    ],
)
async def test_other_names_are_refused(client: httpx2.AsyncClient, host: str) -> None:
    """A14: the name would end up in redirects."""
    response = await client.get("/", headers={"Host": host})
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    for probe in ("/live", "/ready"):  # they know only the address
        assert (await client.get(probe, headers={"Host": "10.0.0.7:8000"})).status_code != 400


@pytest.mark.parametrize("path", ["/", "/live"])
async def test_two_hosts_are_refused(client: httpx2.AsyncClient, path: str) -> None:
    """X14: a proxy may have looked at the other one (RFC 9112, section 3.2)."""
    response = await client.get(path, headers=[("Host", "test"), ("Host", "test")])
    assert response.status_code == 400
    assert response.json()["detail"] == "This request has more than one Host header."


async def test_slow_requests_are_given_up(client: httpx2.AsyncClient) -> None:
    response = await client.get("/slow")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert response.json()["detail"] == "This took too long."


async def test_slow_bodies_are_given_up(client: httpx2.AsyncClient) -> None:
    async def trickle() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.02)

    headers = {"content-type": "application/json"}
    assert (await client.post("/read", content=trickle(), headers=headers)).status_code == 503


async def test_x13_answer_that_stops_midway_is_cut(client: httpx2.AsyncClient) -> None:
    """X13: the response has started, so it cannot become a 503."""
    with pytest.raises(TimeoutError):
        await client.get("/slow-answer")


async def test_x13_answer_that_goes_on_is_not_cut(client: httpx2.AsyncClient) -> None:
    """X13: a stream may take longer than `REQUEST_TIMEOUT`, as long as it sends something."""
    assert (await client.get("/stream")).content.endswith(b"xend")


async def test_timeouts_of_others_are_no_deadline_of_ours(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/own-timeout")).status_code == 500


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("gzip", "gzip"),
        ("br, gzip", "br"),
        ("zstd, br", "zstd"),
        ("gzip;q=0", None),
        ("identity", None),
        ("", None),
        ("nonsense, gzip;q=x", None),
    ],
)
async def test_long_answers_are_compressed_as_agreed(
    client: httpx2.AsyncClient, accepted: str, chosen: str | None
) -> None:
    headers = {"Accept-Encoding": accepted}
    answer = await client.get("/openapi.json", headers=headers)
    assert answer.headers.get("content-encoding") == chosen
    assert "Accept-Encoding" in answer.headers["vary"]
    short = await client.get("/live", headers=headers)
    assert "content-encoding" not in short.headers


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "text/json", "application/x-www-form-urlencoded", "a/b/c", "é"],
)
async def test_json_is_read_only_as_json(
    client: httpx2.AsyncClient, content_type: str | None
) -> None:
    """A8: a form of another site could send anything that is called text."""
    headers = {} if content_type is None else {b"content-type": content_type.encode()}
    response = await client.post("/read", content=b'{"a": "b"}', headers=headers)
    assert response.status_code in {415, 422}


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf-16", "nonsense", "é"])
async def test_charsets_change_nothing(client: httpx2.AsyncClient, charset: str) -> None:
    """A8: JSON is UTF-8 (RFC 8259)."""
    headers = {b"content-type": f"application/json; charset={charset}".encode()}
    response = await client.post("/read", content='{"a": "é"}'.encode(), headers=headers)
    assert response.status_code in {200, 415, 422}
    response = await client.post("/read", content=b'{"a": "\xff"}', headers=headers)
    assert response.status_code in {400, 415, 422}
