"""Traces by OpenTelemetry."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from app.core.feature import Feature, State
from app.core.telemetry import Telemetry
from app.server.exchange import Hook
from app.settings.tracing import TelemetrySettings
from app.tracing.statements import trace_statements


@asynccontextmanager
async def part(_settings: TelemetrySettings, state: State) -> AsyncGenerator[State]:
    """Send spans while the service runs, including those of SQL statements."""
    telemetry: Telemetry = state["telemetry"]
    telemetry.start()
    trace_statements(state["engine"], telemetry)
    try:
        yield {}
    finally:
        await telemetry.stop()


def hooks(settings: TelemetrySettings) -> Sequence[Hook]:
    """Link logs and traces."""
    if not settings.otel_enabled:
        return []
    from app.tracing.trace_ids import TraceIds

    return [TraceIds()]


TRACING = Feature(part=part, hooks=hooks)
