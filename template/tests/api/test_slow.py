"""Warnings about slow requests and statements."""

import asyncio
import json
from collections.abc import AsyncIterator
from io import StringIO
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from app.core.config import Settings
from app.dependencies.database import DBSession
from app.main import create_app
from tests.conftest import client_of, running


@pytest.fixture
def limits() -> dict[str, float]:
    """The limits of slow requests and statements, and the timeout of statements."""
    return {"slow_request_seconds": 0.05, "slow_query_seconds": 0.05, "db_statement_timeout": 60}


@pytest.fixture
async def client(
    settings: Settings, output: StringIO, limits: dict[str, float]
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a service with low limits, which logs into `output`."""
    assert not output.getvalue()
    app = create_app(settings.model_copy(update=limits))

    @app.get("/sleep")
    async def sleep(session: DBSession, seconds: float) -> None:
        await session.execute(text("SELECT pg_sleep(:seconds), 'x'"), {"seconds": seconds})

    @app.get("/wait")
    async def wait(seconds: float) -> None:
        await asyncio.sleep(seconds)

    async with running(app) as state, client_of(app, state) as client:
        await client.get("/sleep?seconds=0")  # connects
        output.seek(0)
        output.truncate()
        yield client


def lines(output: StringIO) -> dict[str, dict[str, Any]]:
    """By event."""
    return {line["event"]: line for line in map(json.loads, output.getvalue().splitlines())}


async def test_slow_request(client: httpx2.AsyncClient, output: StringIO) -> None:
    await client.get("/wait?seconds=0.06")
    line = lines(output)["request"]
    assert (line["level"], line["slow"], line["path"]) == ("warning", True, "/wait")
    assert line["duration_ms"] >= 50


@pytest.mark.parametrize("limits", [{"slow_request_seconds": 60}])
async def test_quick_request(client: httpx2.AsyncClient, output: StringIO) -> None:
    await client.get("/nowhere")
    line = lines(output)["request"]
    assert line["level"] == "info"
    assert "slow" not in line


async def test_slow_statement(client: httpx2.AsyncClient, output: StringIO) -> None:
    """Its line belongs to the request, and has no values."""
    answer = await client.get("/sleep?seconds=0.0612345678")
    line = lines(output)["slow_query"]
    assert (line["level"], answer.status_code) == ("warning", 200)
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["statement"].startswith("SELECT pg_sleep($1")
    assert line["duration_ms"] >= 50
    assert "0.0612345678" not in str(line)


@pytest.mark.parametrize(
    "limits", [{"slow_query_seconds": 0.05, "db_statement_timeout": 0.15}], ids=["short"]
)
async def test_slow_statement_that_fails(client: httpx2.AsyncClient, output: StringIO) -> None:
    """Most of all one that reaches its timeout."""
    assert (await client.get("/sleep?seconds=5")).status_code == 503
    assert lines(output)["slow_query"]["duration_ms"] >= 50
