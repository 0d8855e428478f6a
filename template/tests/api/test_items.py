"""Items, version 1."""

import asyncio
import re
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import delete, update

from app.features import State
from app.models.item import Item
from app.repositories.item import MAX_PAGE_BYTES
from app.schemas.item import MAX_ATTRIBUTES
from tests.conftest import SessionFactory, with_state

pytestmark = pytest.mark.usefixtures("authorized")

ITEMS = "/api/v1/items/"
ATLAS = {"title": "Pocket atlas", "description": "Maps of all places.", "attributes": {"pages": 64}}


async def create(client: httpx2.AsyncClient, **contents: object) -> dict[str, Any]:
    response = await client.post(ITEMS, json={**ATLAS, **contents})
    assert response.status_code == 201
    body: dict[str, Any] = response.json()
    return body


async def listed(client: httpx2.AsyncClient, query: str = "") -> dict[str, Any]:
    response = await client.get(f"{ITEMS}?{query}")
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


def titles(page: dict[str, Any]) -> list[str]:
    return [item["title"] for item in page["items"]]


class TestCreate:
    async def test_answers_with_the_stored_item(self, client: httpx2.AsyncClient) -> None:
        item = await create(client)
        references = {column.name for column in Item.__table__.columns if column.foreign_keys}
        assert item.keys() == {"id", *ATLAS, *references, "created_at", "updated_at"}
        assert {name: item[name] for name in ATLAS} == ATLAS
        assert (await client.get(f"{ITEMS}{item['id']}")).json() == item

    def test_blank_titles_do_not_fit_the_schema(self, app: FastAPI) -> None:
        """X24: what the schema accepts, the service accepts."""
        schema = app.openapi()["components"]["schemas"]["ItemWrite"]["properties"]["title"]
        assert re.search(schema["pattern"], " a ")
        assert not re.search(schema["pattern"], "  ")

    async def test_only_the_title_is_needed(self, client: httpx2.AsyncClient) -> None:
        response = await client.post(ITEMS, json={"title": "  Bare  "})
        item = response.json()
        assert (item["title"], item["description"], item["attributes"]) == ("Bare", "", {})

    @pytest.mark.parametrize(
        "wrong",
        [
            {"title": ""},
            {"title": "   "},
            {"title": "x" * 201},
            {"title": "NUL \0"},
            {"title": None},
            {"description": "x" * 10_001},
            {"description": "NUL \0"},
            {"attributes": {"a\0": 1}},
            {"attributes": [1]},
            {"id": 7},  # A1: what the server decides cannot be sent
            {"created_at": "2026-01-01T00:00:00Z"},
            {"owner": "me"},
        ],
    )
    async def test_refuses_what_is_wrong(
        self, client: httpx2.AsyncClient, wrong: dict[str, object]
    ) -> None:
        response = await client.post(ITEMS, json={**ATLAS, **wrong})
        assert response.status_code == 422
        assert response.json()["errors"][0]["loc"][:2] == ["body", next(iter(wrong))]

    @pytest.mark.parametrize(
        "attributes", ['{"a": NaN}', '{"a": "\\ud800"}', '{"a":' * 900 + "1" + "}" * 900, '{"a": 1']
    )
    async def test_refuses_json_that_cannot_be_stored(
        self, client: httpx2.AsyncClient, attributes: str
    ) -> None:
        """A6: never a 500."""
        content = f'{{"title": "x", "attributes": {attributes}}}'
        headers = {"content-type": "application/json"}
        response = await client.post(ITEMS, content=content, headers=headers)
        assert response.status_code in {400, 422}

    async def test_x2_attributes_have_a_limit_of_bytes(self, client: httpx2.AsyncClient) -> None:
        """X2: also of letters that take two."""
        frame = len('{"é": [1, ""]}'.encode())
        for extra, status in ((0, 201), (1, 422)):
            text = "x" * (MAX_ATTRIBUTES - frame - 4 + extra) + "éé"
            response = await client.post(
                ITEMS, json={"title": "Atlas", "attributes": {"é": [1, text]}}
            )
            assert response.status_code == status
        assert response.json()["errors"] == [
            {
                "loc": ["body", "attributes"],
                "msg": f"must not be larger than {MAX_ATTRIBUTES} bytes",
                "type": "value_error",
            }
        ]

    async def test_keeps_any_json(self, client: httpx2.AsyncClient) -> None:
        attributes = {"": [1, 1.5, -(2**80), True, None, {"naïve": "🙂"}], "deep": {"a": {"b": []}}}
        assert (await create(client, attributes=attributes))["attributes"] == attributes


