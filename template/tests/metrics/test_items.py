"""The business metric of the items."""

import httpx2
import pytest

from tests.counting import increase

pytestmark = pytest.mark.usefixtures("authorized")


async def test_only_stored_items_count(client: httpx2.AsyncClient) -> None:
    created = increase("items_created_total")
    assert (await client.post("/api/v1/items/", json={"title": "Atlas"})).status_code == 201
    assert created() == 1
    assert (await client.post("/api/v1/items/", json={"title": ""})).status_code == 422
    assert created() == 1
