"""Metrics of Redis and the cache."""

import asyncio

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from app.core.cache import KEY_PREFIXES, Cache, cached
from app.core.config import Settings
from app.features import State
from app.main import create_app
from tests.conftest import running
from tests.counting import increase, value
from tests.redis.conftest import Server


class Shelf:
    """A service with a cached method."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache

    @cached(key_prefix="metrics_test")
    async def book(self, number: int) -> int:
        return number


async def test_hits_and_misses(state: State) -> None:
    shelf = Shelf(state["cache"])
    labels = {"prefix": "metrics_test"}
    misses = increase("fastapi_cache_misses_total", **labels)
    hits = increase("fastapi_cache_hits_total", **labels)
    for number in (1, 2, 1, 1):
        await shelf.book(number)
    assert (misses(), hits()) == (2, 2)


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("outcome", ["hits", "misses", "bypassed"])
def test_series_begin_at_zero(outcome: str) -> None:
    """Prometheus sees an increase only in an existing series."""
    assert "metrics_test" in KEY_PREFIXES
    for prefix in KEY_PREFIXES:
        name = f"fastapi_cache_{outcome}_total"
        assert REGISTRY.get_sample_value(name, {"prefix": prefix}) is not None
    assert REGISTRY.get_sample_value("fastapi_circuit_open", {"target": "redis"}) is not None


async def test_redis_away(settings: Settings, server: Server) -> None:
    """While Redis is down, calls bypass the cache, and the circuit's gauge shows it."""
    app = create_app(
        settings.model_copy(
            update={
                "redis_url": SecretStr(server.url),
                "circuit_breaker_recovery_timeout": 0.05,
            }
        )
    )
    labels = {"prefix": "metrics_test"}
    bypassed = value("fastapi_cache_bypassed_total", **labels)
    async with running(app) as state:
        shelf = Shelf(state["cache"])
        await shelf.book(1)
        server.kill()
        for _ in range(settings.circuit_breaker_failure_threshold):
            await shelf.book(1)
        assert value("fastapi_cache_bypassed_total", **labels) > bypassed
        assert value("fastapi_circuit_open", target="redis") == 1
        server.start()
        for _ in range(100):
            await asyncio.sleep(0.05)
            await shelf.book(1)
            if not value("fastapi_circuit_open", target="redis"):
                break
        assert value("fastapi_circuit_open", target="redis") == 0
