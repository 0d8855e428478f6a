"""Redis commands in traces."""

import httpx2
import pytest
from fastapi import Request

from tests.tracing.conftest import Flush, Tracing, routes
from tests.tracing.receiver import CLIENT, Receiver


@routes.get("/redis")
async def use_redis(request: Request) -> None:
    await request.state.redis.set("traced", "hunter2", ex=1)


@pytest.mark.usefixtures("committed")
async def test_command_of_redis(client: httpx2.AsyncClient, flush: Flush) -> None:
    await client.get("/redis")
    spans = await flush()
    (command,) = spans.children(spans.named("GET /redis"))
    assert (command.name, command.kind) == ("SET", CLIENT)
    assert b"hunter2" not in b"".join(spans.bodies)


async def test_untraced_request_leaves_no_span(tracing: Tracing, collector: Receiver) -> None:
    """Its commands have no spans either."""
    async with tracing(0) as client:
        assert (await client.get("/redis")).status_code == 200
    assert collector.spans == []
