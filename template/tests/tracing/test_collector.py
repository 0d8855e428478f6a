"""O9: a collector that is down delays nothing."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from app.core import telemetry
from app.core.config import Settings
from app.core.telemetry import STOP_TIMEOUT
from app.main import create_app
from tests.conftest import client_of, running
from tests.pace import Stopwatch
from tests.tracing.conftest import routes

LONG = 30
"""Seconds until the service gives up sending to a silent collector, in these tests."""


@pytest.fixture(params=["refuses", "hangs"])
def away(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a collector."""
    with ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=100))
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        if request.param == "refuses":
            silent.close()
        yield address


async def test_no_request_waits_or_fails(
    traced: Settings,
    away: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Shutdown is not delayed either; spans that cannot be sent are bounded, then dropped."""
    monkeypatch.setattr(telemetry, "EXPORT_TIMEOUT", LONG)
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "256")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "64")
    app = create_app(traced.model_copy(update={"otel_exporter_otlp_endpoint": away}))
    app.include_router(routes)
    async with running(app) as state, client_of(app, state) as client:
        for number in range(200):  # more spans than it keeps, so that it tries to send
            stopwatch = Stopwatch()
            assert (await client.get(f"/things/{number}")).status_code == 200
            assert stopwatch.within(1)
        stopwatch = Stopwatch()
    assert stopwatch.within(STOP_TIMEOUT + 1)
    assert capsys.readouterr().out.count(" batch") <= 1  # not one line per attempt