class TestRead:
    @pytest.mark.parametrize("item_id", [1, 2**63 - 1])
    async def test_unknown(self, client: httpx2.AsyncClient, item_id: int) -> None:
        response = await client.get(f"{ITEMS}{item_id}")
        assert response.status_code == 404
        assert response.json()["detail"] == f"There is no item {item_id}."

    @pytest.mark.parametrize("item_id", ["0", str(2**63)])
    async def test_impossible_id(self, client: httpx2.AsyncClient, item_id: str) -> None:
        """A6."""
        assert (await client.get(f"{ITEMS}{item_id}")).status_code == 422

    @pytest.mark.parametrize("item_id", ["-1", "abc", "1.5", "9" * 20, "9" * 5000, "%D9%A1"])
    async def test_what_is_no_id(self, client: httpx2.AsyncClient, item_id: str) -> None:
        """A6."""
        assert (await client.get(f"{ITEMS}{item_id}")).status_code == 404

    async def test_path_beside_the_ids_has_its_own_methods(
        self, client: httpx2.AsyncClient
    ) -> None:
        """X24: `/items/import` is not an item."""
        response = await client.put(f"{ITEMS}import", json=ATLAS)
        assert (response.status_code, response.headers["allow"]) == (405, "POST")


class TestReplace:
    async def test_changes_everything_but_the_past(self, client: httpx2.AsyncClient) -> None:
        before = await create(client)
        response = await client.put(f"{ITEMS}{before['id']}", json={"title": "Globe"})
        assert response.status_code == 200
        after = response.json()
        assert (after["title"], after["description"], after["attributes"]) == ("Globe", "", {})
        assert (after["id"], after["created_at"]) == (before["id"], before["created_at"])

    @pytest.mark.usefixtures("committed")
    async def test_notes_the_time(self, client: httpx2.AsyncClient) -> None:
        before = await create(client)
        after = (await client.put(f"{ITEMS}{before['id']}", json=ATLAS | {"title": "Globe"})).json()
        assert after["updated_at"] > before["updated_at"]

    async def test_unknown(self, client: httpx2.AsyncClient) -> None:
        assert (await client.put(f"{ITEMS}1", json=ATLAS)).status_code == 404

    @pytest.mark.usefixtures("committed")
    async def test_deleted_meanwhile(self, client: httpx2.AsyncClient, state: State) -> None:
        item_id = (await create(client))["id"]
        async with state["engine"].begin() as connection:
            await connection.execute(delete(Item).where(Item.id == item_id))
            replacing = asyncio.create_task(client.put(f"{ITEMS}{item_id}", json=ATLAS))
            await asyncio.sleep(0.1)
            assert not replacing.done()
        assert (await replacing).status_code == 404


class TestDelete:
    async def test_is_gone(self, client: httpx2.AsyncClient) -> None:
        address = f"{ITEMS}{(await create(client))['id']}"
        response = await client.delete(address)
        assert (response.status_code, response.content) == (204, b"")
        assert (await client.get(address)).status_code == 404
        assert (await client.delete(address)).status_code == 404


