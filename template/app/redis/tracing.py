"""Spans of Redis commands."""

from redis.asyncio import Redis

from app.core.telemetry import Telemetry


def trace_commands(client: Redis, telemetry: Telemetry) -> None:
    """Create a span for every command of a traced request, without its arguments."""
    if telemetry.provider is not None:
        from opentelemetry.instrumentation.redis import RedisInstrumentor

        RedisInstrumentor.instrument_client(client, telemetry.provider)
