"""Items of different owners in the cache."""

import httpx2
import pytest
from fastapi import FastAPI

from app.features import State
from tests.accounts import make_admin, sign_in
from tests.api.test_items_cache import V1, V2, create, item_queries, titles
from tests.conftest import SessionFactory, client_of

pytestmark = pytest.mark.usefixtures("signed_in")


async def test_o14_nobody_gets_what_was_read_for_somebody_else(
    app: FastAPI, state: State, session_factory: SessionFactory, client: httpx2.AsyncClient
) -> None:
    item_id = await create(client)
    assert await titles(client) == ["Atlas"]
    assert (await client.get(f"{V1}{item_id}")).status_code == 200
    async with client_of(app, {**state, "session_factory": session_factory}) as eve:
        await sign_in(eve, "eve")
        for _ in range(2):
            assert await titles(eve) == []
            assert await titles(eve, V2) == []
            assert (await eve.get(f"{V1}{item_id}")).status_code == 404
    assert await titles(client) == ["Atlas"]


async def test_admin_sees_past_the_cache_and_changes_what_owners_see(
    app: FastAPI, state: State, session_factory: SessionFactory, client: httpx2.AsyncClient
) -> None:
    item_id = await create(client)
    assert await titles(client) == ["Atlas"]
    async with client_of(app, {**state, "session_factory": session_factory}) as boss:
        await sign_in(boss, "grace")
        await make_admin(session_factory, "grace")
        with item_queries(state) as queries:
            assert await titles(boss) == await titles(boss) == ["Atlas"]
        assert len(queries) == 6  # twice the number, weights and contents of the items
        await boss.put(f"{V1}{item_id}", json={"title": "changed"})
        assert await titles(client) == ["changed"]
        await boss.delete(f"{V1}{item_id}")
        assert await titles(client) == []
