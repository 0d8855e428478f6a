"""Which requests are traced."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
import pytest

from app.core.config import Settings
from app.main import create_app
from tests.conftest import client_of, running
from tests.tracing.conftest import routes
from tests.tracing.receiver import Receiver

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

Capture = pytest.CaptureFixture[str]
Tracing = Callable[[float], AbstractAsyncContextManager[httpx2.AsyncClient]]


@pytest.fixture
def tracing(traced: Settings, collector: Receiver) -> Tracing:
    """A service that traces a share of its requests, and has sent all when it is left."""
    collector.clear()

    @asynccontextmanager
    async def service(share: float) -> AsyncIterator[httpx2.AsyncClient]:
        app = create_app(traced.model_copy(update={"otel_traces_sampler_arg": share}))
        app.include_router(routes)
        async with running(app) as state, client_of(app, state) as client:
            yield client

    return service


def requests(capsys: Capture) -> list[dict[str, Any]]:
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    return [line for line in lines if line["event"] == "request"]


async def test_untraced_request_leaves_no_span(
    tracing: Tracing, collector: Receiver, capsys: Capture
) -> None:
    """Neither do its statements and calls; but its log lines belong together all the same."""
    async with tracing(0) as client:
        for path in ("/things/1", "/redis", "/slow"):
            await client.get(path)
    assert collector.spans == []
    ids = {line["trace_id"] for line in requests(capsys)}
    assert len(ids) == 3
    assert {len(one) for one in ids} == {32}


@pytest.mark.parametrize("share", [0, 1])
@pytest.mark.parametrize("flag", ["00", "01"])
async def test_caller_has_decided(
    tracing: Tracing, collector: Receiver, capsys: Capture, flag: str, share: float
) -> None:
    """Its decision holds, and its trace goes on (W3C Trace Context)."""
    async with tracing(share) as client:
        await client.get("/things/1", headers={"traceparent": f"00-{TRACE}-{SPAN}-{flag}"})
    assert {line["trace_id"] for line in requests(capsys)} == {TRACE}
    if flag == "00":
        assert collector.spans == []
    else:
        request = collector.named("GET /things/{thing_id}")
        assert (request.trace_id, request.parent_id) == (TRACE, SPAN)
        assert len(collector.children(request)) == 1


@pytest.mark.parametrize(
    "offered",
    [
        "",
        "x",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        "é",
    ],
)
async def test_nonsense_decides_nothing(
    tracing: Tracing, collector: Receiver, capsys: Capture, offered: str
) -> None:
    async with tracing(0) as client:
        headers = [(b"traceparent", offered.encode())]
        assert (await client.get("/things/1", headers=headers)).status_code == 200
    assert collector.spans == []
    assert requests(capsys)[-1]["trace_id"] != TRACE


@pytest.mark.parametrize("path", ["/live", "/ready", "/metrics"])
async def test_probes_are_never_traced(tracing: Tracing, collector: Receiver, path: str) -> None:
    async with tracing(1) as client:
        await client.get(path, headers={"traceparent": f"00-{TRACE}-{SPAN}-01"})
    assert not any(span.name.endswith(path) for span in collector.spans)


async def test_share_of_the_requests(tracing: Tracing, collector: Receiver) -> None:
    async with tracing(0.3) as client:
        for _ in range(400):
            await client.get("/later")
    assert 60 < len(collector.spans) < 180
