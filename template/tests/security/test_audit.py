"""O11: every change of an account is logged, with who, what, when and from where."""

import json
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from app.accounts.audit import AuditEvent, AuditTrail
from app.core.config import Settings
from app.utils.logging import configure_logging
from tests.accounts import (
    AUTH,
    ME,
    PASSWORD,
    USERS,
    attempt,
    login,
    make_admin,
    prove,
    register,
    sign_in,
)
from tests.conftest import SessionFactory

Event = tuple[str, int | None, int | None]
"""Event, actor and account concerned."""


def trail(log: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, log.splitlines()) if line.get("audit")]


def events(output: StringIO) -> list[Event]:
    """The new lines; each one has time and address as well."""
    lines = trail(output.getvalue())
    output.seek(0)
    output.truncate()
    for line in lines:
        assert line["timestamp"].endswith("Z")
        assert line["ip_address"] == "127.0.0.1"
        assert line["user_agent"].startswith("python-httpx2/")
        assert len(line["request_id"]) == 32
    return [(line["event"], line.get("user_id"), line["target_id"]) for line in lines]


@pytest.mark.usefixtures("committed")
async def test_o11_what_owners_do(watched_client: httpx2.AsyncClient, output: StringIO) -> None:
    client = watched_client
    ada = (await register(client, "ada"))["id"]
    assert events(output) == [("user_registered", ada, ada)]

    tokens = await login(client, "ada")
    assert events(output) == [("login_succeeded", ada, ada)]
    client.headers.update(tokens.bearer)

    for _ in range(2):  # the second one changes nothing
        whole = {"full_name": "Ada L.", "username": "ada"}
        assert (await client.put(ME, json=whole)).status_code == 200
    assert '"fields": ["full_name"]' in output.getvalue()
    assert events(output) == [("user_changed", ada, ada)]
    change = {"current_password": PASSWORD, "new_password": "another good one"}
    assert (await client.put(f"{ME}/password", json=change)).status_code == 204
    assert events(output) == [("reauthenticated", ada, ada), ("password_changed", ada, ada)]

    await login(client, "ada", "another good one")
    (other,) = (
        row["id"] for row in (await client.get(f"{AUTH}/sessions")).json() if not row["is_current"]
    )
    assert (await client.delete(f"{AUTH}/sessions/{other}")).status_code == 204
    assert events(output) == [("login_succeeded", ada, ada), ("session_ended", ada, ada)]

    body = {"refresh_token": tokens.refresh}
    assert (await client.post(f"{AUTH}/logout", json=body)).status_code == 204
    assert events(output) == [("logged_out", ada, ada)]

    client.headers.update((await login(client, "ada", "another good one")).bearer)
    assert (await client.post(f"{AUTH}/logout-all")).status_code == 204
    assert events(output)[1:] == [("logged_out_everywhere", ada, ada)]

    client.headers.update((await login(client, "ada", "another good one")).bearer)
    await prove(client, "another good one")
    assert (await client.delete(ME)).status_code == 204
    assert events(output)[1:] == [("reauthenticated", ada, ada), ("user_deleted", ada, ada)]


@pytest.mark.usefixtures("committed")
async def test_o11_what_admins_do(
    watched_client: httpx2.AsyncClient, output: StringIO, session_factory: SessionFactory
) -> None:
    client = watched_client
    eve = (await register(client, "eve"))["id"]
    boss = (await sign_in(client, "boss"))["id"]
    assert (await client.delete(f"{USERS}/{eve}")).status_code == 403
    assert events(output)[-1] == ("access_forbidden", boss, None)

    await make_admin(session_factory, "boss")
    assert (await client.put(f"{USERS}/{eve}", json={"role": "admin"})).status_code == 200
    assert events(output) == [("user_changed", boss, eve), ("rights_changed", boss, eve)]
    assert (await client.delete(f"{USERS}/{eve}")).status_code == 204
    assert events(output) == [("user_deleted", boss, eve)]


@pytest.mark.usefixtures("committed")
async def test_o11_what_strangers_try(watched_client: httpx2.AsyncClient, output: StringIO) -> None:
    client = watched_client
    ada = (await register(client, "ada"))["id"]
    tokens = await login(client, "ada")
    await tokens.renew(client)
    events(output)

    for _ in range(6):
        await attempt(client, "ada", "wrong")
    await attempt(client, "nobody", "wrong")
    await tokens.renew(client)
    assert events(output) == [
        *[("login_failed", None, ada)] * 5,
        ("login_throttled", None, ada),
        ("login_failed", None, None),
        ("refresh_token_reused", None, ada),
    ]


async def test_what_is_not_committed_never_was(
    session_factory: SessionFactory, settings: Settings, output: StringIO
) -> None:
    """Committed changes are logged at any LOG_LEVEL."""
    with redirect_stdout(output):
        configure_logging(settings.model_copy(update={"log_level": "CRITICAL"}))
    for target_id, succeeds in ((1, False), (2, True)):
        async with session_factory() as session:
            AuditTrail(session, origin=None).record_change(
                AuditEvent.USER_CHANGED, target_id=target_id
            )
            await session.execute(text("SELECT 1"))
            assert trail(output.getvalue()) == []
            await (session.commit() if succeeds else session.rollback())
    (line,) = trail(output.getvalue())
    assert line["target_id"] == 2


async def test_o10_a_log_names_nobody_by_address(
    watched_client: httpx2.AsyncClient, output: StringIO
) -> None:
    """The request's line has the caller's id and username; no line has the e-mail address."""
    account = await sign_in(watched_client, "ada")
    await watched_client.get(ME)
    await attempt(watched_client, "ada@example.com", "wrong")
    log = output.getvalue()
    lines = [json.loads(line) for line in log.splitlines()]
    (line,) = (line for line in lines if line.get("path") == ME)
    assert (line["user_id"], line["username"]) == (account["id"], "ada")
    assert "ada@example.com" not in log
