"""X19: a stolen access token is not enough to take an account over, or to delete it."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select, update

from app.models.user import User
from app.models.user_session import UserSession
from app.services.auth import PROOF_LIFETIME
from tests.accounts import AUTH, ME, PASSWORD, Tokens, attempt, login, prove, register
from tests.conftest import SessionFactory

CHANGES: dict[str, dict[str, Any]] = {
    "deletion": {"method": "DELETE"},
    "username": {"method": "PUT", "json": {"username": "thief"}},
    "address": {"method": "PUT", "json": {"email": "thief@example.com"}},
}


async def change(client: httpx2.AsyncClient, what: str, tokens: Tokens) -> httpx2.Response:
    return await client.request(url=ME, headers=tokens.bearer, **CHANGES[what])


async def age_proofs(session_factory: SessionFactory, by: timedelta) -> None:
    """Move logins and proofs of all sessions into the past."""
    async with session_factory.begin() as session:
        await session.execute(
            update(UserSession).values(
                created_at=UserSession.created_at - by,
                authenticated_at=UserSession.authenticated_at - by,
            )
        )


def assert_refused(response: httpx2.Response) -> None:
    code = (response.status_code, response.json()["error_code"])
    assert code == (403, "reauthentication_required")


@pytest.mark.parametrize("what", CHANGES)
async def test_x19_a_token_alone_changes_no_account(
    client: httpx2.AsyncClient, tokens: Tokens, what: str
) -> None:
    """X19: neither a login nor a refresh is a proof; the password, sent again, is one."""
    assert_refused(await change(client, what, tokens))
    renewed = Tokens((await tokens.renew(client)).json())
    assert_refused(await change(client, what, renewed))
    assert (await client.get(ME, headers=renewed.bearer)).json()["username"] == "ada"
    await prove(client, headers=renewed.bearer)
    assert (await change(client, what, renewed)).status_code in {200, 204}


async def test_x19_what_identifies_nobody_needs_no_proof(
    client: httpx2.AsyncClient, tokens: Tokens
) -> None:
    """X19: neither a full name, nor names that are sent back unchanged."""
    same = {"username": "ada", "email": "ada@example.com", "full_name": "Ada L."}
    assert (await client.put(ME, json=same, headers=tokens.bearer)).status_code == 200


async def test_x19_a_proof_is_fresh_for_ten_minutes_in_its_own_session(
    client: httpx2.AsyncClient, tokens: Tokens, session_factory: SessionFactory
) -> None:
    """X19: a refresh makes it no younger."""
    assert timedelta(minutes=10) == PROOF_LIFETIME
    other = await login(client, "ada")
    await prove(client, headers=tokens.bearer)
    assert_refused(await change(client, "deletion", other))
    # The minute is for a busy machine.
    await age_proofs(session_factory, PROOF_LIFETIME - timedelta(minutes=1))
    rename = {"username": "countess"}
    assert (await client.put(ME, json=rename, headers=tokens.bearer)).status_code == 200
    await age_proofs(session_factory, timedelta(minutes=1))
    renewed = Tokens((await tokens.renew(client)).json())
    assert_refused(await change(client, "deletion", renewed))
    await prove(client, headers=renewed.bearer)
    assert (await change(client, "deletion", renewed)).status_code == 204


async def test_x19_wrong_passwords_prove_nothing_and_are_slowed_down(
    client: httpx2.AsyncClient, tokens: Tokens
) -> None:
    """X19, C4: as at the login; the response says nothing else."""
    wrong = {"password": "wrong"}
    statuses = []
    for _ in range(6):
        response = await client.post(f"{AUTH}/reauthenticate", json=wrong, headers=tokens.bearer)
        statuses.append(response.status_code)
        assert_refused(await change(client, "deletion", tokens))
    assert statuses[:5] == [403] * 5
    assert statuses[5] in {403, 429}  # 403 if a slow machine took a second since the fifth
    assert response.headers["cache-control"] == "no-store"
    await login(client, "ada")  # the login counts separately


async def test_x19_a_profile_may_bring_the_password_itself(
    client: httpx2.AsyncClient, tokens: Tokens
) -> None:
    """X19: `current_password` proves as much, also for what follows."""
    new = {"username": "countess", "current_password": "wrong"}
    response = await client.put(ME, json=new, headers=tokens.bearer)
    assert (response.status_code, response.json()["error_code"]) == (403, "forbidden")
    new["current_password"] = PASSWORD
    assert (await client.put(ME, json=new, headers=tokens.bearer)).status_code == 200
    assert (await change(client, "deletion", tokens)).status_code == 204


async def test_x19_a_new_password_asks_for_the_current_one_each_time(
    client: httpx2.AsyncClient, tokens: Tokens
) -> None:
    """X19: a proof from before is not enough. The right password is one for what follows."""
    await prove(client, headers=tokens.bearer)
    new = {"current_password": "wrong", "new_password": "another good one"}
    response = await client.put(f"{ME}/password", json=new, headers=tokens.bearer)
    assert response.status_code == 403
    new["current_password"] = PASSWORD
    assert (await client.put(f"{ME}/password", json=new, headers=tokens.bearer)).status_code == 204
    assert (await change(client, "username", tokens)).status_code == 200


async def test_x19_without_a_password_a_fresh_login_is_the_proof(
    client: httpx2.AsyncClient, tokens: Tokens, session_factory: SessionFactory
) -> None:
    """X19: such an account logs in by other means, and has nothing else to send."""
    async with session_factory.begin() as session:
        await session.execute(update(User).values(hashed_password="!nothing"))
    assert (await change(client, "username", tokens)).status_code == 200
    await age_proofs(session_factory, PROOF_LIFETIME)
    renewed = Tokens((await tokens.renew(client)).json())
    assert_refused(await change(client, "deletion", renewed))
    proof = {"password": "!nothing"}
    response = await client.post(f"{AUTH}/reauthenticate", json=proof, headers=renewed.bearer)
    assert response.status_code == 403


@pytest.mark.usefixtures("committed")
async def test_x19_a_refused_deletion_deletes_nothing(
    client: httpx2.AsyncClient, session_factory: SessionFactory
) -> None:
    await register(client, "ada")
    tokens = await login(client, "ada")
    assert_refused(await change(client, "deletion", tokens))
    async with session_factory() as session:
        assert await session.scalar(select(func.count()).select_from(User)) == 1
    assert (await attempt(client, "ada")).status_code == 200


async def test_x19_the_document_describes_the_error(client: httpx2.AsyncClient) -> None:
    """X19: a client learns from it what to do."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    for method in ("put", "delete"):
        assert "reauthentication_required" in paths[ME][method]["description"]
