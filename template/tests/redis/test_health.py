"""F1: a service without its Redis is degraded, not down."""

import asyncio

import pytest
from click.testing import CliRunner
from fastapi import FastAPI
from pydantic import SecretStr

from app.cli import cli
from app.core.config import Settings
from app.main import create_app
from app.services import health
from tests.conftest import client_of, running
from tests.pace import Stopwatch
from tests.redis.conftest import Server
from tests.waiting import PATIENCE


@pytest.fixture
def app(settings: Settings, server: Server) -> FastAPI:
    return create_app(settings.model_copy(update={"redis_url": SecretStr(server.url)}))


@pytest.mark.parametrize("fault", ["kill", "hang"])
async def test_degraded_while_redis_is_away(
    app: FastAPI, server: Server, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT", 1)
    monkeypatch.setattr(health, "REMEMBERED", 0)
    async with running(app) as state, client_of(app, state) as client:
        before = (await client.get("/health")).json()
        assert (before["status"], before["redis"]) == ("healthy", "healthy")
        getattr(server, fault)()
        stopwatch = Stopwatch()
        away = await client.get("/health")
        assert stopwatch.within(1.8)
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


def test_check_names_the_setting(settings: Settings) -> None:
    """X15: `app check` says what is wrong, without the password."""
    environment = {
        "ENVIRONMENT": "development",
        "DATABASE_URL": settings.database_url.render_as_string(hide_password=False),
        "REDIS_URL": "redis://:hunter2@127.0.0.1:1/0",
    }
    result = CliRunner(env=environment).invoke(cli, ["check"])
    (line,) = [line for line in result.output.splitlines() if line.startswith("redis: ")]
    assert "127.0.0.1:1" in line
    assert line.endswith("Check REDIS_URL.")
    assert "hunter2" not in result.output
    assert "schema: ok" in result.output
    assert result.exit_code == 1


@pytest.mark.parametrize("fault", ["read-only", "full"])
async def test_redis_that_refuses_writes_is_unhealthy(
    app: FastAPI, server: Server, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X8: after a failover, the server may be a replica, which still responds to PING."""
    monkeypatch.setattr(health, "CHECK_TIMEOUT", PATIENCE)
    monkeypatch.setattr(health, "REMEMBERED", 0)
    async with running(app) as state, client_of(app, state) as client:
        assert (await client.get("/health")).json()["redis"] == "healthy"
        server.be_replica() if fault == "read-only" else server.fill()
        report = (await client.get("/health")).json()
        assert (report["status"], report["redis"]) == ("degraded", "unhealthy")
        server.be_primary() if fault == "read-only" else server.make_room()
        assert (await client.get("/health")).json()["status"] == "healthy"


async def test_health_asks_redis_once_for_all(
    app: FastAPI, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X6."""
    monkeypatch.setattr(health, "REMEMBERED", 3600)
    async with running(app) as state, client_of(app, state) as client:
        await client.get("/health")
        before = server.do("INFO", "commandstats")["cmdstat_set"]
        await asyncio.gather(*(client.get("/health") for _ in range(20)))
        assert server.do("INFO", "commandstats")["cmdstat_set"] == before
