"""HEAD wherever GET works, and what a path says of its methods (X14)."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI
from starlette.responses import StreamingResponse
from structlog.testing import capture_logs

from app.core.config import Settings
from app.main import create_app
from tests.conftest import client_of, running


@pytest.fixture(scope="module")
def app(settings: Settings) -> FastAPI:
    """The service with routes for each case."""
    app = create_app(settings)

    @app.get("/things/{number}")
    async def read(number: int) -> dict[str, int]:
        return {"number": number}

    @app.put("/things/{number}")
    @app.delete("/things/{number}", include_in_schema=False)  # an operation id is unique
    async def write(number: int) -> int:
        return number

    @app.get("/long")
    async def long() -> str:
        return "x" * 10_000

    @app.get("/endless")
    async def endless() -> StreamingResponse:
        async def body() -> AsyncIterator[str]:
            while True:
                yield "x" * 2000

        return StreamingResponse(body(), media_type="text/plain")

    @app.get("/own-head")
    async def with_body() -> str:
        return "body"

    @app.head("/own-head", status_code=204)
    async def without_body() -> None:
        """HEAD has a route of its own."""

    @app.get("/broken")
    async def broken() -> None:
        raise LookupError

    return app


@pytest.fixture(scope="module")
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(app) as state, client_of(app, state) as client:
        yield client


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/live",
        "/ready",
        "/docs",
        "/redoc",
        "/openapi.json",
        "/docs/assets/favicon.png",
        "/things/7",
        "/things/x",
        "/long",
        "/broken",
        "/nothing",
    ],
)
async def test_head_has_the_headers_of_get(client: httpx2.AsyncClient, path: str) -> None:
    """X14: the same status and headers, and no body (RFC 9110, section 9.3.2)."""
    got, asked = await client.get(path), await client.head(path)
    assert asked.status_code == got.status_code
    assert asked.content == b""
    for response in (got, asked):
        del response.headers["x-request-id"]
        if response.status_code >= 400:  # the body has the request id
            del response.headers["content-length"]
    assert asked.headers == got.headers


async def test_head_of_a_stream_ends(client: httpx2.AsyncClient) -> None:
    """X14: nothing of its body is needed."""
    asked = await client.head("/endless")
    assert asked.status_code == 200
    assert asked.headers["content-encoding"]
    assert "content-length" not in asked.headers


async def test_own_route_for_head_comes_first(client: httpx2.AsyncClient) -> None:
    assert (await client.head("/own-head")).status_code == 204


async def test_head_is_logged_as_head(client: httpx2.AsyncClient) -> None:
    with capture_logs() as lines:
        await client.head("/things/7")
    (line,) = (line for line in lines if line["event"] == "request")
    assert (line["method"], line["status"]) == ("HEAD", 200)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/things/7", "DELETE, GET, HEAD, PUT"),
        ("DELETE", "/live", "GET, HEAD"),
        ("BREW", "/", "GET, HEAD"),
        ("POST", "/docs/assets/favicon.png", "GET, HEAD"),
        ("POST", "/openapi.json", "GET, HEAD"),
    ],
)
async def test_allow_lists_all_methods_of_the_path(
    client: httpx2.AsyncClient, method: str, path: str, allowed: str
) -> None:
    """X14: not only those of one route (RFC 9110, section 10.2.1)."""
    response = await client.request(method, path)
    assert response.status_code == 405
    assert response.headers["allow"] == allowed


async def test_openapi_does_not_list_head(client: httpx2.AsyncClient) -> None:
    """X14: each operation would be there twice."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert {method for path in paths.values() for method in path} >= {"get"}
    assert "head" not in paths["/live"]
