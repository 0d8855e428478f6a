"""Metrics for Prometheus. docs/metrics.md shows how to add one.

Labels must have a small, fixed set of values: each combination is a series, in every process. Never
use an id, an address, or anything else that a client chooses.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from app.core.config import SettingsError

# They would add a second, useless series for each metric.
disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus-client's

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
"""The variable with the directory that prometheus-client counts in; unset, it uses memory."""

REQUESTS = Counter("fastapi_requests", "Requests answered.", ["method", "endpoint", "status"])

REQUEST_DURATION = Histogram(
    "fastapi_request_duration_seconds",
    "Seconds from a request's arrival to the end of its answer.",
    ["method", "endpoint"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)

REQUESTS_IN_PROGRESS = Gauge(
    "fastapi_requests_in_progress", "Requests under way.", multiprocess_mode="livesum"
)

ERRORS = Counter("fastapi_errors", "Answers that are errors.", ["type", "endpoint"])

ACTIVE_CONNECTIONS = Gauge(
    "fastapi_active_connections",
    "Open connections of clients, busy or idle.",
    multiprocess_mode="livesum",
)

DATABASE_CONNECTIONS = Gauge(
    "fastapi_database_connections",
    "Connections to PostgreSQL, in_use or idle.",
    ["state"],
    multiprocess_mode="livesum",
)

DATABASE_CONNECTIONS_MAX = Gauge(
    "fastapi_database_connections_max",
    "Connections to PostgreSQL that the pools may open.",
    multiprocess_mode="livesum",
)

RATE_LIMITED = Counter("fastapi_rate_limited", "Requests refused by a rate limit.", ["limit"])


@contextmanager
def shared_metrics(workers: int) -> Generator[None]:
    """Let several processes count together. They must not have started yet.

    They count in files, so that killed processes still count. A single process needs no files.

    Raises:
        SettingsError: there is no directory for files.
    """
    if workers == 1 or DIRECTORY in os.environ:
        yield
        return
    try:
        files = TemporaryDirectory(prefix="metrics-")
    except OSError:
        raise SettingsError(
            "Several processes count in files: set TMPDIR to a directory that is writable, "
            "or METRICS_ENABLED to false."
        ) from None
    with files as directory:
        os.environ[DIRECTORY] = directory
        yield


def scrape(accept: str) -> tuple[bytes, str]:
    """Return the metrics of all processes of this service, and their media type."""
    registry = REGISTRY
    if directory := os.environ.get(DIRECTORY):
        _forget_dead_processes(Path(directory))
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # prometheus-client's
    try:
        encode, media_type = choose_encoder(accept)
    except TypeError:  # an invalid version
        encode, media_type = choose_encoder("")
    return encode(registry), media_type


def _forget_dead_processes(directory: Path) -> None:
    """Remove the gauges of dead processes. Their counters stay."""
    for file in directory.glob("gauge_live*_*.db"):
        process_id = int(file.stem.rpartition("_")[2])
        try:
            os.kill(process_id, 0)  # signal 0 only checks that it exists
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another scrape was faster
                mark_process_dead(process_id)  # type: ignore[no-untyped-call]  # prometheus-client's
        except PermissionError:
            pass  # it exists
