"""Items from other services."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network

import httpx2
import pytest
from fastapi import FastAPI

from app.core.config import Settings
from app.features import State
from app.outbound import client as outbound
from app.outbound.client import OutboundClient
from tests.answers import answer
from tests.conftest import SessionFactory, client_of
from tests.faults.elsewhere import Elsewhere, elsewhere
from tests.faults.name_server import NameServer, name_server

pytestmark = pytest.mark.usefixtures("authorized")

IMPORT = "/api/v1/items/import"


@pytest.fixture
async def other() -> AsyncIterator[Elsewhere]:
    async with elsewhere() as service:
        yield service


@pytest.fixture
async def names() -> AsyncIterator[NameServer]:
    async with name_server() as server:
        yield server


@pytest.fixture
async def client(
    app: FastAPI,
    state: State,
    session_factory: SessionFactory,
    settings: Settings,
    names: NameServer,
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the service that may call this machine, with short timeouts."""
    values = {
        "outbound_allowed_networks": (ip_network("127.0.0.1"),),
        "outbound_total_timeout": 1,
        "retry_max_attempts": 1,
        "circuit_breaker_failure_threshold": 2,
    }
    calls = OutboundClient(settings.model_copy(update=values), resolver=names.resolver)
    changes = {"session_factory": session_factory, "outbound": calls}
    async with client_of(app, {**state, **changes}) as client:
        yield client
    await calls.aclose()


async def test_document_becomes_an_item(client: httpx2.AsyncClient, other: Elsewhere) -> None:
    created = await client.post(IMPORT, json={"url": other.url("/atlas")})
    assert created.status_code == 201, created.text
    item = created.json()
    assert (item["title"], item["attributes"]) == ("Pocket atlas", {"pages": 64})
    assert (await client.get(f"/api/v1/items/{item['id']}")).json() == item


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"{}", "title"),
        (b'{"title": ""}', "title"),
        (b'{"title": "t", "id": 7}', "document"),
        (b'{"title": "a\\u0000b"}', "title"),
        (b"[]", "document"),
        (b"<html>", "document"),
        (b"\xff", "document"),
    ],
)
async def test_document_is_held_to_the_same_rules(
    client: httpx2.AsyncClient, other: Elsewhere, body: bytes, where: str
) -> None:
    """A1, A9: an import is validated by the schema."""
    other.answers["/other"] = answer(body)
    refused = await client.post(IMPORT, json={"url": other.url("/other")})
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith(f"This is no item: {where}: ")


async def test_values_of_a_document_are_counted_first(
    client: httpx2.AsyncClient, other: Elsewhere
) -> None:
    """X1: 10,000 unknown fields are 10,000 errors. This is not even JSON."""
    other.answers["/many"] = answer(b"{" + b'"a":1,' * 10_000)
    refused = await client.post(IMPORT, json={"url": other.url("/many")})
    assert (refused.status_code, refused.json()["detail"]) == (
        422,
        "It holds more than 10000 values.",
    )


@pytest.mark.parametrize(
    "body",
    [
        b'{"title": "t", "hunter2": 1}',
        b'{"title": {"hunter2": 1}}',
        b'{"title": "t", "attributes": {"hunter2": "\\u0000"}}',
        b'{"title": "t", "attributes": {"hunter2": NaN}}',
        b'{"hunter2"',
        b"hunter2",
    ],
)
async def test_x22_document_is_not_echoed(
    client: httpx2.AsyncClient, other: Elsewhere, body: bytes
) -> None:
    """X22: an error has no text of the other service, and none of its keys."""
    other.answers["/other"] = answer(body)
    refused = await client.post(IMPORT, json={"url": other.url("/other")})
    assert refused.status_code == 422
    assert "hunter2" not in refused.text


async def test_x22_private_names_answer_like_unknown_ones(
    client: httpx2.AsyncClient, names: NameServer
) -> None:
    """X22: otherwise, the service would tell which names exist inside."""
    names.records["private.example.com"] = ["10.0.0.1"]
    answers = []
    for host in ("10.0.0.1", "private.example.com", "unknown.example.com"):
        refused = await client.post(IMPORT, json={"url": f"http://{host}/"})
        answers.append((refused.status_code, refused.json() | {"request_id": None}))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 422


async def test_x4_imports_of_one_user_are_bounded(
    client: httpx2.AsyncClient, other: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X4: slow services of one user take no turns from others."""
    monkeypatch.setattr(outbound, "MAX_CALLS_EACH", 0)
    refused = await client.post(IMPORT, json={"url": other.url("/atlas")})
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    assert other.requests == []


@pytest.mark.parametrize("path", ["/missing", "/down", "/hang", "/large"])
async def test_failure_elsewhere_is_not_ours(
    client: httpx2.AsyncClient, other: Elsewhere, path: str
) -> None:
    other.answers["/large"] = answer(b"x" * 2_000_000)
    failed = await client.post(IMPORT, json={"url": other.url(path)})
    assert failed.status_code == 502
    assert failed.json()["error_code"] == "bad_gateway"
    assert failed.json()["detail"].startswith("The document cannot be had.")
    assert "secret" not in failed.text


async def test_service_that_fails_is_not_asked_again(
    client: httpx2.AsyncClient, other: Elsewhere
) -> None:
    request = {"url": other.url("/down")}
    statuses = [(await client.post(IMPORT, json=request)).status_code for _ in range(3)]
    assert statuses == [502, 502, 503]
    assert len(other.requests) == 2


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "http://user:password@example.com/",
        "//example.com/",
        "http://",
        "",
    ],
)
async def test_urls_that_lead_inside_are_refused(client: httpx2.AsyncClient, url: str) -> None:
    refused = await client.post(IMPORT, json={"url": url})
    assert refused.status_code == 422
    assert "password" not in refused.json()["detail"]


@pytest.mark.usefixtures("committed")
async def test_no_connection_is_kept_while_others_are_slow(
    client: httpx2.AsyncClient, state: State, other: Elsewhere
) -> None:
    """Otherwise a few slow services would block everything that needs the database."""
    imports = [
        asyncio.create_task(client.post(IMPORT, json={"url": other.url("/hang")})) for _ in range(5)
    ]
    while len(other.requests) < 5:  # noqa: ASYNC110  # it is what the other side sees
        await asyncio.sleep(0.01)
    assert state["engine"].pool.checkedout() == 0  # type: ignore[attr-defined]  # of this pool
    await asyncio.gather(*imports)
