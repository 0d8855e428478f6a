"""Spans of the commands that Redis gets."""

from opentelemetry.instrumentation.redis import RedisInstrumentor
from redis.asyncio import Redis

from app.core.telemetry import Telemetry


def trace_commands(client: Redis, telemetry: Telemetry) -> None:
    """Make a span for every command of a traced request, with its arguments hidden."""
    if telemetry.provider is not None:
        RedisInstrumentor.instrument_client(client, telemetry.provider)
