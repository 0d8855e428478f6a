"""X1: bodies under `/auth`, where strangers may send them, are small."""

import json

import httpx2
import pytest

from app.accounts.password_policy import MAX_LENGTH
from app.features.accounts import MAX_AUTH_BODY
from tests.accounts import AUTH, ME, sign_in

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("path", ["register", "login", "refresh", "logout"])
async def test_x1_bodies_under_auth_have_a_small_limit(
    client: httpx2.AsyncClient, path: str
) -> None:
    """X1: one form of a megabyte would block for half a second."""
    for size, statuses in ((MAX_AUTH_BODY, {401, 422}), (MAX_AUTH_BODY + 1, {413})):
        body = b'{"a":"'.ljust(size - 2, b"%") + b'"}'
        response = await client.post(f"{AUTH}/{path}", content=body, headers=JSON)
        assert response.status_code in statuses


async def test_x1_the_longest_registration_fits(client: httpx2.AsyncClient) -> None:
    """X1: also if every letter is escaped; each of these letters takes twelve bytes then."""
    letter = "\N{DESERET SMALL LETTER LONG I}"
    account = {
        "email": f"{'e' * 64}@{'.'.join(['d' * 62] * 3)}",
        "username": "u" * 32,
        "full_name": letter * 200,
        "password": letter * MAX_LENGTH,
    }
    body = json.dumps(account).encode()
    response = await client.post(f"{AUTH}/register", content=body, headers=JSON)
    assert response.status_code == 201, response.text
    login = {"username": account["email"], "password": account["password"]}
    assert (await client.post(f"{AUTH}/login", data=login)).status_code == 200


async def test_x1_other_paths_keep_their_limit(client: httpx2.AsyncClient) -> None:
    """X1."""
    await sign_in(client, "ada")
    body = b'{"full_name": "Ada"}'.ljust(MAX_AUTH_BODY + 1)
    assert (await client.put(ME, content=body, headers=JSON)).status_code == 200
