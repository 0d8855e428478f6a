"""Endpoints for operators and probes."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import URL, event, text
from starlette.responses import PlainTextResponse
from structlog.testing import capture_logs

from app import PROJECT_NAME, __version__
from app.core.config import Settings
from app.db.migrations import Revisions, upgrade
from app.features import FEATURES, State
from app.main import create_app
from app.server.drain import Drain
from app.services import health as service
from app.services.health import RecentOutcomes
from tests.conftest import client_of, running
from tests.waiting import PATIENCE, until

NOWHERE = "postgresql://app@127.0.0.1:1/app"


@pytest.fixture
async def client_without_database() -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(Settings.model_validate({"environment": "staging", "database_url": NOWHERE}))
    async with running(app) as state, client_of(app, state) as client:
        yield client


async def test_root_says_what_runs_here(client: httpx2.AsyncClient) -> None:
    response = await client.get("/")
    assert response.status_code == 200
    assert response.json() == {
        "message": f"Welcome to {PROJECT_NAME}",
        "version": __version__,
        "docs": "/docs",
    }


async def test_draining_process_says_so(app: FastAPI, state: State) -> None:
    """F8: /ready returns 503, and each response closes its connection."""
    drain = Drain(0)
    drain.begun = True
    async with client_of(app, {**state, "drain": drain}) as client:
        not_ready, late = await client.get("/ready"), await client.get("/")
    assert not_ready.status_code == 503
    assert not_ready.json()["detail"] == "This process is about to stop."
    assert late.status_code == 200
    assert late.headers["connection"] == "close"


async def test_health_reports_each_part(client: httpx2.AsyncClient) -> None:
    response = await client.get("/health")
    assert response.status_code == 200
    body = response.json()
    assert body.pop("timestamp").endswith("Z")
    assert body == {
        "status": "healthy",
        "version": __version__,
        "environment": "development",
        "database": "healthy",
        **{name: "healthy" for feature in FEATURES for name in feature.checks},
    }


async def test_probes_ask_the_database_once_for_all(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X6: however often /ready and /health are called, nobody can load the database by them."""
    assert service.REMEMBERED <= 1
    monkeypatch.setattr(service, "REMEMBERED", 3600)
    queries: list[str] = []
    app = create_app(settings)

    def note(*args: Any) -> None:
        if "alembic_version" in args[2]:
            queries.append(args[2])

    async with running(app) as state, client_of(app, state) as client:
        event.listen(state["probe_engine"].sync_engine, "before_cursor_execute", note)
        paths = ["/ready", "/health"] * 20
        answers = await asyncio.gather(*(client.get(path) for path in paths))
        answers += [await client.get(path) for path in paths]
        assert {answer.status_code for answer in answers} == {200}
        assert len(queries) == 1
        monkeypatch.setattr(service, "REMEMBERED", 0)
        await client.get("/ready")
        await client.get("/health")
        assert len(queries) == 3


