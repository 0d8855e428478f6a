"""The access token of a request."""

from typing import Any

from starlette.types import Scope

from app.core.security import verify_token
from app.server.headers import header
from app.settings.accounts import AuthSettings
from app.utils.exceptions import UnauthorizedError


def access_claims(scope: Scope, settings: AuthSettings) -> dict[str, Any] | None:
    """Return the claims of a request's access token, or None if it has no valid one.

    The rate limit and the endpoint need them: the token is verified once.
    """
    if "access_claims" not in scope:
        scope["access_claims"] = _verify(header(scope, b"authorization"), settings)
    claims: dict[str, Any] | None = scope["access_claims"]
    return claims


def _verify(authorization: str, settings: AuthSettings) -> dict[str, Any] | None:
    kind, _, token = authorization.partition(" ")
    if kind.lower() != "bearer":
        return None
    try:
        return verify_token(token, settings=settings)
    except UnauthorizedError:
        return None
