"""Metrics of Redis and the cache."""

from prometheus_client import Counter, Gauge

from app.core.cache import KEY_PREFIXES
from app.core.circuit_breaker import CircuitState, log_state
from app.redis.cache import Outcome

CACHE_CALLS = {
    "hits": Counter("fastapi_cache_hits", "Calls answered from the cache.", ["prefix"]),
    "misses": Counter("fastapi_cache_misses", "Calls it could not answer.", ["prefix"]),
    "bypassed": Counter("fastapi_cache_bypassed", "Calls while Redis was down.", ["prefix"]),
}
"""By outcome: see `CacheStatistics`."""

CIRCUIT_OPEN = Gauge(
    "fastapi_circuit_open",
    "Processes that do not call this target now, because it fails.",
    ["target"],
    multiprocess_mode="livesum",
)


def create_series() -> None:
    """Start all series at 0: Prometheus sees no increase in a new series."""
    CIRCUIT_OPEN.labels("redis").set(0)
    for key_prefix in KEY_PREFIXES:
        for counter in CACHE_CALLS.values():
            counter.labels(key_prefix)


def count_call(key_prefix: str, outcome: Outcome) -> None:
    """Count a call of a cached method."""
    CACHE_CALLS[outcome].labels(key_prefix).inc()


def note_state(target: str, state: CircuitState) -> None:
    """Log and export a circuit breaker's change of state."""
    log_state(target, state)
    CIRCUIT_OPEN.labels(target).set(state is not CircuitState.CLOSED)