async def test_drain_is_never_remembered(
    app: FastAPI, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X6: a load balancer must notice at once."""
    monkeypatch.setattr(service, "REMEMBERED", 3600)
    drain = Drain(0)
    async with client_of(app, {**state, "drain": drain}) as client:
        assert (await client.get("/ready")).status_code == 200
        drain.begun = True
        assert (await client.get("/ready")).status_code == 503
        drain.begun = False
        assert (await client.get("/ready")).status_code == 200


async def test_one_check_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """X6: those who ask meanwhile get its outcome, also if the first of them goes away."""
    monkeypatch.setattr(service, "REMEMBERED", 0)
    monkeypatch.setattr(service, "CHECK_TIMEOUT", PATIENCE)
    outcomes, begun, end = RecentOutcomes(), [], asyncio.Event()

    async def check() -> None:
        begun.append(1)
        await end.wait()
        raise OSError

    first, *others = (asyncio.create_task(outcomes.get("it", check)) for _ in range(10))
    await until(lambda: bool(begun))
    first.cancel()
    await asyncio.wait({first})
    end.set()
    for other in others:
        with pytest.raises(OSError):  # noqa: PT011  # it has no text
            await other
    assert (first.cancelled(), len(begun)) == (True, 1)


async def test_ready_when_the_schema_is_new_enough(client: httpx2.AsyncClient) -> None:
    response = await client.get("/ready")
    assert (response.status_code, response.json()) == (200, {"status": "ready"})


@pytest.mark.usefixtures("settings")
async def test_without_a_database_the_process_lives_but_is_not_ready(
    client_without_database: httpx2.AsyncClient,
) -> None:
    """F2: the service starts without its database and reports it, without a crash loop."""
    client = client_without_database
    with capture_logs() as lines:
        ready = await client.get("/ready")
    assert [(line["event"], line["failure"]) for line in lines] == [
        ("not_ready", "ConnectionRefusedError")
    ]
    assert (await client.get("/live")).json() == {"status": "alive"}
    assert ready.status_code == 503
    assert ready.json()["detail"] == "The database does not answer."
    health = await client.get("/health")
    assert health.status_code == 503
    assert (health.json()["status"], health.json()["database"]) == ("unhealthy", "unhealthy")


@pytest.mark.parametrize(
    ("head", "known", "status"),
    [
        ("9999", {"9999", "current"}, 503),  # revisions of this build were not applied
        ("0000", {"0000"}, 200),  # a newer build has migrated: old replicas still serve
    ],
)
async def test_ready_compares_revisions(
    app: FastAPI, state: State, head: str, known: set[str], status: int
) -> None:
    async with state["engine"].connect() as connection:
        current = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    names = frozenset(current if name == "current" else name for name in known)
    response = await ready_with(app, state, Revisions(head, names))
    assert response.status_code == status
    if status == 503:
        assert "app migrate" in response.json()["detail"]


@pytest.mark.usefixtures("settings")
async def test_not_ready_before_the_first_migration(empty_database: URL) -> None:
    """F9: a replica that starts while migrations still run takes no requests yet."""
    values = {"environment": "staging", "database_url": empty_database}
    app = create_app(Settings.model_validate(values))
    async with running(app) as state, client_of(app, state) as client:
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/ready")).status_code == 503


async def test_not_ready_between_two_heads(settings: Settings, empty_database: URL) -> None:
    """X16: two branches were applied, and what joins them was not. A newer build may know it."""
    await asyncio.to_thread(upgrade, empty_database)
    app = create_app(settings.model_copy(update={"database_url": empty_database}))
    async with running(app) as state, client_of(app, state) as client:
        known = frozenset({"one", "other", "both"})
        async with state["engine"].begin() as connection:
            await connection.execute(text("DELETE FROM alembic_version"))
            await connection.execute(text("INSERT INTO alembic_version VALUES ('one'), ('other')"))
        response = await ready_with(app, state, Revisions("both", known))
        assert response.status_code == 503
        assert "app migrate" in response.json()["detail"]
        assert (await client.get("/ready")).status_code == 200


async def ready_with(app: FastAPI, state: State, revisions: Revisions) -> httpx2.Response:
    async with client_of(app, {**state, "revisions": revisions}) as client:
        return await client.get("/ready")


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_docs_load_nothing_from_foreign_hosts(client: httpx2.AsyncClient, path: str) -> None:
    """The pages work without access to other networks."""
    page = await client.get(path)
    assert page.status_code == 200
    # The bundles may not fetch anything either.
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "http" not in page.headers["content-security-policy"]
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert assets
    for asset in assets:
        assert asset.startswith("/")
        assert (await client.get(asset)).status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
async def test_docs_are_off_in_production(settings: Settings, path: str) -> None:
    """A15."""
    app = create_app(
        Settings.model_validate(
            {"environment": "production", "database_url": settings.database_url}
        )
    )
    async with running(app) as state, client_of(app, state) as client:
        assert (await client.get(path)).status_code == 404


async def test_openapi_describes_errors_as_they_are(settings: Settings) -> None:
    """Each operation documents the error body, with its media type."""
    app = create_app(settings)

    @app.get("/text", response_class=PlainTextResponse)
    async def text_only() -> str:
        return ""

    async with client_of(app, {}) as client:
        document = (await client.get("/openapi.json")).json()
    for path in document["paths"].values():
        for operation in path.values():
            content = operation["responses"]["default"]["content"]
            assert list(content) == ["application/problem+json"]
            assert "422" not in operation["responses"]
