"""O8: all lines of a request have its ids."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import uvicorn

from app.core.config import Settings
from app.main import create_app
from app.middleware.unhandled_errors import AnsweredErrorMiddleware
from dev.process import free_port
from tests.tracing.conftest import routes
from tests.tracing.receiver import Receiver


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the service on a real server; at the end, all spans have been sent."""
    app = create_app(settings)
    app.include_router(routes)
    answering = AnsweredErrorMiddleware(app)  # as `app serve` has it
    config = uvicorn.Config(answering, port=free_port(), log_config=None, access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        async with httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{config.port}", headers={"Host": "test"}, timeout=60
        ) as client:
            yield client
    finally:
        server.should_exit = True
        await serving


Line = dict[str, Any]
Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("path", "events"),
    [
        ("/things/1", ["thing_shown", "request"]),
        ("/slow", ["slow_query", "request"]),
        ("/crash", ["unhandled_error", "request"]),
        ("/half", ["unhandled_error", "request", "Exception in ASGI application\n"]),
        ("/later", ["request", "done_later"]),
        ("/nowhere", ["request"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_every_line_of_a_request_names_it(
    traced: Settings, collector: Receiver, capsys: Capture, path: str, events: list[str]
) -> None:
    """Errors, lines of the server, and background work."""
    collector.clear()
    # On a busy machine, any query may count as slow. Only that of /slow always does.
    seconds = traced.slow_query_seconds if path == "/slow" else 60
    async with served(traced.model_copy(update={"slow_query_seconds": seconds})) as client:
        try:
            await client.get(path, headers={"X-Request-ID": "r1"})
        except httpx2.RemoteProtocolError:
            assert path == "/half"
    lines: list[Line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    mine = [line for line in lines if line.get("request_id") == "r1"]
    (request,) = (span for span in collector.spans if span.attributes.get("request_id") == "r1")
    assert [line["event"] for line in mine] == events
    assert {line["trace_id"] for line in mine} == {request.trace_id}
    assert {line["span_id"] for line in mine} == {request.span_id}


async def test_lines_of_two_requests_at_once_stay_apart(traced: Settings, capsys: Capture) -> None:
    async with served(traced) as client:
        await asyncio.gather(*(client.get(f"/things/{number}") for number in range(20)))
    lines: list[Line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    mine = [line for line in lines if "request_id" in line]
    assert len({(line["request_id"], line["trace_id"]) for line in mine}) == 20
    assert len({line["trace_id"] for line in mine}) == 20


async def test_line_without_a_request_has_no_ids(traced: Settings, capsys: Capture) -> None:
    async with served(traced) as client:
        await client.get("/things/1")
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["event"].startswith("Finished server process")
    assert last.keys().isdisjoint({"request_id", "trace_id", "span_id"})
