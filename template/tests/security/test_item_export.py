"""X19: items are part of what people get about themselves."""

import httpx2
import pytest

from app.services.item_export import PAGE_SIZE
from tests.accounts import ME, make_admin
from tests.conftest import SessionFactory


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("is_admin", [False, True])
async def test_x19_an_export_has_all_own_items(
    client: httpx2.AsyncClient,
    eve: httpx2.AsyncClient,
    session_factory: SessionFactory,
    is_admin: bool,
) -> None:
    """X19: of every page, the newest first; also an admin gets only their own."""
    await eve.post("/api/v1/items/", json={"title": "Of eve"})
    stored = []
    for number in range(2 * PAGE_SIZE + 1):
        data = {"title": f"Atlas {number}", "attributes": {"pages": number}}
        stored.append((await client.post("/api/v1/items/", json=data)).json())
    if is_admin:
        await make_admin(session_factory, "ada")
    assert (await client.get(f"{ME}/export")).json()["items"] == stored[::-1]
