"""Accounts to measure with."""

import asyncio
import json
from collections.abc import Mapping
from urllib.parse import urlencode
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from app.accounts.permissions import Role
from app.core.security import get_password_hash
from app.models.user import User
from app.settings.accounts import AuthSettings
from app.settings.database_url import parse_database_url
from dev.bench.load import Case, Request

USERS = 100
"""Enough that none reaches a limit of its own."""

PASSWORD = "correct horse battery staple"  # noqa: S105  # of accounts that exist for a minute


def cases(settings: Mapping[str, str], port: int) -> list[Case]:
    """Create accounts, log them in at the service on this port, and return what to ask."""
    names = [f"user{number}" for number in range(USERS)]
    asyncio.run(_create(names, settings))
    forms = [urlencode({"username": name, "password": PASSWORD}) for name in names]
    login = "/api/v1/auth/login"
    clients = [f"198.51.100.{number}" for number in range(USERS)]
    logins = [
        Request(login, "POST", body=form, client=client)
        for form, client in zip(forms, clients, strict=True)
    ]
    tokens = [_log_in(f"http://127.0.0.1:{port}{login}", form) for form in forms]

    def signed_in(path: str) -> list[Request]:
        return [
            Request(path, token=token, client=client)
            for token, client in zip(tokens, clients, strict=True)
        ]

    me, listed = signed_in("/api/v1/users/me"), signed_in("/api/v1/users/")
    return [
        Case("users/me", me, me),
        Case("users/", listed, listed),
        Case("login", logins, logins, seconds=4, pause_ms=400),
    ]


async def _create(names: list[str], settings: Mapping[str, str]) -> None:
    hashing = AuthSettings(jwt_secret_key=SecretStr(settings["JWT_SECRET_KEY"]))
    hashed = get_password_hash(PASSWORD, hashing)
    engine = create_async_engine(parse_database_url(settings["DATABASE_URL"]))
    async with AsyncSession(engine) as session, session.begin():
        session.add_all(
            User(
                email=f"{name}@example.com",
                username=name,
                full_name=f"User {name}",
                hashed_password=hashed,
                role=Role.ADMIN,
            )
            for name in names
        )
    await engine.dispose()


def _log_in(url: str, form: str) -> str:
    with urlopen(HttpRequest(url, form.encode())) as answer:  # noqa: S310  # our own
        token: str = json.load(answer)["access_token"]
        return token
