"""Signed tokens and password hashes.

Scripts and shells may omit `settings`; then the environment's settings are used.
"""

from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Literal, NoReturn
from uuid import UUID

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from jwt.types import Options
from pydantic import SecretStr

from app import PROJECT_SLUG
from app.core.config import load_settings
from app.settings.accounts import AuthSettings
from app.utils.exceptions import UnauthorizedError

Kind = Literal["access", "refresh"]

# Explicit types, so that one kind is never accepted as another (RFC 8725, section 3.11; RFC 9068).
_TYPES = {"access": "at+jwt", "refresh": "rt+jwt"}

LEEWAY = timedelta(seconds=10)
"""How far the clocks of two replicas may differ."""

_OPTIONS: Options = {
    "require": ["iss", "aud", "sub", "iat", "exp", "jti", "type"],
    "strict_aud": True,
    "enforce_minimum_key_length": True,
}


def create_access_token(
    subject: str, *, session_id: UUID | None = None, settings: AuthSettings | None = None
) -> str:
    """Return a token for `subject`, a user's id. The API accepts it only in a live session."""
    settings = settings or _settings_of_environment()
    lifetime = timedelta(minutes=settings.access_token_expire_minutes)
    return _create("access", subject, session_id, lifetime, settings)


def create_refresh_token(
    subject: str, *, session_id: UUID | None = None, settings: AuthSettings | None = None
) -> str:
    """Return a token that renews a session. Its `jti` has 256 random bits."""
    settings = settings or _settings_of_environment()
    lifetime = timedelta(days=settings.refresh_token_expire_days)
    return _create("refresh", subject, session_id, lifetime, settings)


def verify_token(
    token: str, *, kind: Kind = "access", settings: AuthSettings | None = None
) -> dict[str, Any]:
    """Return the claims of a token that this service signed, in this environment, as `kind`.

    The header must name the key of ours that fits. The algorithm is fixed; `jku`, `jwk` and `x5u`
    are ignored (RFC 8725, sections 3.1 and 3.10).

    Raises:
        UnauthorizedError: it is anything else, it has expired, or it is not valid yet.
    """
    decoded = _decode(token, settings or _settings_of_environment())
    claims: dict[str, Any] = decoded["payload"]
    if decoded["header"].get("typ") != _TYPES[kind] or claims["type"] != kind:
        refuse_token()
    return claims


def refuse_token() -> NoReturn:
    """Raise the same error for all invalid tokens: it does not reveal the reason."""
    raise UnauthorizedError("The token is missing, not valid, or no longer valid.") from None


def hash_token(token: str) -> bytes:
    """Return the hash to store of a token. A token is random, so a fast hash is enough."""
    return sha256(token.encode()).digest()


def get_password_hash(password: str, settings: AuthSettings | None = None) -> str:
    """Return an Argon2id hash with the parameters of the settings.

    It uses a whole core for a while. On the event loop, use `PasswordService`.
    """
    return _hasher(settings or _settings_of_environment()).hash(password)


def verify_password(plain: str, hashed: str) -> bool:
    """Return whether `hashed`, with any parameters, is the hash of `plain`."""
    try:
        return PasswordHasher().verify(hashed, plain)
    except (VerifyMismatchError, InvalidHashError):
        return False


def is_outdated(hashed: str, settings: AuthSettings) -> bool:
    """Return whether `hashed` has other parameters than the settings."""
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


def _decode(token: str, settings: AuthSettings) -> dict[str, Any]:
    """Return header and claims of a token that one of our keys has signed."""
    for kid, key in _keys(settings).items():
        try:
            decoded = jwt.decode_complete(
                token,
                key,
                algorithms=[settings.jwt_algorithm],
                issuer=_issuer(settings),
                audience=_issuer(settings),
                leeway=LEEWAY,
                options=_OPTIONS,
            )
        except jwt.InvalidSignatureError:
            continue  # another key may fit
        except jwt.InvalidTokenError:
            break
        if decoded["header"].get("kid") == kid:
            return decoded
    refuse_token()


def _keys(settings: AuthSettings) -> dict[str, str]:
    """Return the keys by id; the first one signs."""
    return _by_id(settings.jwt_secret_key, settings.jwt_previous_secret_key)


@lru_cache(maxsize=8)
def _by_id(*given: SecretStr | None) -> dict[str, str]:
    keys = [key.get_secret_value() for key in given if key is not None]
    return {sha256(key.encode()).hexdigest()[:16]: key for key in keys}


def _issuer(settings: AuthSettings) -> str:
    """Return issuer and audience of a token: production accepts no token of staging."""
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
