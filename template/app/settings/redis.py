"""Settings of Redis and of the cache."""

from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from app import PROJECT_SLUG
from app.settings.base import PLACEHOLDER_PASSWORDS, UsedIf, in_production
from app.settings.resilience import ResilienceSettings
from app.settings.url import require_escapes, require_host_name

_SCHEMES = {
    "redis": "redis",
    "rediss": "rediss",
    "unix": "unix",
    "valkey": "redis",
    "valkeys": "rediss",
}

# Others would change what the service relies on, such as its timeouts.
_OPTIONS = {
    "db",
    "password",
    "ssl_ca_certs",
    "ssl_ca_path",
    "ssl_cert_reqs",
    "ssl_certfile",
    "ssl_check_hostname",
    "ssl_keyfile",
    "username",
}


def parse_redis_url(value: SecretStr) -> SecretStr:
    """Return `value` as a URL that redis-py understands in full.

    Raises:
        ValueError: it cannot work; the message has no part of it.
    """
    text = value.get_secret_value().strip()
    scheme, _, rest = text.partition("://")
    if scheme not in _SCHEMES:
        raise ValueError("must begin with redis://, rediss:// or unix://")
    require_escapes(text)
    url = f"{_SCHEMES[scheme]}://{rest}"
    try:
        parts = urlsplit(url)
        missing = not parts.path if scheme == "unix" else not parts.hostname
        ConnectionPool.from_url(url).make_connection()  # type: ignore[no-untyped-call]  # redis-py's
        unknown = parse_qs(parts.query, keep_blank_values=True).keys() - _OPTIONS
    except (AttributeError, RedisError, TypeError, ValueError):
        raise ValueError("is no URL, or has a parameter that is not supported") from None
    if unknown:
        raise ValueError("has a parameter that is not supported")
    if missing:
        raise ValueError("does not say where Redis is")
    require_host_name(parts.hostname or "")
    if scheme != "unix" and not (parts.path in {"", "/"} or parts.path[1:].isdecimal()):
        raise ValueError("has a database that is no number")  # redis-py would take 0 instead
    return SecretStr(url)


class RedisSettings(ResilienceSettings):
    """Address and timeouts of Redis, and the cache. Valkey works as well."""

    redis_url: Annotated[
        SecretStr, AfterValidator(parse_redis_url), Field(examples=["redis://localhost"])
    ]
    """Redis or Valkey, as redis://user:password@host:6379/0; rediss:// for TLS."""

    redis_max_connections: Annotated[int, Field(ge=1)] = 10
    """Connections of each process, besides one for rate limits. A command waits for a free one."""

    redis_timeout: Annotated[float, Field(ge=0.001, le=60)] = 0.1
    """Seconds after which a request continues without Redis."""

    cache_enabled: bool = True
    """Cache results in Redis, as true or false."""

    cache_ttl: Annotated[int, Field(ge=1, le=86_400), UsedIf("cache_enabled")] = 300
    """Seconds until a result expires, unless the code says otherwise."""

    cache_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] = PROJECT_SLUG
    """The prefix of all keys, if services share a Redis: letters, digits, dots, hyphens."""

    @property
    def redis_is_open(self) -> bool:
        """Whether Redis asks for no password and no client certificate, over a network."""
        options = ConnectionPool.from_url(self.redis_url.get_secret_value()).connection_kwargs
        return not any(options.get(name) for name in ("password", "ssl_certfile", "path"))

    @field_validator("redis_url")
    @classmethod
    def _no_placeholder_in_production(cls, url: SecretStr, info: ValidationInfo) -> SecretStr:
        # No password is allowed: for a socket, or a private network.
        password = ConnectionPool.from_url(url.get_secret_value()).connection_kwargs.get("password")
        if in_production(info.data) and (password or "none").casefold() in PLACEHOLDER_PASSWORDS:
            raise ValueError("has a placeholder password, which production refuses")
        return url
