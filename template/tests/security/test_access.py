"""Authorisation (OWASP ASVS 8) and validation of input (ASVS 2)."""

import asyncio
import gzip
import re
from collections.abc import Iterator
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import update
from structlog.testing import capture_logs

from app.accounts.permissions import PERMISSIONS, Permission, Role, is_permitted
from app.features import State
from app.models.user import User
from tests.accounts import (
    AUTH,
    ME,
    PASSWORD,
    USERS,
    login,
    make_admin,
    profile,
    prove,
    register,
    sign_in,
)
from tests.conftest import SessionFactory
from tests.security.conftest import SERVER_DECIDES

LISTS = [
    import_module(f"tests.security.{file.stem}")
    for file in Path(__file__).parent.glob("*_routes.py")
]
"""Lists of further routes. Those of this project are in `own_routes.py`."""

PUBLIC = {
    "GET /",
    "GET /live",
    "GET /ready",
    "GET /health",
    "GET /docs",
    "GET /redoc",
    "GET /docs/assets/redoc.standalone.js",
    "GET /openapi.json",
    f"POST {AUTH}/register",
    f"POST {AUTH}/login",
    f"POST {AUTH}/refresh",
}.union(*(routes.PUBLIC for routes in LISTS))
FOR_ANY_ACCOUNT = {
    f"POST {AUTH}/logout",
    f"POST {AUTH}/logout-all",
    f"POST {AUTH}/reauthenticate",
    f"GET {AUTH}/sessions",
    f"DELETE {AUTH}/sessions/{{session_id}}",
    f"GET {ME}",
    f"PUT {ME}",
    f"DELETE {ME}",
    f"PUT {ME}/password",
    f"GET {ME}/export",
}.union(*(routes.FOR_ANY_ACCOUNT for routes in LISTS))


