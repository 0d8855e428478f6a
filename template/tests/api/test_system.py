"""Endpoints for operators and probes."""

import re
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import URL, text
from starlette.responses import PlainTextResponse
from structlog.testing import capture_logs

from app import PROJECT_NAME, __version__
from app.core.config import Settings
from app.db.migrations import Revisions
from app.features import FEATURES, State
from app.main import create_app
from app.server.drain import Drain
from tests.conftest import client_of, running

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


async def test_ready_when_the_schema_is_new_enough(client: httpx2.AsyncClient) -> None:
    response = await client.get("/ready")
    assert (response.status_code, response.json()) == (200, {"status": "ready"})


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
    async with client_of(app, {**state, "revisions": Revisions(head, names)}) as client:
        response = await client.get("/ready")
    assert response.status_code == status
    if status == 503:
        assert "app migrate" in response.json()["detail"]


async def test_not_ready_before_the_first_migration(empty_database: URL) -> None:
    """F9: a replica that starts while migrations still run takes no requests yet."""
    values = {"environment": "staging", "database_url": empty_database}
    app = create_app(Settings.model_validate(values))
    async with running(app) as state, client_of(app, state) as client:
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/ready")).status_code == 503


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
