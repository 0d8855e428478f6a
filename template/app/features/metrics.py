"""Metrics for Prometheus."""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any

from fastapi import FastAPI

from app.core.config import Settings
from app.core.feature import Feature, State
from app.metrics import endpoint
from app.metrics.instruments import shared_metrics
from app.metrics.pool import count_connections
from app.metrics.requests import RequestMetrics, create_series
from app.server.exchange import Hook
from app.settings.database import DatabaseSettings
from app.settings.metrics import MetricsSettings


@asynccontextmanager
async def part(settings: DatabaseSettings, state: State) -> AsyncGenerator[State]:
    """Count the connections to the database."""
    count_connections(state["engine"], settings)
    yield {}


def hooks(settings: MetricsSettings) -> Sequence[Hook]:
    """Count requests."""
    return [RequestMetrics()] if settings.metrics_enabled else []


def install(app: FastAPI, settings: Settings) -> None:
    """Serve the metrics."""
    if settings.metrics_enabled:
        app.include_router(endpoint.router)
        create_series(app)


@contextmanager
def server(settings: MetricsSettings, workers: int) -> Iterator[Mapping[str, Any]]:
    """Let several processes count together, and count connections."""
    with shared_metrics(workers) if settings.metrics_enabled else nullcontext():
        yield {"http": "app.metrics.protocol:CountingProtocol"}


METRICS = Feature(part=part, hooks=hooks, install=install, server=server)
