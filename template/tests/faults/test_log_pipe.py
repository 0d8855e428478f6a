"""A log without a reader."""

import signal

import pytest

from app.core.config import Settings
from tests.server import client_at, serving
from tests.waiting import PATIENCE


@pytest.mark.parametrize("processes", ["1", "2"])
def test_f18_log_pipe_blocked_then_closed(settings: Settings, processes: str) -> None:
    """F18: neither a hanging log collector nor a missing one blocks requests."""
    with serving(settings, RATE_LIMIT_ENABLED="false", WEB_CONCURRENCY=processes) as service:
        service.get("/live")
        written_by_now = 0
        with client_at(service.address) as client:
            while written_by_now < 200_000:  # several times the size of a pipe
                path = "/" + "x" * 1000
                assert client.get(path).status_code == 404
                written_by_now += len(path)
            assert service.process.stdout
            service.process.stdout.close()
            for _ in range(10):
                assert client.get("/").status_code == 200
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=PATIENCE) == 0
