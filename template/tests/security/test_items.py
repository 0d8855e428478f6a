"""Owners of items."""

import asyncio
from typing import Any

import httpx2
import pytest
from sqlalchemy import delete

from app.features import State
from app.models.user import User
from tests.accounts import ME, make_admin, prove, sign_in
from tests.conftest import SessionFactory
from tests.security.conftest import SERVER_DECIDES


@pytest.mark.parametrize("field", SERVER_DECIDES, ids=lambda field: next(iter(field)))
async def test_a1_what_the_server_decides_cannot_be_sent(
    client: httpx2.AsyncClient, field: dict[str, object]
) -> None:
    await sign_in(client, "ada")
    response = await client.post("/api/v1/items/", json={"title": "Atlas"} | field)
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"][:2] == ["body", next(iter(field))]


class TestItems:
    """A2: for every operation, another user's item does not exist."""

    @pytest.fixture
    async def item(self, client: httpx2.AsyncClient) -> dict[str, Any]:
        ada = await sign_in(client, "ada")
        response = await client.post("/api/v1/items/", json={"title": "Atlas"})
        item: dict[str, Any] = response.json()
        assert item["owner_id"] == ada["id"]
        return item

    async def test_a2_items_of_others(
        self, client: httpx2.AsyncClient, eve: httpx2.AsyncClient, item: dict[str, Any]
    ) -> None:
        address = f"/api/v1/items/{item['id']}"
        for method in ("GET", "PUT", "DELETE"):
            body = {"title": "Mine now"} if method == "PUT" else None
            response = await eve.request(method, address, json=body)
            assert response.status_code == 404
            assert response.json()["detail"] == f"There is no item {item['id']}."
        for listing in ("/api/v1/items/", "/api/v1/items/?q=atlas", "/api/v2/items/"):
            assert (await eve.get(listing)).json()["items"] == []
            assert (await client.get(listing)).json()["items"] == [item]
        assert (await eve.get("/api/v1/items/")).json()["total"] == 0

    async def test_a2_admins_see_all_items(
        self, eve: httpx2.AsyncClient, item: dict[str, Any], session_factory: SessionFactory
    ) -> None:
        await make_admin(session_factory, "eve")
        address = f"/api/v1/items/{item['id']}"
        assert (await eve.get(address)).json() == item
        assert (await eve.get("/api/v1/items/")).json()["items"] == [item]
        changed = (await eve.put(address, json={"title": "Globe"})).json()
        assert (changed["title"], changed["owner_id"]) == ("Globe", item["owner_id"])
        assert (await eve.delete(address)).status_code == 204

    @pytest.mark.usefixtures("committed", "item")
    async def test_item_of_an_account_that_goes_meanwhile(
        self, client: httpx2.AsyncClient, state: State
    ) -> None:
        async with state["engine"].begin() as connection:
            await connection.execute(delete(User))
            creating = asyncio.create_task(client.post("/api/v1/items/", json={"title": "x"}))
            await asyncio.sleep(0.1)
            assert not creating.done()
        assert (await creating).status_code == 409

    async def test_items_go_with_their_owner(
        self,
        client: httpx2.AsyncClient,
        eve: httpx2.AsyncClient,
        item: dict[str, Any],
        session_factory: SessionFactory,
    ) -> None:
        await make_admin(session_factory, "eve")
        await prove(client)
        assert (await client.delete(ME)).status_code == 204
        assert (await eve.get(f"/api/v1/items/{item['id']}")).status_code == 404
