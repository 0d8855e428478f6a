"""X19: people get what is stored about them, and nothing of others."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from pydantic import BaseModel
from sqlalchemy import QueuePool, text

from app import main
from app.core.config import Settings
from app.core.feature import Feature
from app.features import FEATURES, State
from app.features.accounts import ACCOUNTS
from app.main import create_app
from app.schemas.user import UserExport, UserRead
from app.services.export import SessionFactory, export_document
from tests.accounts import AUTH, ME, Tokens, login, register, sign_in
from tests.conftest import client_of, running

EXPORT = f"{ME}/export"


async def test_x19_an_export_has_the_account_and_every_session(
    client: httpx2.AsyncClient, tokens: Tokens
) -> None:
    """X19: sessions that have ended have addresses as well."""
    await register(client, "eve")
    await login(client, "eve")
    client.headers.update((await login(client, "ada")).bearer)
    ended = {"refresh_token": tokens.refresh}
    assert (await client.post(f"{AUTH}/logout", json=ended)).status_code == 204
    response = await client.get(EXPORT)
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-disposition"].startswith("attachment")
    assert response.headers["cache-control"] == "no-store"
    document = response.json()
    names = {name for feature in FEATURES for name in feature.exports}
    assert document.keys() == {"account"} | names
    UserExport.model_validate(document)
    assert document["account"] == (await client.get(ME)).json()
    assert len(document["sessions"]) == 2
    assert sum(session["revoked_at"] is not None for session in document["sessions"]) == 1
    assert {session["ip_address"] for session in document["sessions"]} == {"127.0.0.1"}
    for secret in ("hash", "password", "eve"):
        assert secret not in response.text


async def test_x19_an_export_needs_a_login(client: httpx2.AsyncClient) -> None:
    assert (await client.get(EXPORT)).status_code == 401


async def add_sessions(session_factory: SessionFactory, count: int) -> None:
    """Copy the one session that there is."""
    copy = """
        INSERT INTO user_sessions (id, user_id, refresh_hash, expires_at)
        SELECT gen_random_uuid(), user_id, refresh_hash, expires_at
        FROM user_sessions, generate_series(1, :count)
    """
    async with session_factory.begin() as session:
        await session.execute(text(copy), {"count": count})


@pytest.mark.usefixtures("signed_in")
async def test_x19_every_page_is_exported(
    client: httpx2.AsyncClient, session_factory: SessionFactory
) -> None:
    """X19: more sessions than fit a page, each once."""
    await add_sessions(session_factory, 204)
    ids = [session["id"] for session in (await client.get(EXPORT)).json()["sessions"]]
    assert (len(ids), len(set(ids))) == (205, 205)


@pytest.mark.usefixtures("committed", "signed_in")
async def test_x19_slow_clients_hold_no_connection(
    client: httpx2.AsyncClient, session_factory: SessionFactory, state: State
) -> None:
    """X19: while a client reads, the pool is as free as before."""
    await add_sessions(session_factory, 150)
    account = UserRead.model_validate((await client.get(ME)).json())
    pool = state["engine"].pool
    assert isinstance(pool, QueuePool)
    parts = export_document(account, ACCOUNTS.exports, session_factory, account.id)
    assert {pool.checkedout() async for _ in parts} == {0}


class Note(BaseModel):
    """Data of a project's own."""

    text: str
    user_id: int


async def export_notes(_sessions: SessionFactory, user_id: int) -> AsyncIterator[Note]:
    for number in range(2):
        yield Note(text=f"note {number}", user_id=user_id)


async def test_x19_a_project_adds_its_part(
    settings: Settings, session_factory: SessionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = [*FEATURES[:-1], Feature(exports={"notes": export_notes})]
    monkeypatch.setattr(main, "FEATURES", features)
    app = create_app(settings)
    async with (
        running(app) as own,
        client_of(app, {**own, "session_factory": session_factory}) as client,
    ):
        account = await sign_in(client, "ada")
        document = (await client.get(EXPORT)).json()
    assert document["notes"] == [{"text": f"note {n}", "user_id": account["id"]} for n in range(2)]
