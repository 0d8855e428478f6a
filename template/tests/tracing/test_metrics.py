"""Exemplars."""

import httpx2
import pytest

from tests.tracing.conftest import Flush, Tracing
from tests.tracing.receiver import Receiver


@pytest.mark.usefixtures("committed")
async def test_metrics_lead_to_traces(client: httpx2.AsyncClient, flush: Flush) -> None:
    """A bucket of the durations has a trace as an exemplar."""
    await client.get("/things/1")
    request = (await flush()).named("GET /things/{thing_id}")
    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
    metrics = (await client.get("/metrics", headers=accept)).text
    (line,) = (
        line
        for line in metrics.splitlines()
        if line.startswith("fastapi_request_duration_seconds_bucket{")
        and f'# {{trace_id="{request.trace_id}"}}' in line
    )
    assert 'endpoint="/things/{thing_id}"' in line


async def test_scrapes_are_never_traced(tracing: Tracing, collector: Receiver) -> None:
    async with tracing(1) as client:
        await client.get("/metrics", headers={"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"})
    assert collector.spans == []
