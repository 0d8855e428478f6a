"""Several processes count together, even if one of them is killed."""

import os
import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from app.cli import cli
from app.core.config import Settings
from tests.server import Service, client_at, serving
from tests.waiting import PATIENCE


def scraped(service: Service, name: str, **labels: str) -> float:
    """The sum of all series with this name and these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(service.get("/metrics").text)
        for sample in family.samples
        if sample.name == name and sample.labels.items() >= labels.items()
    )


def wait_for_count(service: Service, count: int, name: str, **labels: str) -> None:
    """Wait until so many requests are counted: a process may count after the client has all."""
    deadline = time.monotonic() + PATIENCE
    while scraped(service, name, **labels) < count:
        assert time.monotonic() < deadline
    assert scraped(service, name, **labels) == count


def processes(directory: Path) -> set[int]:
    """The processes that have gauges."""
    return {
        int(file.stem.rpartition("_")[2]) for file in directory.glob("metrics-*/gauge_live*_*.db")
    }


def test_nothing_is_lost_when_a_process_is_killed(settings: Settings, tmp_path: Path) -> None:
    answered = {"method": "GET", "endpoint": "/", "status": "200"}
    with (
        serving(
            settings, WEB_CONCURRENCY="2", RATE_LIMIT_ENABLED="false", TMPDIR=str(tmp_path)
        ) as service,
        ExitStack() as cleanup,
    ):
        service.get("/live")
        deadline = time.monotonic() + PATIENCE
        while len(processes(tmp_path)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        before = processes(tmp_path)
        assert len(before) == 2

        clients = [cleanup.enter_context(client_at(service.address)) for _ in range(20)]
        for client in clients:
            assert client.get("/").status_code == 200
        wait_for_count(service, 20, "fastapi_requests_total", **answered)
        # The scrape is one more.
        assert scraped(service, "fastapi_active_connections") == 21
        for client in clients[:10]:
            client.close()
        while (open_ := scraped(service, "fastapi_active_connections")) > 11:
            assert time.monotonic() < deadline
        assert open_ == 11

        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        while victim in processes(tmp_path) and time.monotonic() < deadline:
            assert scraped(service, "fastapi_requests_total", **answered) == 20
        assert victim not in processes(tmp_path)
        assert scraped(service, "fastapi_active_connections") <= 11
        for _ in range(10):
            assert service.get().status_code == 200
        wait_for_count(service, 30, "fastapi_requests_total", **answered)
        duration = "fastapi_request_duration_seconds_count"
        wait_for_count(service, 30, duration, method="GET", endpoint="/")
        service.process.send_signal(signal.SIGTERM)
        service.process.communicate(timeout=PATIENCE)
        assert service.process.returncode == 0
        assert list(tmp_path.glob("metrics-*")) == []


def test_no_place_for_files_is_told_in_words(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "staging")
    monkeypatch.setenv("DATABASE_URL", settings.database_url.render_as_string(hide_password=False))
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    result = CliRunner().invoke(cli, ["serve", "--workers", "2"])
    assert result.exit_code == 1
    assert "set TMPDIR" in result.output
    assert "Traceback" not in result.output
