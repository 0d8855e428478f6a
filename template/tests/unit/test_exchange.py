"""The pass that calls the hooks of all requests."""

from collections.abc import Awaitable, Callable
from io import StringIO

import httpx2
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.middleware.exchange import ExchangeMiddleware
from app.server.exchange import Exchange, Header, Hook
from tests.conftest import client_of

START = {"type": "http.response.start", "status": 201, "headers": [(b"own", b"1")]}
PART = {"type": "http.response.body", "body": b"a", "more_body": True}
END = {"type": "http.response.body", "body": b"b"}


class Note(Hook):
    """Notes what it sees."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self._name = name
        self._seen = seen

    def begin(self, exchange: Exchange) -> None:
        self._seen.append(f"{self._name} begins at {exchange.path}")
        exchange.headers.append((b"added", self._name.encode()))

    def respond(self, exchange: Exchange, headers: list[Header]) -> None:
        names = b",".join(value for _, value in headers).decode()
        self._seen.append(f"{self._name} responds {exchange.status} {names}")
        headers.append((b"late", self._name.encode()))

    def end(self, exchange: Exchange) -> None:
        assert exchange.seconds > 0
        failed = " failed" if exchange.failed else ""
        self._seen.append(f"{self._name} ends {exchange.status}{failed}")

    def close(self, _exchange: Exchange) -> None:
        self._seen.append(f"{self._name} closes")


def sending(*messages: Message, then: Callable[[], Awaitable[None]] | None = None) -> ASGIApp:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(dict(message))
        if then is not None:
            await then()

    return app


async def ask(app: ASGIApp) -> httpx2.Response:
    async with client_of(app, {}) as client:
        return await client.get("/x")


async def test_hooks_act_in_order_and_end_before_background_tasks() -> None:
    seen: list[str] = []

    async def work() -> None:
        seen.append("work")

    app = sending(START, PART, END, then=work)
    observed = ExchangeMiddleware(app, [Note("a", seen), Hook(), Note("b", seen)])
    answer = await ask(observed)
    assert (answer.status_code, answer.text) == (201, "ab")
    assert answer.headers.get_list("added") == answer.headers.get_list("late") == ["a", "b"]
    assert seen == [
        "a begins at /x",
        "b begins at /x",
        "a responds 201 1,a,b",
        "b responds 201 1,a,b,a",
        "a ends 201",
        "b ends 201",
        "work",
        "a closes",
        "b closes",
    ]


@pytest.mark.parametrize(
    ("messages", "end"),
    [((), "a ends 0 failed"), ((START, PART), "a ends 201 failed"), ((START, END), "a ends 201")],
)
async def test_end_of_a_request_that_fails(messages: tuple[Message, ...], end: str) -> None:
    """It ends once: with the response if that is complete, else with the error."""
    seen: list[str] = []

    async def fail() -> None:
        raise LookupError

    app = ExchangeMiddleware(sending(*messages, then=fail), [Note("a", seen)])
    with pytest.raises(LookupError):
        await ask(app)
    assert [line for line in seen if "ends" in line] == [end]
    assert seen[-1] == "a closes"


async def test_web_socket_begins_and_closes() -> None:
    seen: list[str] = []
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    app = ExchangeMiddleware(sending({"type": "websocket.accept"}), [Note("a", seen)])
    await app({"type": "websocket", "path": "/x", "headers": []}, receive, send)
    assert seen == ["a begins at /x", "a closes"]
    assert sent == [{"type": "websocket.accept"}]


class Broken(Hook):
    """Fails each time."""

    def begin(self, _exchange: Exchange) -> None:
        raise LookupError

    def respond(self, _exchange: Exchange, _headers: list[Header]) -> None:
        raise LookupError

    def end(self, _exchange: Exchange) -> None:
        raise LookupError

    def close(self, _exchange: Exchange) -> None:
        raise LookupError


async def test_hook_that_fails_is_logged_and_changes_nothing(output: StringIO) -> None:
    seen: list[str] = []
    answer = await ask(ExchangeMiddleware(sending(START, END), [Broken(), Note("a", seen)]))
    assert (answer.status_code, answer.text) == (201, "b")
    assert [line.split()[1] for line in seen] == ["begins", "responds", "ends", "closes"]
    for phase in ("begin", "respond", "end", "close"):
        assert f"Broken.{phase}" in output.getvalue()
