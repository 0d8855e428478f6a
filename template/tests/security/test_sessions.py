"""Sessions end when they should, for all users (OWASP ASVS 7)."""

import asyncio
from base64 import b64encode, urlsafe_b64decode
from datetime import timedelta
from ipaddress import ip_network
from uuid import uuid4

import httpx2
import jwt
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text, update
from starlette.requests import HTTPConnection
from starlette.types import Scope
from structlog.testing import capture_logs

from app.accounts.origin import Origin
from app.accounts.passwords import PasswordService
from app.core.config import Settings
from app.features import State
from app.models.user import User
from app.models.user_session import UserSession
from app.repositories.user import UserRepository
from app.repositories.user_session import UserSessionRepository
from app.services.auth import AuthService
from tests.accounts import (
    AUTH,
    ME,
    PASSWORD,
    USERS,
    Tokens,
    attempt,
    login,
    make_admin,
    prove,
    register,
    sign_in,
)
from tests.conftest import SessionFactory, client_of


async def assert_dead(client: httpx2.AsyncClient, *pairs: Tokens) -> None:
    for pair in pairs:
        assert (await client.get(ME, headers=pair.bearer)).status_code == 401
        assert (await pair.renew(client)).status_code == 401


async def assert_live(client: httpx2.AsyncClient, tokens: Tokens) -> None:
    assert (await client.get(ME, headers=tokens.bearer)).status_code == 200


async def test_refresh_gives_a_new_pair(client: httpx2.AsyncClient, tokens: Tokens) -> None:
    response = await tokens.renew(client)
    assert response.status_code == 200
    renewed = Tokens(response.json())
    assert renewed.body.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (renewed.body["token_type"], renewed.body["expires_in"]) == ("bearer", 1800)
    assert renewed.refresh != tokens.refresh
    await assert_live(client, renewed)
    assert (await renewed.renew(client)).status_code == 200


@pytest.mark.usefixtures("committed")
async def test_t8_replay_ends_the_session_for_thief_and_owner(
    client: httpx2.AsyncClient, tokens: Tokens, state: State
) -> None:
    """The end of the session is stored although the response is a 401."""
    other = await login(client, "ada")
    renewed = Tokens((await tokens.renew(client)).json())
    with capture_logs() as lines:
        assert (await tokens.renew(client)).status_code == 401
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == [
        "refresh_token_reused"
    ]
    await assert_dead(client, tokens, renewed)
    await assert_live(client, other)
    async with state["engine"].connect() as connection:
        revoked = select(func.count(UserSession.revoked_at))
        assert await connection.scalar(revoked) == 1


@pytest.mark.usefixtures("committed")
async def test_t9_of_parallel_refreshes_one_succeeds(
    client: httpx2.AsyncClient, tokens: Tokens
) -> None:
    """The others count as replays, so the session ends: clients refresh one at a time."""
    responses = await asyncio.gather(*(tokens.renew(client) for _ in range(20)))
    assert sorted(response.status_code for response in responses) == [200] + [401] * 19
    (winner,) = (response for response in responses if response.status_code == 200)
    await assert_dead(client, Tokens(winner.json()))


async def test_t10_stored_tokens_are_worthless(
    client: httpx2.AsyncClient, tokens: Tokens, session_factory: SessionFactory
) -> None:
    """The database has neither the token nor a secret part of it."""
    renewed = Tokens((await tokens.renew(client)).json())
    async with session_factory() as session:
        rows = (await session.scalars(text("SELECT user_sessions::text FROM user_sessions"))).all()
    (row,) = rows
    for token in (tokens.refresh, renewed.refresh, renewed.access):
        for part in token.split(".")[1:]:
            assert part not in row
            assert part.encode().hex() not in row
            assert b64encode(part.encode()).decode() not in row
            assert urlsafe_b64decode(part + "==").hex() not in row
        unique = jwt.decode(token, options={"verify_signature": False})["jti"]
        assert len(urlsafe_b64decode(unique + "==")) >= 32
        assert unique not in row
        assert unique.encode().hex() not in row
        assert urlsafe_b64decode(unique + "==").hex() not in row


async def test_t11_logout(client: httpx2.AsyncClient, tokens: Tokens) -> None:
    """Access and refresh token stop working at once; other sessions continue."""
    other = await login(client, "ada")
    response = await client.post(
        f"{AUTH}/logout", json={"refresh_token": tokens.refresh}, headers=tokens.bearer
    )
    assert (response.status_code, response.content) == (204, b"")
    await assert_dead(client, tokens)
    await assert_live(client, other)


async def test_t11_logout_with_somebody_elses_token(
    client: httpx2.AsyncClient, tokens: Tokens
) -> None:
    await register(client, "eve")
    eve = await login(client, "eve")
    response = await client.post(
        f"{AUTH}/logout", json={"refresh_token": tokens.refresh}, headers=eve.bearer
    )
    assert response.status_code == 401
    await assert_live(client, tokens)


