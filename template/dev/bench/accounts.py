"""The cases of accounts."""

import asyncio
import json
from collections.abc import Mapping
from urllib.parse import urlencode

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from app.accounts.permissions import Role
from app.core.security import get_password_hash
from app.models.user import User
from app.settings.accounts import AuthSettings
from app.settings.database_url import parse_database_url
from dev.bench.case import CLIENTS, Case, Request, get
from dev.bench.client import ask
from dev.bench.servers import Server

PASSWORD = "correct horse battery staple"  # noqa: S105  # of accounts that exist for some minutes


def build_cases(service: Server) -> list[Case]:
    """Create an account for each client, log all in at the service, and return the cases."""
    names = [f"user{number}" for number in range(len(CLIENTS))]
    asyncio.run(_create(names, service.variables))
    logins = [
        Request(
            "/api/v1/auth/login",
            client,
            "POST",
            body=urlencode({"username": name, "password": PASSWORD}),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        for name, client in zip(names, CLIENTS, strict=True)
    ]
    tokens = [json.loads(ask(service.port, login))["access_token"] for login in logins]
    headers = [{"Authorization": f"Bearer {token}"} for token in tokens]
    me, page = get("/api/v1/users/me", headers), get("/api/v1/users/", headers)
    return [
        Case("users/me", me, me, per_second=50),
        Case("users/", page, page, per_second=50),
        Case("login", logins, logins, connections=4, per_second=5, seconds=2),
    ]


async def _create(names: list[str], variables: Mapping[str, str]) -> None:
    hashing = AuthSettings(jwt_secret_key=SecretStr(variables["JWT_SECRET_KEY"]))
    hashed = get_password_hash(PASSWORD, hashing)
    engine = create_async_engine(parse_database_url(variables["DATABASE_URL"]))
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
