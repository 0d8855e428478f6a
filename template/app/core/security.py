"""Signed tokens and password hashes.

Scripts and shells may leave out `settings`: then they are the environment's.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Literal, NoReturn
from uuid import UUID

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from app import PROJECT_SLUG
from app.core.config import load_settings
from app.settings.accounts import AuthSettings
from app.utils.exceptions import UnauthorizedError

Kind = Literal["access", "refresh"]

# Explicit types, so that one kind never passes for the other (RFC 8725, section 3.11; RFC 9068).
_TYPES = {"access": "at+jwt", "refresh": "rt+jwt"}

LEEWAY = timedelta(seconds=10)
"""How far the clocks of two replicas may differ."""

_REQUIRED = ["iss", "aud", "sub", "iat", "exp", "jti", "type"]


def create_access_token(
    subject: str, *, session_id: UUID | None = None, settings: AuthSettings | None = None
) -> str:
    """Return a token for `subject`, a user's id. The API takes it only within a live session."""
    settings = settings or _settings_of_environment()
    lifetime = timedelta(minutes=settings.access_token_expire_minutes)
    return _create("access", subject, session_id, lifetime, settings)


def create_refresh_token(
    subject: str, *, session_id: UUID | None = None, settings: AuthSettings | None = None
) -> str:
    """Return a token to renew a session with. Its `jti` makes it 256 bits that nobody can guess."""
    settings = settings or _settings_of_environment()
    lifetime = timedelta(days=settings.refresh_token_expire_days)
    return _create("refresh", subject, session_id, lifetime, settings)


def verify_token(
    token: str, *, kind: Kind = "access", settings: AuthSettings | None = None
) -> dict[str, Any]:
    """Return the claims of a token that this service signed, in this environment, as `kind`.

    The header decides nothing but which of our own keys to try: one fixed algorithm, and `jku`,
    `jwk` or `x5u` are never looked at (RFC 8725, sections 3.1 and 3.10).

    Raises:
        UnauthorizedError: it is anything else, or its time has not come or is over.
    """
    settings = settings or _settings_of_environment()
    try:
        key = _keys(settings)[jwt.get_unverified_header(token).get("kid", "")]
        decoded = jwt.decode_complete(
            token,
            key,
            algorithms=[settings.jwt_algorithm],
            issuer=_issuer(settings),
            audience=_issuer(settings),
            leeway=LEEWAY,
            options={"require": _REQUIRED, "strict_aud": True, "enforce_minimum_key_length": True},
        )
    except (jwt.InvalidTokenError, KeyError):
        refuse_token()
    claims: dict[str, Any] = decoded["payload"]
    if decoded["header"].get("typ") != _TYPES[kind] or claims["type"] != kind:
        refuse_token()
    return claims


def refuse_token() -> NoReturn:
    """Raise the one answer to every token that is no good: it does not say why."""
    raise UnauthorizedError("The token is missing, not valid, or no longer valid.") from None


def hash_token(token: str) -> bytes:
    """Return what is stored of a token. It is too random to guess, so a fast hash is enough."""
    return sha256(token.encode()).digest()


def get_password_hash(password: str, settings: AuthSettings | None = None) -> str:
    """Return an Argon2id hash with the parameters of the settings.

    It takes all of a core for a while. On the event loop, ask `PasswordService`.
    """
    return _hasher(settings or _settings_of_environment()).hash(password)


def verify_password(plain: str, hashed: str) -> bool:
    """Tell whether `hashed`, with whatever parameters, is the hash of `plain`."""
    try:
        return PasswordHasher().verify(hashed, plain)
    except (VerifyMismatchError, InvalidHashError):
        return False


def is_outdated(hashed: str, settings: AuthSettings) -> bool:
    """Tell whether `hashed` was made with other parameters than those of the settings."""
    try:
        return _hasher(settings).check_needs_rehash(hashed)
    except InvalidHashError:
        return True


def _create(
    kind: Kind, subject: str, session_id: UUID | None, lifetime: timedelta, settings: AuthSettings
) -> str:
    now = datetime.now(UTC)
    claims = {
        "iss": _issuer(settings),
        "aud": _issuer(settings),
        "sub": subject,
        "iat": now,
        "exp": now + lifetime,
        "jti": token_urlsafe(32),
        "type": kind,
    }
    if session_id is not None:
        claims["sid"] = str(session_id)
    kid, key = next(iter(_keys(settings).items()))
    headers = {"typ": _TYPES[kind], "kid": kid}
    return jwt.encode(claims, key, algorithm=settings.jwt_algorithm, headers=headers)


def _keys(settings: AuthSettings) -> dict[str, str]:
    """Return the keys by id, the one that signs first."""
    given = (settings.jwt_secret_key, settings.jwt_previous_secret_key)
    keys = [key.get_secret_value() for key in given if key is not None]
    return {sha256(key.encode()).hexdigest()[:16]: key for key in keys}


def _issuer(settings: AuthSettings) -> str:
    """Name who signs, which is also whom it is for: no token of staging passes in production."""
    return f"{PROJECT_SLUG}/{settings.environment}"


def _hasher(settings: AuthSettings) -> PasswordHasher:
    return PasswordHasher(
        time_cost=settings.argon2_time_cost,
        memory_cost=settings.argon2_memory_cost,
        parallelism=settings.argon2_parallelism,
    )


@cache
def _settings_of_environment() -> AuthSettings:
    return load_settings()