async def test_t11_logout_all(client: httpx2.AsyncClient, tokens: Tokens) -> None:
    other = await login(client, "ada")
    await register(client, "eve")
    eve = await login(client, "eve")
    response = await client.post(f"{AUTH}/logout-all", headers=tokens.bearer)
    assert response.status_code == 204
    await assert_dead(client, tokens, other)
    await assert_live(client, eve)


async def test_sessions_are_listed(client: httpx2.AsyncClient, tokens: Tokens) -> None:
    headers = {"User-Agent": "x" * 500}
    form = {"username": "ada", "password": PASSWORD}
    response = await client.post(f"{AUTH}/login", data=form, headers=headers)
    other = Tokens(response.json())
    listed = (await client.get(f"{AUTH}/sessions", headers=tokens.bearer)).json()
    assert len(listed) == 2
    assert [entry["is_current"] for entry in listed].count(True) == 1
    assert {entry["ip_address"] for entry in listed} == {"127.0.0.1"}
    assert {len(entry["user_agent"]) for entry in listed} == {
        200,
        len(client.headers["user-agent"]),
    }
    (current,) = (entry for entry in listed if entry["is_current"])
    ended = next(entry for entry in listed if not entry["is_current"])
    response = await client.delete(f"{AUTH}/sessions/{ended['id']}", headers=tokens.bearer)
    assert response.status_code == 204
    await assert_dead(client, other)
    await assert_live(client, tokens)
    listed = (await client.get(f"{AUTH}/sessions", headers=tokens.bearer)).json()
    assert [entry["id"] for entry in listed] == [current["id"]]


async def test_t11_foreign_and_unknown_sessions_are_alike(
    client: httpx2.AsyncClient, tokens: Tokens
) -> None:
    await register(client, "eve")
    eve = await login(client, "eve")
    (session,) = (await client.get(f"{AUTH}/sessions", headers=tokens.bearer)).json()
    for session_id in (session["id"], uuid4()):
        response = await client.delete(f"{AUTH}/sessions/{session_id}", headers=eve.bearer)
        assert response.status_code == 404
        assert response.json()["detail"] == f"There is no session {session_id}."
    await assert_live(client, tokens)


async def test_t12_new_password_ends_all_other_sessions(
    client: httpx2.AsyncClient, tokens: Tokens
) -> None:
    other = await login(client, "ada")
    change = {"current_password": PASSWORD, "new_password": "another good one"}
    response = await client.put(f"{ME}/password", json=change, headers=tokens.bearer)
    assert response.status_code == 204
    await assert_dead(client, other)
    await assert_live(client, tokens)
    await login(client, "ada", "another good one")


@pytest.mark.parametrize("change", [{"role": "admin"}, {"is_active": False}])
async def test_t12_new_rights_end_all_sessions(
    client: httpx2.AsyncClient,
    tokens: Tokens,
    session_factory: SessionFactory,
    change: dict[str, object],
) -> None:
    me = (await client.get(ME, headers=tokens.bearer)).json()
    await sign_in(client, "boss")
    await make_admin(session_factory, "boss")
    # Without a change, no session ends.
    unchanged = {"role": "user", "is_active": True, "full_name": "Ada L."}
    assert (await client.put(f"{USERS}/{me['id']}", json=unchanged)).status_code == 200
    await assert_live(client, tokens)
    assert (await client.put(f"{USERS}/{me['id']}", json=change)).status_code == 200
    await assert_dead(client, tokens)


async def test_t12_deletion_ends_all_sessions(client: httpx2.AsyncClient, tokens: Tokens) -> None:
    client.headers.update(tokens.bearer)
    await prove(client)
    assert (await client.delete(ME)).status_code == 204
    await assert_dead(client, tokens)
    assert (await attempt(client, "ada")).status_code == 401


@pytest.mark.usefixtures("committed", "tokens")
@pytest.mark.parametrize("change", [{"hashed_password": "another"}, {"is_active": False}])
@pytest.mark.parametrize("outdated", [False, True])
async def test_t12_a_login_under_way_starts_no_session(
    client: httpx2.AsyncClient,
    state: State,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, object],
    outdated: bool,
) -> None:
    """The password was right when it was checked, but the account changed meanwhile."""

    async def changed_meanwhile(*_: object) -> bool:
        async with state["engine"].begin() as connection:
            await connection.execute(update(User).values(change))
        return True

    monkeypatch.setattr(PasswordService, "verify", changed_meanwhile)
    monkeypatch.setattr(PasswordService, "is_outdated", lambda *_: outdated)
    assert (await attempt(client, "ada")).status_code == 401
    async with state["engine"].connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(UserSession)) == 1
        hashed = await connection.scalar(select(User.hashed_password))
    assert hashed == change.get("hashed_password", hashed)


