"""Accounts: the caller's own, and for admins all."""

import re
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from app.accounts.names import parse_username
from tests.accounts import (
    AUTH,
    ME,
    PASSWORD,
    USERS,
    attempt,
    login,
    make_admin,
    profile,
    prove,
    register,
    sign_in,
)
from tests.conftest import SessionFactory


class TestRegister:
    async def test_answers_with_the_account(self, client: httpx2.AsyncClient) -> None:
        account = await register(client, "ada", full_name="  Ada Lovelace ")
        assert account.keys() == {
            "id",
            "email",
            "username",
            "full_name",
            "role",
            "is_active",
            "created_at",
            "updated_at",
        }
        assert (account["email"], account["username"]) == ("ada@example.com", "ada")
        assert (account["full_name"], account["role"], account["is_active"]) == (
            "Ada Lovelace",
            "user",
            True,
        )

    @pytest.mark.parametrize(
        "wrong",
        [
            {"email": "ada"},
            {"email": "ada@localhost"},
            {"username": "ab"},
            {"username": "x" * 33},
            {"username": "-ada"},
            {"username": "a b c"},
            {"full_name": "x" * 201},
            {"full_name": None},
        ],
    )
    async def test_refuses_what_is_wrong(
        self, client: httpx2.AsyncClient, wrong: dict[str, object]
    ) -> None:
        response = await client.post(f"{AUTH}/register", json={**profile("ada"), **wrong})
        assert response.status_code == 422
        assert response.json()["errors"][0]["loc"] == ["body", next(iter(wrong))]

    async def test_documented_example_is_true(self, client: httpx2.AsyncClient) -> None:
        schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
        (example,) = schemas["UserCreate"]["examples"]
        response = await client.post(f"{AUTH}/register", json=example)
        assert response.status_code == 201
        assert (
            response.json().items()
            >= {name: value for name, value in example.items() if name != "password"}.items()
        )


class TestLogin:
    @pytest.mark.parametrize("name", ["ada", "ADA", "ada@example.com", "Ada@Example.com"])
    async def test_by_username_or_email_address(
        self, client: httpx2.AsyncClient, name: str
    ) -> None:
        await register(client, "ada")
        tokens = await login(client, name)
        assert tokens.body.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
        assert (await client.get(ME, headers=tokens.bearer)).json()["username"] == "ada"

    async def test_as_oauth_clients_do(self, client: httpx2.AsyncClient) -> None:
        """They send more parameters than needed; `/docs` does, too."""
        await register(client, "ada")
        form = {"grant_type": "password", "username": "ada", "password": PASSWORD, "scope": ""}
        assert (await client.post(f"{AUTH}/login", data=form)).status_code == 200
        form["grant_type"] = "client_credentials"
        assert (await client.post(f"{AUTH}/login", data=form)).status_code == 422

    async def test_tokens_are_kept_by_no_cache(self, client: httpx2.AsyncClient) -> None:
        """RFC 6749, section 5.1."""
        await register(client, "ada")
        for password in (PASSWORD, "wrong"):
            answer = await attempt(client, "ada", password)
            assert answer.headers["cache-control"] == "no-store"
        assert "cache-control" not in (await client.get("/live")).headers

    async def test_docs_know_the_address(self, client: httpx2.AsyncClient) -> None:
        """Relative to the service, under any path of a proxy."""
        components = (await client.get("/openapi.json")).json()["components"]
        (scheme,) = components["securitySchemes"].values()
        assert scheme["flows"]["password"]["tokenUrl"] == "api/v1/auth/login"


class TestMe:
    async def test_reads(self, client: httpx2.AsyncClient) -> None:
        account = await sign_in(client, "ada")
        assert (await client.get(ME)).json() == account

    async def test_changes_what_is_sent(self, client: httpx2.AsyncClient) -> None:
        before = await sign_in(client, "ada")
        await prove(client)
        after = (await client.put(ME, json={"full_name": "Ada L.", "username": "ADA.l"})).json()
        assert after == before | {
            "full_name": "Ada L.",
            "username": "ADA.l",
            "updated_at": after["updated_at"],
        }
        assert (await client.put(ME, json={})).json() == after
        # The same address is no new one.
        assert (await client.put(ME, json={"email": before["email"]})).status_code == 200
        await login(client, "ada.L")

    async def test_name_of_somebody_else(self, client: httpx2.AsyncClient) -> None:
        await register(client, "eve")
        await sign_in(client, "ada")
        await prove(client)
        response = await client.put(ME, json={"username": "EVE"})
        assert (response.status_code, response.json()["error_code"]) == (409, "conflict")
        assert (await client.get(ME)).json()["username"] == "ada"


