"""Calls to other services in traces."""

import asyncio
from ipaddress import ip_network

from fastapi import Request

from tests.faults.elsewhere import elsewhere, redirect
from tests.tracing.conftest import Capture, Tracing, requests, routes
from tests.tracing.receiver import CLIENT, Receiver

ALLOWED = {"outbound_allowed_networks": (ip_network("127.0.0.1"),)}


@routes.get("/call")
async def call(request: Request, port: int) -> None:
    await request.state.outbound.get(f"http://127.0.0.1:{port}/atlas?secret=hunter2")


async def test_call_to_another_service(tracing: Tracing, collector: Receiver) -> None:
    """The trace is propagated, without baggage; the span has no query."""
    async with tracing(1, **ALLOWED) as client, elsewhere() as other:
        address = f"http://ada:hunter2@127.0.0.1:{other.port}/atlas"
        other.answers["/atlas"], atlas = redirect(address), other.answers["/atlas"]
        headers = {"baggage": "user=ada"}
        asking = asyncio.create_task(client.get(f"/call?port={other.port}", headers=headers))
        while not other.requests:  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0.001)
        other.answers["/atlas"] = atlas
        assert (await asking).status_code == 200
        (head, _) = other.requests
    (call, redirected) = collector.children(collector.named("GET /call"))
    assert redirected.attributes["url.full"] == other.url("/atlas")
    assert (call.name, call.kind) == ("GET", CLIENT)
    assert call.attributes["url.full"] == other.url("/atlas")
    assert f"traceparent: 00-{call.trace_id}-{call.span_id}-0" in head
    assert "baggage" not in head
    assert b"hunter2" not in b"".join(collector.bodies)


async def test_what_is_not_traced_is_not_traced_elsewhere(
    tracing: Tracing, collector: Receiver, capsys: Capture
) -> None:
    """The trace is propagated, marked as not sampled."""
    async with tracing(0, **ALLOWED) as client, elsewhere() as other:
        await client.get(f"/call?port={other.port}")
        (head,) = other.requests
    (line,) = requests(capsys)
    assert f"traceparent: 00-{line['trace_id']}-{line['span_id']}-00" in head
    assert collector.spans == []
