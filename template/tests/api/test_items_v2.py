"""Items, version 2: the list by cursor."""

from base64 import urlsafe_b64encode

import httpx2
import pytest

from app.schemas.cursor import encode_cursor

pytestmark = pytest.mark.usefixtures("authorized")

ITEMS = "/api/v2/items/"


async def create(client: httpx2.AsyncClient, *titles: str) -> None:
    for title in titles:
        assert (await client.post("/api/v1/items/", json={"title": title})).status_code == 201


async def test_goes_through_all_items_once(client: httpx2.AsyncClient) -> None:
    await create(client, *"abcde")
    query = f"{ITEMS}?page_size=2"
    seen: list[list[str]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await client.get(f"{query}&cursor={cursor}" if cursor else query)).json()
        seen.append([item["title"] for item in page["items"]])
        cursor = page["next_cursor"]
    assert seen == [["e", "d"], ["c", "b"], ["a"]]


async def test_new_items_shift_nothing(client: httpx2.AsyncClient) -> None:
    """An item that numbered pages would miss."""
    await create(client, *"abc")
    first = (await client.get(f"{ITEMS}?page_size=1")).json()
    await create(client, "d")
    second = (await client.get(f"{ITEMS}?page_size=1&cursor={first['next_cursor']}")).json()
    assert [item["title"] for item in first["items"] + second["items"]] == ["c", "b"]


async def test_searches(client: httpx2.AsyncClient) -> None:
    await create(client, "Red teapot", "Blue kettle", "Blue teapot")
    page = (await client.get(f"{ITEMS}?q=teapot&page_size=1")).json()
    assert [item["title"] for item in page["items"]] == ["Blue teapot"]
    page = (await client.get(f"{ITEMS}?q=teapot&cursor={page['next_cursor']}")).json()
    assert [item["title"] for item in page["items"]] == ["Red teapot"]
    assert page["next_cursor"] is None


async def test_is_not_deprecated(client: httpx2.AsyncClient) -> None:
    assert "deprecation" not in (await client.get(ITEMS)).headers


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "%00",
        "====",
        encode_cursor(0),
        encode_cursor(-1),
        encode_cursor(2**63),
        urlsafe_b64encode(b"abc").decode(),
        urlsafe_b64encode(b"9" * 5000).decode(),
    ],
)
async def test_forged_cursor(client: httpx2.AsyncClient, cursor: str) -> None:
    """A6."""
    response = await client.get(ITEMS, params={"cursor": cursor})
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["query", "cursor"]
