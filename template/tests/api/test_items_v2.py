"""Items, version 2: the list by cursor."""

import re
import tracemalloc
from base64 import urlsafe_b64encode

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.repositories.item import MAX_PAGE_BYTES
from app.schemas.cursor import encode_cursor
from app.schemas.pagination import MAX_ID
from tests.conftest import SessionFactory

pytestmark = pytest.mark.usefixtures("authorized")

ITEMS = "/api/v2/items/"


async def create(client: httpx2.AsyncClient, *titles: str) -> None:
    for title in titles:
        assert (await client.post("/api/v1/items/", json={"title": title})).status_code == 201


async def pages(client: httpx2.AsyncClient, query: str) -> list[list[str]]:
    """Return the titles on all pages."""
    seen: list[list[str]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await client.get(f"{query}&cursor={cursor}" if cursor else query)).json()
        seen.append([item["title"] for item in page["items"]])
        cursor = page["next_cursor"]
    return seen


async def test_goes_through_all_items_once(client: httpx2.AsyncClient) -> None:
    await create(client, *"abcde")
    assert await pages(client, f"{ITEMS}?page_size=2") == [["e", "d"], ["c", "b"], ["a"]]


HEAVY = MAX_PAGE_BYTES // 2 + 1
"""Bytes of an item: two end a page. New items are smaller, but older ones may not be."""


async def make_heavy(session_factory: SessionFactory, title: str) -> None:
    heavy = text(
        "UPDATE items SET attributes = jsonb_build_object('x', repeat('x', :size))"
        " WHERE title LIKE :title"
    )
    async with session_factory.begin() as session:
        await session.execute(heavy, {"size": HEAVY, "title": title})


async def test_x2_pages_end_before_they_weigh_too_much(
    client: httpx2.AsyncClient, session_factory: SessionFactory
) -> None:
    """X2: no item is missing or comes twice."""
    await create(client, "light1", *(f"heavy{n}" for n in range(5)), "light2", "light3")
    await make_heavy(session_factory, "heavy%")
    assert await pages(client, f"{ITEMS}?page_size=100") == [
        ["light3", "light2", "heavy4", "heavy3"],
        ["heavy2", "heavy1"],
        ["heavy0", "light1"],
    ]


async def test_x2_an_item_heavier_than_a_page_is_a_page(
    client: httpx2.AsyncClient, session_factory: SessionFactory
) -> None:
    """X2: otherwise a client could not go past it."""
    await create(client, *"abc")
    await make_heavy(session_factory, "%")
    async with session_factory.begin() as session:
        await session.execute(text("UPDATE items SET description = repeat('y', :n)"), {"n": HEAVY})
    assert await pages(client, f"{ITEMS}?page_size=2") == [["c"], ["b"], ["a"]]


async def test_x2_memory_does_not_grow_with_the_rows(
    client: httpx2.AsyncClient, session_factory: SessionFactory
) -> None:
    """X2: a page takes less memory than its rows would, of which there are copies on the way."""
    await create(client, *(f"item{n}" for n in range(60)))
    await make_heavy(session_factory, "%")
    tracemalloc.start()
    try:
        response = await client.get(f"{ITEMS}?page_size=100")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert response.status_code == 200
    assert len(response.content) < MAX_PAGE_BYTES + HEAVY
    assert peak < 60 * HEAVY


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


def test_cursors_have_the_documented_form(app: FastAPI) -> None:
    """X24."""
    parameters = app.openapi()["paths"][ITEMS]["get"]["parameters"]
    (cursor,) = (each["schema"] for each in parameters if each["name"] == "cursor")
    pattern = re.compile(cursor["anyOf"][0]["pattern"])
    for number in (1, 10, 999, 12_345_678, MAX_ID):
        assert pattern.search(encode_cursor(number))
    for wrong in ("", "x", "MQ==", "MQ!", "a b"):
        assert not pattern.search(wrong)


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
        urlsafe_b64encode(b" 7").decode().rstrip("="),
        urlsafe_b64encode(b"0_7").decode().rstrip("="),
        f"{encode_cursor(7)}=",
        f"{encode_cursor(7)}!",
        urlsafe_b64encode(b"9" * 5000).decode(),
    ],
)
async def test_forged_cursor(client: httpx2.AsyncClient, cursor: str) -> None:
    """A6."""
    response = await client.get(ITEMS, params={"cursor": cursor})
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["query", "cursor"]
