"""Every request has an id, which clients cannot abuse."""

import re
from collections.abc import AsyncIterator

import httpx2
import pytest
from structlog.testing import capture_logs

from app.core.config import Settings
from app.main import create_app
from tests.conftest import client_of


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a service that was started last, so that its log is the one to be captured."""
    async with client_of(create_app(settings), {}) as client:
        yield client


@pytest.mark.parametrize("offered", ["abc", "a.B_c-1", "x" * 128])
async def test_well_formed_id_is_kept(client: httpx2.AsyncClient, offered: str) -> None:
    response = await client.get("/live", headers={"X-Request-ID": offered})
    assert response.headers["x-request-id"] == offered


@pytest.mark.parametrize(
    "offered",
    [b"", b"x" * 129, b"x" * 5000, b"a b", b'"}', b"a\tb", b"%0d%0a", "é".encode(), b"a;b=c"],
)
async def test_malformed_id_is_replaced(client: httpx2.AsyncClient, offered: bytes) -> None:
    """O1."""
    response = await client.get("/live", headers=[(b"X-Request-ID", offered)])
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])


async def test_each_request_is_one_log_line(client: httpx2.AsyncClient) -> None:
    with capture_logs() as lines:
        await client.get("/nothing?password=hunter2")
    assert len(lines) == 1
    line = lines[0]
    assert (line["event"], line["method"], line["path"]) == ("request", "GET", "/nothing")
    assert (line["status"], line["ip_address"]) == (404, "127.0.0.1")
    assert line["duration_ms"] >= 0
    assert "hunter2" not in str(line)


async def test_probes_are_not_logged(client: httpx2.AsyncClient) -> None:
    with capture_logs() as lines:
        await client.get("/live")
    assert lines == []