@pytest.mark.usefixtures("committed")
async def test_t12_of_two_password_changes_at_once_one_succeeds(
    client: httpx2.AsyncClient, tokens: Tokens
) -> None:
    """After a 204, the session has ended."""
    changes = [{"current_password": PASSWORD, "new_password": f"a good one {n}"} for n in range(2)]
    responses = await asyncio.gather(
        *(client.put(f"{ME}/password", json=change, headers=tokens.bearer) for change in changes)
    )
    statuses = [response.status_code for response in responses]
    assert sorted(statuses) in ([204, 403], [204, 409])
    await login(client, "ada", changes[statuses.index(204)]["new_password"])


@pytest.mark.usefixtures("committed")
async def test_t12_deleted_while_a_change_is_under_way(
    client: httpx2.AsyncClient, tokens: Tokens, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deleted_meanwhile(*_: object) -> None:
        async with state["engine"].begin() as connection:
            await connection.execute(text("DELETE FROM users"))

    monkeypatch.setattr(AuthService, "reauthenticate", deleted_meanwhile)
    change = {"current_password": PASSWORD, "email": "new@example.com"}
    assert (await client.put(ME, json=change, headers=tokens.bearer)).status_code == 404


async def test_t12_rights_are_read_from_the_database(
    client: httpx2.AsyncClient, tokens: Tokens, session_factory: SessionFactory
) -> None:
    """Not from the token, which has no role."""
    assert (await client.get(f"{USERS}/", headers=tokens.bearer)).status_code == 403
    await make_admin(session_factory, "ada")
    assert (await client.get(f"{USERS}/", headers=tokens.bearer)).status_code == 200
    async with session_factory.begin() as session:
        await session.execute(text("UPDATE users SET is_active = false"))
    await assert_dead(client, tokens)


async def age(session_factory: SessionFactory, days: float) -> None:
    """Move start and last use of all sessions into the past."""
    past = func.make_interval(0, 0, 0, 0, 0, 0, days * 86_400)
    async with session_factory.begin() as session:
        await session.execute(
            update(UserSession).values(
                created_at=UserSession.created_at - past,
                last_used_at=UserSession.last_used_at - past,
                expires_at=UserSession.expires_at - past,
            )
        )


async def test_t13_unused_sessions_expire(
    client: httpx2.AsyncClient, tokens: Tokens, session_factory: SessionFactory
) -> None:
    await age(session_factory, 6.99)
    await assert_live(client, tokens)
    await age(session_factory, 0.02)
    await assert_dead(client, tokens)


async def test_t13_used_sessions_expire_as_well(
    client: httpx2.AsyncClient, tokens: Tokens, session_factory: SessionFactory
) -> None:
    """A session that is renewed without limit would never end."""
    for _ in range(5):
        await age(session_factory, 5.99)
        tokens = Tokens((await tokens.renew(client)).json())
    await assert_live(client, tokens)
    await age(session_factory, 0.06)
    await assert_dead(client, tokens)


async def test_t13_the_shorter_limit_counts(
    app: FastAPI, state: State, session_factory: SessionFactory, settings: Settings
) -> None:
    now = {**state, "session_factory": session_factory}
    now["settings"] = settings.model_copy(update={"session_max_days": 1})
    async with client_of(app, now) as client:
        await register(client, "ada")
        tokens = await login(client, "ada")
        await age(session_factory, 1.01)
        await assert_dead(client, tokens)


async def test_t16_expired_sessions_are_purged_by_an_index(
    client: httpx2.AsyncClient, tokens: Tokens, session_factory: SessionFactory
) -> None:
    known_for = timedelta(days=20)
    await age(session_factory, 21)
    live = await login(client, "ada")
    async with session_factory.begin() as session:
        assert await UserSessionRepository(session).purge(known_for) == 1
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = await session.scalars(
            text("EXPLAIN DELETE FROM user_sessions WHERE expires_at <= now()")
        )
        assert "ix_user_sessions_expires_at" in "\n".join(plan)
    await assert_live(client, live)
    assert (await tokens.renew(client)).status_code == 401


@pytest.mark.usefixtures("tokens")
async def test_x20_known_networks_outlive_their_sessions(
    session_factory: SessionFactory, settings: Settings
) -> None:
    """X20: the purge and the login agree on how long a login makes a network known."""
    known_for = timedelta(days=settings.known_network_days)
    for days, is_known in ((8, True), (settings.known_network_days - 9, True), (1, False)):
        await age(session_factory, days)
        async with session_factory.begin() as session:
            found = await UserRepository(session).find_for_login(
                "ada", ip_network("127.0.0.1/32"), known_for
            )
            assert (found[1] is not None) == is_known
            assert await UserSessionRepository(session).purge(known_for) == (not is_known)


@pytest.mark.parametrize(
    ("host", "address", "network"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.7/32"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7/32"),
        ("", "None", "None"),
        ("/run/app.sock", "None", "None"),
        (None, "None", "None"),
    ],
)
def test_origins(host: str | None, address: str, network: str) -> None:
    """An IPv6 client has a whole /64; an IPv4 address may be mapped to IPv6."""
    scope: Scope = {"type": "http", "headers": [], "client": None if host is None else (host, 1)}
    origin = Origin.of(HTTPConnection(scope))
    assert (str(origin.address), str(origin.network)) == (address, network)
