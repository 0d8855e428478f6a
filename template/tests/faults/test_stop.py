"""The end of a process, as a rolling update brings it about."""

import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from app.core.config import Settings
from tests.load import under_load
from tests.server import WITH_ROUTES, serving


def test_f8_drain(settings: Settings) -> None:
    """F8: after SIGTERM, /ready says no, requests are served, and those under way finish."""
    with (
        serving(settings, program=WITH_ROUTES, DRAIN_SECONDS="1") as service,
        ThreadPoolExecutor() as threads,
    ):
        assert service.get("/ready").status_code == 200
        assert "connection" not in service.get("/").headers
        slow = threads.submit(httpx2.get, f"{service.address}/slow?seconds=2")
        service.process.send_signal(signal.SIGTERM)
        service.wait_for("/ready", 503)
        late = service.get("/")
        assert late.status_code == 200
        assert late.headers["connection"] == "close"
        assert service.get("/live").status_code == 200
        assert slow.result().status_code == 200
        assert service.process.wait(timeout=10) == 0


@pytest.mark.parametrize("processes", ["1", "2"])
def test_f8_second_signal_forces(settings: Settings, processes: str) -> None:
    """F8: whoever is impatient need not wait."""
    with serving(settings, DRAIN_SECONDS="60", WEB_CONCURRENCY=processes) as service:
        assert service.get("/live").status_code == 200
        service.process.send_signal(signal.SIGTERM)
        service.wait_for("/ready", 503)
        with pytest.raises(subprocess.TimeoutExpired):
            service.process.wait(timeout=0.5)
        service.process.send_signal(signal.SIGTERM)
        service.process.wait(timeout=10)


def test_f8_idle_process_ends_soon(settings: Settings) -> None:
    """F8: without a drain, there is nothing to wait for."""
    with serving(settings, DRAIN_SECONDS="0") as service:
        assert service.get("/live").status_code == 200
        started = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=10) == 0
        assert time.monotonic() - started < 3


@pytest.mark.soak
def test_f8_rolling_update_loses_nothing(settings: Settings) -> None:
    """F8: clients behind a balancer that asks /ready see no failure while a process is replaced."""
    environment = {"DRAIN_SECONDS": "2", "RATE_LIMIT_ENABLED": "false"}
    with serving(settings, **environment) as old, serving(settings, **environment) as new:
        old.get("/live")
        targets = [old.address]
        with under_load(lambda client: client.get(targets[0])) as load:
            assert new.get("/ready").status_code == 200
            old.process.send_signal(signal.SIGTERM)
            old.wait_for("/ready", 503)
            load.enter("draining")
            targets[0] = new.address  # half a second is what a balancer takes to notice
            load.enter("replaced")
            assert old.process.wait(timeout=10) == 0
            load.enter("after")
    assert {answer for answers in load.answers.values() for answer in answers} == {"200"}