class TestList:
    async def test_empty(self, client: httpx2.AsyncClient) -> None:
        page = await listed(client)
        assert page == {
            "items": [],
            "total": 0,
            "total_is_exact": True,
            "page": 1,
            "page_size": 20,
            "pages": 0,
        }

    async def test_pages(self, client: httpx2.AsyncClient) -> None:
        for number in range(5):
            await create(client, title=str(number))
        pages = [await listed(client, f"sort=id&page_size=2&page={page}") for page in (1, 2, 3, 4)]
        assert [titles(page) for page in pages] == [["0", "1"], ["2", "3"], ["4"], []]
        assert {(page["total"], page["pages"]) for page in pages} == {(5, 3)}

    @pytest.mark.parametrize("query", ["page=501", "page=101&page_size=100", f"page={10**18}"])
    async def test_pages_end_where_counting_ends(
        self, client: httpx2.AsyncClient, query: str
    ) -> None:
        """The error names the list that goes on."""
        refused = await client.get(f"{ITEMS}?{query}")
        assert refused.status_code == 422
        (error,) = refused.json()["errors"]
        assert error["loc"] == ["query"]
        assert "pages end at row 10,000" in error["msg"]
        assert "/api/v2/items/" in error["msg"]
        for last in ("page=500", "page=100&page_size=100"):
            assert (await listed(client, last))["items"] == []

    @pytest.mark.parametrize(
        ("sort", "order"),
        [("title", "abc"), ("-title", "cba"), ("id", "bca"), ("-id", "acb"), ("created_at", "bca")],
    )
    @pytest.mark.usefixtures("committed")
    async def test_sorts(self, client: httpx2.AsyncClient, sort: str, order: str) -> None:
        for title in "bca":
            await create(client, title=title)
        assert titles(await listed(client, f"sort={sort}")) == list(order)

    async def test_x2_a_page_that_weighs_too_much_is_refused(
        self, client: httpx2.AsyncClient, session_factory: SessionFactory
    ) -> None:
        """X2: with items missing, the pages would skip them."""
        for _ in range(3):
            await create(client)
        async with session_factory.begin() as session:
            heavy = {"description": "x" * (MAX_PAGE_BYTES // 2 + 1)}
            await session.execute(update(Item).values(heavy))
        refused = await client.get(f"{ITEMS}?page_size=3&fields=id")
        assert refused.status_code == 422
        assert "smaller page_size" in refused.json()["detail"]
        assert len((await listed(client, "page_size=2"))["items"]) == 2
        assert len((await listed(client, "page_size=2&page=2"))["items"]) == 1

    async def test_x2_pages_of_the_default_size_are_never_refused(
        self, client: httpx2.AsyncClient
    ) -> None:
        """X2: items of the largest size fit."""
        largest = {
            "title": "\N{SLIGHTLY SMILING FACE}" * 200,
            "description": "\N{SLIGHTLY SMILING FACE}" * 10_000,
            "attributes": {"a": "x" * (MAX_ATTRIBUTES - 9)},
        }
        for _ in range(21):
            await create(client, **largest)
        assert len((await listed(client))["items"]) == 20

    async def test_newest_first_unless_asked(self, client: httpx2.AsyncClient) -> None:
        for title in "bca":
            await create(client, title=title)
        assert titles(await listed(client)) == list("acb")

    @pytest.mark.parametrize(
        ("q", "found"),
        [
            ("map", ["Atlas", "Globe"]),  # finds "maps" as well
            ("map -round", ["Atlas"]),
            ("-round", ["Atlas"]),
            ("teapot or -flat", ["Globe"]),
            ('"of the world"', ["Globe"]),
            ('"map of the world" -flat', ["Globe"]),
            ('"world map"', []),
            ('map -"round map"', ["Atlas"]),
            ('"flat maps" or "round map"', ["Globe"]),
            ("atlas or globe", ["Atlas", "Globe"]),
            ("teapot", []),
            ("%25", []),  # A10: no wildcard, just a character
            ("_", []),
            ("'; DROP TABLE items --", []),
            ("((%26!|:*<->", []),
            ("-" * 200, []),  # deep nesting for a naive query
            ("(-" * 100, []),
            ("map " + "-" * 150, ["Atlas", "Globe"]),
            ("-x " * 60, ["Atlas", "Globe"]),
            ('"' * 199, []),
        ],
    )
    async def test_searches(self, client: httpx2.AsyncClient, q: str, found: list[str]) -> None:
        await create(client, title="Atlas", description="Maps, flat.")
        await create(client, title="Globe", description="A round map of the world.")
        page = await listed(client, f"sort=title&q={q}")
        assert (titles(page), page["total"]) == (found, len(found))

    def test_fields_are_described_as_they_are(self, app: FastAPI) -> None:
        """X24: a response to `?fields=id` is one of the schema, and the others need all fields."""
        document = app.openapi()
        listed, item = (
            document["components"]["schemas"][name] for name in ("ListedItem", "ItemRead")
        )
        assert "required" not in listed
        assert listed["properties"] == item["properties"]
        assert set(item["required"]) == set(item["properties"])
        (fields,) = (
            parameter["schema"]
            for parameter in document["paths"][ITEMS]["get"]["parameters"]
            if parameter["name"] == "fields"
        )
        pattern = re.compile(fields["anyOf"][0]["pattern"])
        for name in item["properties"]:
            assert pattern.search(f"id,{name}")
        for wrong in ("", "id,", "id title", "hashed_password"):
            assert not pattern.search(wrong)

    @pytest.mark.parametrize("query", ["fields=id,title", "fields=id&fields=title"])
    async def test_leaves_out_what_was_not_asked_for(
        self, client: httpx2.AsyncClient, query: str
    ) -> None:
        item = await create(client)
        page = await listed(client, query)
        assert page["items"] == [{"id": item["id"], "title": item["title"]}]
        assert page["total"] == 1

    @pytest.mark.parametrize(
        "query",
        [
            "sort=attributes",
            "sort=-",
            "sort=title;drop",
            "sort=hashed_password",
            "fields=hashed_password",
            "fields=id,nothing",
            "fields=",
            "page=0",
            "page=-1",
            "page=1000000000000000000",
            "page=x",
            "page_size=0",
            "page_size=101",
            "page_size=1000000000",
            "q=%00",
            f"q={'x' * 201}",
            "unknown=1",
        ],
    )
    async def test_refuses_what_it_does_not_know(
        self, client: httpx2.AsyncClient, query: str
    ) -> None:
        """A5, A6."""
        assert (await client.get(f"{ITEMS}?{query}")).status_code == 422

    async def test_announces_its_end(self, client: httpx2.AsyncClient) -> None:
        headers = (await client.get(ITEMS)).headers
        assert headers["deprecation"] == "@1793491200"
        assert headers["sunset"] == "Mon, 01 Nov 2027 00:00:00 GMT"
        assert headers["link"] == '</api/v2/items/>; rel="successor-version"'
        document = (await client.get("/openapi.json")).json()
        assert document["paths"][ITEMS]["get"]["deprecated"] is True

    async def test_link_has_the_prefix_of_a_proxy(
        self,
        app: FastAPI,
        state: State,
        session_factory: SessionFactory,
        client: httpx2.AsyncClient,
    ) -> None:
        """X17."""
        behind_proxy = with_state(app, {**state, "session_factory": session_factory})
        transport = httpx2.ASGITransport(behind_proxy, root_path="/shop")
        headers = {"Authorization": client.headers.get("Authorization", "")}
        async with httpx2.AsyncClient(transport=transport, base_url="http://test/shop") as behind:
            response = await behind.get(ITEMS, headers=headers)
        assert response.headers["link"] == '</shop/api/v2/items/>; rel="successor-version"'


async def test_documented_examples_are_true(client: httpx2.AsyncClient) -> None:
    schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
    (example,) = schemas["ItemWrite"]["examples"]
    (stored,) = schemas["ItemRead"]["examples"]
    item = await create(client, **example)
    assert item.keys() == stored.keys()
    assert {name: stored[name] for name in example} == example