class TestAdministration:
    @pytest.fixture
    async def admin(
        self, client: httpx2.AsyncClient, session_factory: SessionFactory
    ) -> httpx2.AsyncClient:
        """A client of an admin among three accounts."""
        await register(client, "eve", email="eve@example.org")
        await register(client, "bob_1", email="bob@example.org")
        await sign_in(client, "ada")
        await make_admin(session_factory, "ada")
        return client

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("sort=username", ["ada", "bob_1", "eve"]),
            ("sort=-username", ["eve", "bob_1", "ada"]),
            ("sort=email", ["ada", "bob_1", "eve"]),
            ("sort=id", ["eve", "bob_1", "ada"]),
            ("sort=-created_at", ["ada", "bob_1", "eve"]),
            ("sort=id&page_size=2&page=2", ["ada"]),
            ("sort=id&q=EVE", ["eve"]),
            ("q=bob@example.o", ["bob_1"]),
            ("q=example", []),  # only at the beginning
            ("q=bob_", ["bob_1"]),
            ("q=b_b", []),  # A10: no wildcard, just a character
            ("q=%25", []),
            ("q=%5C", []),
            ("role=admin", ["ada"]),
            ("role=user&sort=username", ["bob_1", "eve"]),
            ("is_active=false", []),
            ("is_active=true&q=eve", ["eve"]),
        ],
    )
    async def test_lists(self, admin: httpx2.AsyncClient, query: str, found: list[str]) -> None:
        page = (await admin.get(f"{USERS}/?{query}")).json()
        assert [user["username"] for user in page["users"]] == found
        assert page.keys() == {"users", "total", "total_is_exact", "page", "page_size", "pages"}
        if "page" not in query:
            assert (page["total"], page["page"]) == (len(found), 1)

    async def test_pages_end_where_counting_ends(self, admin: httpx2.AsyncClient) -> None:
        refused = await admin.get(f"{USERS}/?page=501")
        assert refused.status_code == 422
        assert "row 10,000: narrow the list by q" in refused.json()["errors"][0]["msg"]
        assert (await admin.get(f"{USERS}/?page=500")).json()["users"] == []

    async def test_reads_changes_and_deletes(self, admin: httpx2.AsyncClient) -> None:
        (eve,) = (await admin.get(f"{USERS}/?q=eve")).json()["users"]
        address = f"{USERS}/{eve['id']}"
        assert (await admin.get(address)).json() == eve
        change: dict[str, Any] = {"email": "new@example.org", "role": "admin", "is_active": False}
        assert (await admin.put(address, json=change)).json().items() >= change.items()
        assert (await admin.delete(address)).status_code == 204
        for method in ("GET", "DELETE", "PUT"):
            body = {"full_name": "x"} if method == "PUT" else None
            response = await admin.request(method, address, json=body)
            assert response.status_code == 404

    async def test_name_of_somebody_else(self, admin: httpx2.AsyncClient) -> None:
        (eve,) = (await admin.get(f"{USERS}/?q=eve")).json()["users"]
        response = await admin.put(f"{USERS}/{eve['id']}", json={"username": "ada"})
        assert response.status_code == 409


class TestDocumentation:
    def test_usernames_have_the_documented_form(self, app: FastAPI) -> None:
        """X24: the pattern decides as the service does, for each ASCII character."""
        schema = app.openapi()["components"]["schemas"]["UserCreate"]["properties"]["username"]
        pattern = re.compile(schema["pattern"])
        for char in map(chr, range(128)):
            for name in (f"a{char}b", f"{char}ab"):
                assert bool(pattern.search(name)) == is_username(name), name

    async def test_dialog_asks_for_name_and_password_only(self, client: httpx2.AsyncClient) -> None:
        """X24: nobody has the id and the secret of an OAuth client."""
        page = (await client.get("/docs")).text
        script = (await client.get("/docs/assets/swagger-ui-bundle.js")).text
        for label in ("client_id_", "client_secret_", "password_type"):
            assert f"[for={label}" in page
            assert re.search(rf'htmlFor:["`]{label}', script)  # as the page's style expects


def is_username(name: str) -> bool:
    try:
        parse_username(name)
    except ValueError:
        return False
    return True
