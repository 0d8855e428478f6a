"""Sampling of requests."""

import os
import subprocess
import sys

import pytest
from opentelemetry.trace import SpanKind

from app.core.config import Settings
from app.core.telemetry import Telemetry
from tests.tracing.conftest import Capture, Tracing, requests
from tests.tracing.receiver import Receiver

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


SDK = """
import sys
from app.main import create_app
create_app()
print(*sys.modules)
"""


@pytest.mark.parametrize("enabled", [False, True])
def test_sdk_is_imported_only_where_it_is_used(settings: Settings, enabled: bool) -> None:
    url = settings.database_url.render_as_string(hide_password=False)
    chosen = {"DATABASE_URL": url, "ENVIRONMENT": "development", "OTEL_ENABLED": str(enabled)}
    printed = subprocess.run(
        [sys.executable, "-c", SDK],
        env={**os.environ, **chosen},
        capture_output=True,
        text=True,
        check=True,
    )
    modules = printed.stdout.splitlines()[-1].split()
    for name in ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp"):
        assert (name in modules) == enabled


async def test_untraced_request_leaves_no_span(
    tracing: Tracing, collector: Receiver, capsys: Capture
) -> None:
    """Its statements have no spans either, but its log lines have one trace id."""
    async with tracing(0) as client:
        for path in ("/things/1", "/slow", "/later"):
            assert (await client.get(path)).status_code == 200
    assert collector.spans == []
    ids = {line["trace_id"] for line in requests(capsys)}
    assert len(ids) == 3
    assert {len(one) for one in ids} == {32}


@pytest.mark.parametrize("share", [0, 1])
@pytest.mark.parametrize("flag", ["00", "01"])
async def test_caller_has_decided(
    tracing: Tracing, collector: Receiver, capsys: Capture, flag: str, share: float
) -> None:
    """Its decision holds, and its trace continues (W3C Trace Context)."""
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


@pytest.mark.parametrize("kind", [SpanKind.INTERNAL, SpanKind.CLIENT])
def test_work_without_a_request_has_the_same_share(traced: Settings, kind: SpanKind) -> None:
    for share in (0, 1):
        telemetry = Telemetry(traced.model_copy(update={"otel_traces_sampler_arg": share}))
        provider = telemetry.config["tracer_provider"]
        assert provider is not None
        with provider.get_tracer("test").start_as_current_span("work", kind=kind) as span:
            assert span.is_recording() == bool(share)


@pytest.mark.parametrize("path", ["/live", "/ready"])
async def test_probes_are_never_traced(tracing: Tracing, collector: Receiver, path: str) -> None:
    async with tracing(1) as client:
        await client.get(path, headers={"traceparent": f"00-{TRACE}-{SPAN}-01"})
    assert collector.spans == []


async def test_share_of_the_requests(tracing: Tracing, collector: Receiver) -> None:
    async with tracing(0.3) as client:
        for _ in range(400):
            await client.get("/later")
    assert 60 < len(collector.spans) < 180
