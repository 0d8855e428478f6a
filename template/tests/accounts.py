"""Accounts for tests."""

from typing import Any

import httpx2
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from app.accounts.permissions import Role
from app.models.user import User

AUTH = "/api/v1/auth"
USERS = "/api/v1/users"
ME = f"{USERS}/me"
PASSWORD = "correct horse battery staple"


def profile(username: str) -> dict[str, str]:
    """Return the registration of `username`."""
    return {"email": f"{username}@example.com", "username": username, "password": PASSWORD}


async def register(client: httpx2.AsyncClient, username: str, **changes: str) -> dict[str, Any]:
    """Create an account and return it."""
    response = await client.post(f"{AUTH}/register", json=profile(username) | changes)
    assert response.status_code == 201, response.text
    account: dict[str, Any] = response.json()
    return account


async def attempt(
    client: httpx2.AsyncClient, username: str, password: str = PASSWORD
) -> httpx2.Response:
    """Try to log in."""
    return await client.post(f"{AUTH}/login", data={"username": username, "password": password})


async def login(client: httpx2.AsyncClient, username: str, password: str = PASSWORD) -> "Tokens":
    """Log in and return the tokens."""
    response = await attempt(client, username, password)
    assert response.status_code == 200, response.text
    return Tokens(response.json())


async def sign_in(client: httpx2.AsyncClient, username: str) -> dict[str, Any]:
    """Create an account, log `client` in to it, and return the account."""
    account = await register(client, username)
    client.headers.update((await login(client, username)).bearer)
    return account


async def prove(
    client: httpx2.AsyncClient, password: str = PASSWORD, headers: dict[str, str] | None = None
) -> None:
    """Send the password again, as sensitive changes require."""
    proof = {"password": password}
    response = await client.post(f"{AUTH}/reauthenticate", json=proof, headers=headers)
    assert response.status_code == 204, response.text


async def make_admin(session_factory: async_sessionmaker[AsyncSession], username: str) -> None:
    """Make the account an admin, which no request can do."""
    async with session_factory.begin() as session:
        await session.execute(update(User).where(User.username == username).values(role=Role.ADMIN))


class Tokens:
    """The tokens of a login."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body
        self.access: str = body["access_token"]
        self.refresh: str = body["refresh_token"]

    @property
    def bearer(self) -> dict[str, str]:
        """The header that authenticates the account."""
        return {"Authorization": f"Bearer {self.access}"}

    async def renew(self, client: httpx2.AsyncClient) -> httpx2.Response:
        """Use the refresh token."""
        return await client.post(f"{AUTH}/refresh", json={"refresh_token": self.refresh})
