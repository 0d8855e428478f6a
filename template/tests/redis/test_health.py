"""F1: a service without its Redis is degraded, not down."""

import time

import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from app.core.config import Settings
from app.main import create_app
from app.services import health
from tests.conftest import client_of, running
from tests.pace import within
from tests.redis.conftest import Server


@pytest.fixture
def app(settings: Settings, server: Server) -> FastAPI:
    return create_app(settings.model_copy(update={"redis_url": SecretStr(server.url)}))


@pytest.mark.parametrize("fault", ["kill", "hang"])
async def test_degraded_while_redis_is_away(
    app: FastAPI, server: Server, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT", 1)
    async with running(app) as state, client_of(app, state) as client:
        before = (await client.get("/health")).json()
        assert (before["status"], before["redis"]) == ("healthy", "healthy")
        getattr(server, fault)()
        started = time.monotonic()
        away = await client.get("/health")
        assert within(time.monotonic() - started, 1.8)
        assert away.status_code == 200
        report = away.json()
        assert (report["status"], report["database"], report["redis"]) == (
            "degraded",
            "healthy",
            "unhealthy",
        )
        assert (await client.get("/ready")).status_code == 200
        (server.start if fault == "kill" else server.go_on)()
        assert (await client.get("/health")).json()["status"] == "healthy"


async def test_without_a_database_redis_does_not_matter(settings: Settings, server: Server) -> None:
    values = {
        "redis_url": SecretStr(server.url),
        "database_url": settings.database_url.set(query={"host": "/nowhere"}),
    }
    app = create_app(settings.model_copy(update=values))
    async with running(app) as state, client_of(app, state) as client:
        away = await client.get("/health")
    assert away.status_code == 503
    assert (away.json()["status"], away.json()["redis"]) == ("unhealthy", "healthy")
