"""One error body everywhere (RFC 9457)."""

import ast
from collections.abc import AsyncIterator
from typing import Annotated

import httpx2
import pytest
from fastapi import FastAPI, HTTPException, Query, Request
from pydantic import BaseModel, Field
from starlette.middleware import Middleware
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from app import main
from app.core.config import Settings
from app.core.feature import Feature
from app.features import FEATURES
from app.main import create_app
from app.schemas.base import InputSchema
from app.server.problems import MAX_ERRORS
from app.utils.exceptions import InvalidFieldError
from tests.conftest import client_of, running

LIMIT = 1000


class Search(InputSchema):
    q: str = ""


class Credentials(BaseModel):
    password: Annotated[str, Field(min_length=8)]


@pytest.fixture(scope="module")
async def client(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the service with routes that misbehave."""
    app = create_app(settings.model_copy(update={"max_body_size": LIMIT}))
    add_faulty_routes(app)
    async with client_of(app, {}) as client:
        yield client


def add_faulty_routes(app: FastAPI) -> None:
    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError("the password is hunter2")

    @app.get("/crash-midway")
    async def crash_midway() -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            yield b"half"
            raise RuntimeError("midway")

        return StreamingResponse(body())

    @app.get("/search")
    async def search(query: Annotated[Search, Query()]) -> None: ...

    @app.get("/raise")
    async def raise_error(status: int, detail: str) -> None:
        raise HTTPException(status, ast.literal_eval(detail) if "{" in detail else detail)

    @app.post("/unlock")
    async def unlock(credentials: Credentials) -> int:
        if credentials.password == "the old password":
            raise InvalidFieldError("password", "is the old one")
        return len(credentials.password)


def assert_problem(response: httpx2.Response, status: int, error_code: str) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["type"] == "about:blank"
    assert body["status"] == status
    assert body["error_code"] == error_code
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == response.headers["x-request-id"]


async def test_unknown_address(client: httpx2.AsyncClient) -> None:
    assert_problem(await client.get("/nothing-here"), 404, "not_found")


async def test_wrong_method_names_the_right_ones(client: httpx2.AsyncClient) -> None:
    response = await client.delete("/live")
    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "GET, HEAD"


async def test_announced_body_over_the_limit(client: httpx2.AsyncClient) -> None:
    response = await client.post("/unlock", content=b"x" * (LIMIT + 1))
    assert_problem(response, 413, "content_too_large")


async def test_announced_body_is_not_even_read(client: httpx2.AsyncClient) -> None:
    async def never() -> AsyncIterator[bytes]:
        pytest.fail("the body was read")
        yield b""

    headers = {"content-length": str(LIMIT + 1)}
    response = await client.post("/unlock", content=never(), headers=headers)
    assert_problem(response, 413, "content_too_large")


async def test_chunked_body_over_the_limit(client: httpx2.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LIMIT // 100 + 1):
            yield b"x" * 100

    headers = {"content-type": "application/json"}
    response = await client.post("/unlock", content=chunks(), headers=headers)
    assert_problem(response, 413, "content_too_large")


async def test_body_at_the_limit_is_read(client: httpx2.AsyncClient) -> None:
    frame = len('{"password": ""}')
    body = {"password": "x" * (LIMIT - frame)}
    content = f'{{"password": "{body["password"]}"}}'
    headers = {"content-type": "application/json"}
    response = await client.post("/unlock", content=content, headers=headers)
    assert (response.status_code, response.json()) == (200, LIMIT - frame)


async def test_invalid_input_is_named_but_never_echoed(client: httpx2.AsyncClient) -> None:
    """A11: the value may be a password."""
    response = await client.post("/unlock", json={"password": "hunter2"})
    assert_problem(response, 422, "unprocessable_content")
    assert response.json()["errors"] == [
        {
            "loc": ["body", "password"],
            "msg": "String should have at least 8 characters",
            "type": "string_too_short",
        }
    ]
    assert "hunter2" not in response.text


async def test_field_that_a_rule_refuses_is_named_like_one_of_the_schema(
    client: httpx2.AsyncClient,
) -> None:
    response = await client.post("/unlock", json={"password": "the old password"})
    assert_problem(response, 422, "unprocessable_content")
    (fault,) = response.json()["errors"]
    assert (fault["loc"], fault["msg"]) == (["body", "password"], "is the old one")
    refused = (await client.post("/unlock", json={"password": ""})).json()
    assert response.json().keys() == refused.keys()
    assert fault.keys() == refused["errors"][0].keys()
    assert response.json()["detail"] == refused["detail"]


async def test_answer_does_not_grow_with_what_was_sent(client: httpx2.AsyncClient) -> None:
    query = "&".join(f"{'x' * 100}{number}=1" for number in range(500))
    response = await client.get(f"/search?{query}")
    assert_problem(response, 422, "unprocessable_content")
    assert len(response.json()["errors"]) == MAX_ERRORS
    assert len(response.content) < 4096


@pytest.mark.parametrize(("status", "detail"), [(409, {"not": "text"}), (499, "own status")])
async def test_any_http_exception_becomes_a_problem(
    client: httpx2.AsyncClient, status: int, detail: object
) -> None:
    response = await client.get("/raise", params={"status": status, "detail": str(detail)})
    assert response.status_code == status
    assert response.json()["detail"] == str(detail)


@pytest.mark.parametrize("content", [b"", b"{", b'{"password": NaN', b"[" * 900, b"\xff\xfe"])
async def test_unreadable_json(client: httpx2.AsyncClient, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    response = await client.post("/unlock", content=content, headers=headers)
    assert response.status_code in {400, 422}
    assert response.headers["content-type"] == "application/problem+json"


async def test_unexpected_error_is_logged_once_and_hidden(client: httpx2.AsyncClient) -> None:
    """A12: the stack is in the log, not in the response."""
    with capture_logs() as lines:
        response = await client.get("/crash")
    assert_problem(response, 500, "internal_server_error")
    assert "hunter2" not in response.text
    errors = [line for line in lines if line["log_level"] == "error"]
    assert [line["event"] for line in errors] == ["unhandled_error"]
    assert errors[0]["exc_info"] is True


class Reporter:
    """An ASGI wrapper that learns of errors by exceptions, as those of error reporters do."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.errors: list[Exception] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            self.errors.append(error)
            raise


async def test_wrapper_around_the_app_learns_of_the_error(settings: Settings) -> None:
    """X9: and the client gets the usual response; an expected error is not reported."""
    app = create_app(settings)
    add_faulty_routes(app)
    reporter = Reporter(app)
    async with running(app) as state, client_of(reporter, state) as client:
        with capture_logs() as lines:
            response = await client.get("/crash")
        assert_problem(response, 500, "internal_server_error")
        assert [repr(error) for error in reporter.errors] == [
            "RuntimeError('the password is hunter2')"
        ]
        assert [line["event"] for line in lines if line["log_level"] == "error"] == [
            "unhandled_error"
        ]
        for path in ("/crash", "/nothing-here", "/raise?status=500&detail=x"):
            await client.get(path)
        assert len(reporter.errors) == 2


async def test_observer_learns_of_the_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X9: the hook for error reporters in `app/project.py`."""
    errors: list[Exception] = []

    class Observer(Reporter):
        def __init__(self, app: ASGIApp) -> None:
            super().__init__(app)
            self.errors = errors

    own = Feature(observers=lambda _settings: [Middleware(Observer)])
    monkeypatch.setattr(main, "FEATURES", [*FEATURES[:-1], own])
    app = create_app(settings)
    add_faulty_routes(app)
    async with running(app) as state, client_of(app, state) as client:
        response = await client.get("/crash")
    assert_problem(response, 500, "internal_server_error")
    assert [type(error) for error in errors] == [RuntimeError]


async def test_error_after_the_answer_began_cuts_the_connection(
    client: httpx2.AsyncClient,
) -> None:
    """Only a closed connection can still show that the response is incomplete."""
    with pytest.raises(RuntimeError, match="midway"):
        await client.get("/crash-midway")


async def test_client_that_goes_away_is_nobodys_mistake(settings: Settings) -> None:
    """Otherwise, clients that disconnect could page the operators."""
    app = create_app(settings)

    @app.post("/raw")
    async def raw(request: Request) -> None:
        await request.body()

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    answer: list[Message] = []

    async def note(message: Message) -> None:
        answer.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "path": "/raw",
        "query_string": b"",
        "headers": [(b"host", b"test")],
        "state": {},
    }
    with capture_logs() as lines:
        await app(scope, gone, note)
    assert answer[0]["status"] == 400
    assert [line["event"] for line in lines] == ["request"]
