"""O9: a collector that is down delays nothing."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median

import httpx2
import pytest

from app.core.config import Settings
from app.core.telemetry import STOP_TIMEOUT
from app.main import create_app
from tests.conftest import client_of, running
from tests.pace import within
from tests.tracing.conftest import routes


@pytest.fixture(params=["refuses", "hangs"])
def away(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a collector."""
    with ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=100))
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        if request.param == "refuses":
            silent.close()
        yield address


async def ask(client: httpx2.AsyncClient, times: int) -> list[float]:
    """Return how long each request took."""
    durations = []
    for number in range(times):
        began = time.perf_counter()
        assert (await client.get(f"/things/{number}")).status_code == 200
        durations.append(time.perf_counter() - began)
    return durations


async def test_no_request_waits_or_fails(
    traced: Settings,
    away: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Shutdown is not delayed either; spans that cannot be sent are bounded, then dropped."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "256")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "64")
    app = create_app(traced.model_copy(update={"otel_exporter_otlp_endpoint": away}))
    app.include_router(routes)
    async with running(app) as state, client_of(app, state) as client:
        durations = await ask(client, 200)  # more spans than it keeps, so that it tries to send
        ended = time.monotonic()
    assert within(time.monotonic() - ended, STOP_TIMEOUT + 1)
    assert median(durations[100:]) < 3 * median(durations[:25])
    assert within(max(durations), 1)
    assert capsys.readouterr().out.count(" batch") <= 1  # not one line per attempt
