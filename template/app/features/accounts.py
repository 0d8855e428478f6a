"""Accounts: registration, login, sessions, roles and permissions."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypedDict

from fastapi import FastAPI

from app.accounts.breached import BreachedPasswords
from app.accounts.no_store import NoStore
from app.accounts.passwords import PasswordService
from app.accounts.rate_limit import ByUser
from app.api.openapi import change_document
from app.api.v1.endpoints import auth, users
from app.core.config import Settings
from app.core.feature import Feature, State
from app.server.exchange import Hook
from app.server.rate_limit import Limit
from app.services.export import export_sessions
from app.settings.accounts import AuthSettings

MAX_AUTH_BODY = 16_384
"""Bytes of a body under `/auth`, where anyone may send one: twice the longest registration."""


class AccountsState(TypedDict):
    """The state of accounts."""

    passwords: PasswordService
    breached_passwords: BreachedPasswords


@asynccontextmanager
async def part(settings: AuthSettings, _state: State) -> AsyncGenerator[AccountsState]:
    """Start and stop what checks and hashes passwords."""
    passwords, breached = PasswordService(settings), BreachedPasswords(settings)
    try:
        yield {"passwords": passwords, "breached_passwords": breached}
    finally:
        passwords.close()
        await breached.aclose()


def hooks(settings: Settings) -> Sequence[Hook]:
    """Keep all responses under `/auth` out of caches, including errors."""
    return [NoStore(_auth_path(settings))]


def body_limits(settings: Settings) -> Mapping[str, int]:
    """Keep bodies under `/auth` small: a form of one megabyte can block for half a second."""
    return {_auth_path(settings): min(MAX_AUTH_BODY, settings.max_body_size)}


def rate_limit(settings: Settings) -> ByUser:
    """Count requests per user."""
    limit = Limit("requests", settings.rate_limit_per_minute)
    return ByUser(limit, settings, auth_path=_auth_path(settings))


def install(app: FastAPI, _settings: Settings) -> None:
    """Document the URL of the login, which depends on the settings."""

    def name_login(document: dict[str, Any]) -> None:
        # Relative, because a proxy may serve the API under another path.
        scheme = document["components"]["securitySchemes"]["OAuth2PasswordBearer"]
        scheme["flows"]["password"]["tokenUrl"] = app.url_path_for("login").lstrip("/")

    change_document(app, name_login)


def _auth_path(settings: Settings) -> str:
    return f"{settings.api_v1_prefix}{auth.router.prefix}/"


# Swagger UI asks for the id and the secret of an OAuth client, which no caller has, and it has no
# option for a login without them.
DOCS_STYLE = """
.wrapper:has(> :is([for=client_id_password], [for=client_secret_password], [for=password_type])) {
  display: none
}
"""

ACCOUNTS = Feature(
    routers=(auth.router, users.router),
    tags={
        "auth": "Registration, login, and the sessions of the caller.",
        "users": "The caller's own account, and for admins all accounts.",
    },
    docs_style=DOCS_STYLE,
    part=part,
    exports={"sessions": export_sessions},
    hooks=hooks,
    body_limits=body_limits,
    rate_limit=rate_limit,
    install=install,
)