def operations(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Yield method and path of all routes."""
    for context in iter_route_contexts(app.routes):
        route: Any = context
        for method in getattr(route, "methods", None) or ():
            if method != "HEAD":
                yield method, route.path_format


async def call(client: httpx2.AsyncClient, method: str, path: str) -> httpx2.Response:
    return await client.request(method, re.sub(r"\{\w+\}", "1", path))


def test_a3_every_route_is_known(app: FastAPI) -> None:
    """The lists have only existing routes, and the tests below see all routes."""
    found = {f"{method} {path}" for method, path in operations(app)}
    assert found >= PUBLIC | FOR_ANY_ACCOUNT
    assert f"DELETE {USERS}/{{user_id}}" in found


async def test_a3_nothing_answers_strangers_but_what_is_public(
    app: FastAPI, client: httpx2.AsyncClient
) -> None:
    for method, path in operations(app):
        status = (await call(client, method, path)).status_code
        assert (status != 401) == (f"{method} {path}" in PUBLIC), f"{method} {path}: {status}"


async def test_a3_nothing_answers_users_but_what_is_for_them(
    app: FastAPI, eve: httpx2.AsyncClient
) -> None:
    for method, path in operations(app):
        operation = f"{method} {path}"
        if operation not in PUBLIC | FOR_ANY_ACCOUNT:
            with capture_logs() as lines:
                assert (await call(eve, method, path)).status_code == 403, operation
            assert any(line["event"] == "access_forbidden" for line in lines)


def test_a3_roles_have_the_permissions_of_the_table() -> None:
    for permission in Permission:
        assert is_permitted(Role.ADMIN, permission)
        assert not is_permitted("a role of yesterday", permission)
    assert PERMISSIONS.keys() == set(Role)


@pytest.mark.parametrize("field", SERVER_DECIDES, ids=lambda field: next(iter(field)))
async def test_a1_what_the_server_decides_cannot_be_sent(
    client: httpx2.AsyncClient, session_factory: SessionFactory, field: dict[str, object]
) -> None:
    ada = await sign_in(client, "ada")
    writes = [
        ("POST", f"{AUTH}/register", profile("eve")),
        ("POST", f"{AUTH}/refresh", {"refresh_token": "x"}),
        ("POST", f"{AUTH}/logout", {"refresh_token": "x"}),
        ("PUT", ME, {"full_name": "Ada L."}),
        ("PUT", f"{ME}/password", {"current_password": PASSWORD, "new_password": "a good one"}),
    ]
    for method, path, body in writes:
        response = await client.request(method, path, json=body | field)
        assert response.status_code == 422, path
    await make_admin(session_factory, "ada")
    if not field.keys() & {"role", "is_active"}:
        response = await client.put(f"{USERS}/{ada['id']}", json=field)
        assert response.status_code == 422


async def test_a2_accounts_of_others(client: httpx2.AsyncClient, eve: httpx2.AsyncClient) -> None:
    ada = await sign_in(client, "ada")
    for method in ("GET", "PUT", "DELETE"):
        response = await eve.request(method, f"{USERS}/{ada['id']}")
        assert response.status_code == 403
    assert (await client.get(ME)).json() == ada


class TestLastAdmin:
    """A4: at least one admin always remains."""

    @pytest.fixture
    async def ada(
        self, client: httpx2.AsyncClient, session_factory: SessionFactory
    ) -> dict[str, Any]:
        account = await sign_in(client, "ada")
        await make_admin(session_factory, "ada")
        return account

    async def test_a4_admins_change_others_only(
        self, client: httpx2.AsyncClient, ada: dict[str, Any], session_factory: SessionFactory
    ) -> None:
        """Not their own role or status, and not their e-mail address without the password."""
        await register(client, "bob")
        await make_admin(session_factory, "bob")
        address = f"{USERS}/{ada['id']}"
        for change in ({"role": "user"}, {"is_active": False}, {"email": "new@example.com"}):
            assert (await client.put(address, json=change)).status_code == 409
        assert (await client.delete(address)).status_code == 409
        assert (await client.get(ME)).json() == ada | {"role": "admin"}

    @pytest.mark.usefixtures("ada")
    async def test_a4_the_last_admin_stays(
        self, client: httpx2.AsyncClient, session_factory: SessionFactory
    ) -> None:
        await prove(client)
        response = await client.delete(ME)
        assert response.status_code == 409
        assert "last admin" in response.json()["detail"]
        await register(client, "bob")
        await make_admin(session_factory, "bob")
        assert (await client.delete(ME)).status_code == 204

    @pytest.mark.usefixtures("committed", "ada")
    async def test_a4_rights_that_end_meanwhile_end(
        self, client: httpx2.AsyncClient, state: State
    ) -> None:
        """A request that waits for the removal of its admin is refused."""
        bob = await register(client, "bob")
        async with state["engine"].begin() as connection:
            await connection.execute(update(User).values(role="user"))
            deleting = asyncio.create_task(client.delete(f"{USERS}/{bob['id']}"))
            await asyncio.sleep(0.1)
            assert not deleting.done()
        assert (await deleting).status_code == 403

    @pytest.mark.usefixtures("committed")
    @pytest.mark.parametrize("method", ["PUT", "DELETE"])
    async def test_a4_two_admins_who_remove_each_other(
        self,
        client: httpx2.AsyncClient,
        ada: dict[str, Any],
        eve: httpx2.AsyncClient,
        session_factory: SessionFactory,
        method: str,
    ) -> None:
        await make_admin(session_factory, "eve")
        eves_id = (await eve.get(ME)).json()["id"]
        body = {"role": "user"} if method == "PUT" else None
        responses = await asyncio.gather(
            client.request(method, f"{USERS}/{eves_id}", json=body),
            eve.request(method, f"{USERS}/{ada['id']}", json=body),
        )
        statuses = sorted(response.status_code for response in responses)
        assert statuses[0] in {200, 204}
        assert statuses[1] in {401, 403, 409}


QUERIES = [
    "sort=hashed_password",
    "sort=-hashed_password",
    "sort=-;drop table users",
    "sort=email_key",
    "sort=-",
    "sort=",
    "role=owner",
    "is_active=perhaps",
    "q=",
    "q=%00",
    "page=0",
    "page=-1",
    f"page={10**18}",
    f"page_size={10**9}",
    "page_size=0",
    "page=1.5",
    "fields=hashed_password",
    "sort=id&sort=email&unknown=1",
]


class TestAdministration:
    @pytest.fixture
    async def admin(
        self, client: httpx2.AsyncClient, session_factory: SessionFactory
    ) -> httpx2.AsyncClient:
        await sign_in(client, "ada")
        await make_admin(session_factory, "ada")
        return client

    @pytest.mark.parametrize("query", QUERIES)
    async def test_a5_a6_only_what_is_known_may_be_asked(
        self, admin: httpx2.AsyncClient, query: str
    ) -> None:
        assert (await admin.get(f"{USERS}/?{query}")).status_code == 422

    @pytest.mark.parametrize(
        ("user_id", "status"),
        [
            ("0", 422),
            (str(2**63), 422),
            *((text, 404) for text in ("-1", "9" * 20, "9" * 5000, "x", "1.5", "NaN")),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    async def test_a6_impossible_ids(
        self, admin: httpx2.AsyncClient, method: str, user_id: str, status: int
    ) -> None:
        body = {"full_name": "x"} if method == "PUT" else None
        response = await admin.request(method, f"{USERS}/{user_id}", json=body)
        assert response.status_code == status

    async def test_a6_more_parameters_than_anybody_needs(self, admin: httpx2.AsyncClient) -> None:
        response = await admin.get(f"{USERS}/?" + "a&" * 32_000)
        assert response.status_code == 422
        assert len(response.content) < 4096

    async def test_a6_repeated_keys_and_deep_json(self, admin: httpx2.AsyncClient) -> None:
        headers = {"content-type": "application/json"}
        for content in (
            '{"full_name": "a", "full_name": "\\ud800"}',
            '{"full_name": ' + "[" * 900 + "]" * 900 + "}",
            '{"full_name": NaN}',
            "[" * 100_000,
        ):
            response = await admin.put(ME, content=content, headers=headers)
            assert response.status_code in {400, 413, 422}

    async def test_a6_form_with_many_fields(self, admin: httpx2.AsyncClient) -> None:
        form = {f"p{n}": "1" for n in range(2000)} | {"username": "ada", "password": "wrong"}
        assert (await admin.post(f"{AUTH}/login", data=form)).status_code in {400, 401, 422}
        files = {f"p{n}": b"x" for n in range(2000)}
        assert (await admin.post(f"{AUTH}/login", files=files)).status_code == 413


async def test_a11_validation_errors_never_echo(
    watched_client: httpx2.AsyncClient, output: StringIO
) -> None:
    """Neither in the response nor in the log."""
    client, secret = watched_client, "hunter2"
    await sign_in(client, "ada")
    answers = [
        await client.post(f"{AUTH}/register", json=profile("eve") | {"password": secret}),
        await client.post(f"{AUTH}/register", json={"password": [secret]}),
        await client.post(f"{AUTH}/register", content=f'{{"password": "{secret}'),
        await client.post(f"{AUTH}/login", data={"password": secret}),
        await client.post(f"{AUTH}/login", data={"username": "x", "password": secret * 20}),
        await client.post(f"{AUTH}/refresh", json={"refresh_token": {"a": secret}}),
        await client.put(f"{ME}/password", json={"new_password": secret}),
        await client.put(ME, json={"password": secret}),
    ]
    assert {answer.status_code for answer in answers} == {422}
    assert secret not in "".join(answer.text for answer in answers)
    assert "request" in output.getvalue()
    assert secret not in output.getvalue()


async def test_c22_no_password_leaves_the_service(
    client: httpx2.AsyncClient, session_factory: SessionFactory
) -> None:
    await sign_in(client, "ada")
    await make_admin(session_factory, "ada")
    tokens = await login(client, "ada")
    answers = [
        await client.get(ME),
        await client.put(ME, json={"full_name": "Ada L."}),
        await client.get(f"{USERS}/"),
        await client.get(f"{AUTH}/sessions"),
    ]
    for answer in answers:
        assert answer.status_code == 200
        for secret in ("argon2", "hash", "password", tokens.refresh):
            assert secret not in answer.text
    document = (await client.get("/openapi.json")).json()
    for name, schema in document["components"]["schemas"].items():
        for field, properties in schema.get("properties", {}).items():
            if "password" in field:
                hidden = str(properties)
                assert "'writeOnly': True" in hidden, f"{name}.{field}"
    assert "hashed_password" not in str(document)


async def test_a7_form_of_many_parts(client: httpx2.AsyncClient) -> None:
    parts = {f"field{number}": (None, "x") for number in range(5000)}
    refused = await client.post(f"{AUTH}/login", files=parts)
    assert refused.status_code == 413
    assert refused.headers["content-type"] == "application/problem+json"
    assert len(refused.content) < 4096


async def test_a7_compressed_body_is_never_unpacked(client: httpx2.AsyncClient) -> None:
    """A few compressed bytes cannot become a gigabyte."""
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    bomb = gzip.compress(b'{"email": "' + b"x" * 10**7 + b'"}')
    refused = await client.post(f"{AUTH}/register", content=bomb, headers=headers)
    assert refused.status_code in {400, 422}
    assert len(refused.content) < 4096
