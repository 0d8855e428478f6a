"""Settings of accounts: keys, lifetimes, and parameters of password hashes."""

from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

import httpx2
from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from app.settings.base import BaseServiceSettings, UpperCase, UsedIf, in_production
from app.settings.url import require_escapes, require_host_name

PLACEHOLDER_SECRETS = ("change-me", "changeme", "default", "example", "insecure", "secret")

MIN_KEY_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
"""The length that RFC 7518, section 3.2, requires of a key: that of the hash."""

MIN_KEY_VARIETY = 8
"""Distinct characters in a key: a random one practically always has more, even in hex."""

WEAKEST_ARGON2_COST = 35_840
"""Memory in KiB times passes, of the weakest row in OWASP's Password Storage Cheat Sheet."""


def parse_range_url(value: str) -> str:
    """Return `value` with a slash at its end, so that the digits of a hash can follow.

    Without TLS, anyone on the way could read these digits, and say that a password is fine.

    Raises:
        ValueError: it cannot work, or is not safe; the message has no part of it.
    """
    if {"?", "#", "@"} & set(value):
        raise ValueError("must have no user, no password, no parameters and no fragment")
    require_escapes(value)
    try:
        url, _port = httpx2.URL(value), urlsplit(value).port  # which is in range
        require_host_name(url.raw_host.decode())
    except (httpx2.InvalidURL, ValueError):
        raise ValueError("is no address") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("must begin with https:// and name a host")
    if url.scheme == "http" and not _is_loopback(url.host):
        raise ValueError("must begin with https://: http:// is for this machine only")
    return f"{value.rstrip('/')}/"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class AuthSettings(BaseServiceSettings):
    """Signing of tokens and hashing of passwords."""

    jwt_algorithm: Annotated[Literal["HS256", "HS384", "HS512"], UpperCase] = "HS256"
    """The one algorithm that signs tokens: HS256, HS384 or HS512."""

    jwt_secret_key: Annotated[SecretStr, Field(examples=["an example, which signs nothing at all"])]
    """The key that signs tokens: random, 32 bytes or more, as `openssl rand -base64 48` prints."""

    jwt_previous_secret_key: SecretStr | None = None
    """The previous key: its tokens stay valid. Remove it after REFRESH_TOKEN_EXPIRE_DAYS."""

    access_token_expire_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    """Minutes that an access token is valid."""

    refresh_token_expire_days: Annotated[int, Field(ge=1, le=365)] = 7
    """Days that a refresh token is valid, and a session that is not used."""

    session_max_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """Days after which a session ends in any case."""

    known_network_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """Days after a login for which guesses elsewhere do not delay the account at its network."""

    argon2_memory_cost: Annotated[int, Field(ge=8, le=4_194_304)] = 19_456
    """KiB of memory to hash a password."""

    argon2_time_cost: Annotated[int, Field(ge=1, le=100)] = 2
    """Passes over that memory."""

    argon2_parallelism: Annotated[int, Field(ge=1, le=64)] = 1
    """Threads that hash one password."""

    argon2_concurrency: Annotated[int, Field(ge=1, le=64)] = 2
    """Passwords that each process hashes at the same time; others wait."""

    breached_passwords_url: Annotated[str, AfterValidator(parse_range_url)] | None = None
    """Where new passwords are looked up in data breaches: https://api.pwnedpasswords.com/range/."""

    rate_limit_auth_per_minute: Annotated[
        int, Field(ge=1, le=10_000), UsedIf("rate_limit_enabled")
    ] = 30
    """Requests that one address may send to /auth within any minute."""

    rate_limit_address_per_minute: Annotated[
        int, Field(ge=1, le=1_000_000), UsedIf("rate_limit_enabled")
    ] = 1000
    """Requests with a token that one address may send within any minute, for all its users."""

    @field_validator("jwt_secret_key", "jwt_previous_secret_key")
    @classmethod
    def _strong_key(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if key is None:
            return key
        value = key.get_secret_value()
        algorithm = info.data.get("jwt_algorithm", "HS256")
        if len(value.encode()) < MIN_KEY_BYTES[algorithm]:
            raise ValueError(f"is shorter than the {MIN_KEY_BYTES[algorithm]} bytes of {algorithm}")
        if in_production(info.data) and (
            len(set(value)) < MIN_KEY_VARIETY
            or any(word in value.casefold() for word in PLACEHOLDER_SECRETS)
        ):
            raise ValueError("is no random key, which production refuses")
        return key

    @field_validator("argon2_time_cost")
    @classmethod
    def _costly_hash_in_production(cls, time_cost: int, info: ValidationInfo) -> int:
        memory_cost = info.data.get("argon2_memory_cost", WEAKEST_ARGON2_COST)
        if in_production(info.data) and memory_cost * time_cost < WEAKEST_ARGON2_COST:
            raise ValueError("is too low for this ARGON2_MEMORY_COST, which production refuses")
        return time_cost

    @field_validator("argon2_parallelism")
    @classmethod
    def _memory_for_each_thread(cls, parallelism: int, info: ValidationInfo) -> int:
        if parallelism * 8 > info.data.get("argon2_memory_cost", parallelism * 8):
            raise ValueError("takes an ARGON2_MEMORY_COST of 8 for each thread")
        return parallelism
