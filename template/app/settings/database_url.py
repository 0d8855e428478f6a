"""Database URLs as people and platforms write them."""

import os
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

_DIALECTS = ("postgresql+asyncpg", "postgresql", "postgres")
_TLS_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_LARGEST_PORT = 65_535

# Parameters of libpq that platforms append; asyncpg does not need them, or there is a setting.
_NOT_NEEDED = ("application_name", "channel_binding", "connect_timeout")


def parse_database_url(value: object) -> URL:
    """Return `value` as a URL for asyncpg.

    It accepts `postgres://` and libpq's `sslmode=`, which most platforms use.

    Raises:
        ValueError: it cannot work; the message has no part of it except a parameter's name.
    """
    try:
        url = value if isinstance(value, URL) else make_url(str(value).strip())
    except (ArgumentError, ValueError):
        raise ValueError("is not a URL") from None
    if url.drivername not in _DIALECTS:
        raise ValueError("must begin with postgresql://")
    if not url.database:
        raise ValueError("names no database")
    if url.port is not None and not 0 < url.port <= _LARGEST_PORT:
        raise ValueError("has an impossible port")
    return url.set(drivername="postgresql+asyncpg", query=_parse_query(url))


def _parse_query(url: URL) -> dict[str, str]:
    query = {}
    for name, value in url.query.items():
        if name in _NOT_NEEDED:
            continue
        key = "ssl" if name == "sslmode" else name
        if key not in {"host", "ssl"} or not isinstance(value, str):
            raise ValueError(f"has the parameter {name!r}, which is not supported")
        query[key] = value
    mode = query.get("ssl", "disable")
    if mode not in _TLS_MODES:
        raise ValueError(f"must have one of these for ssl: {', '.join(_TLS_MODES)}")
    if mode.startswith("verify") and not _has_authority():
        raise ValueError("asks for a verified server: set PGSSLROOTCERT to its authority's file")
    return query


def _has_authority() -> bool:
    file = os.environ.get("PGSSLROOTCERT") or Path.home() / ".postgresql" / "root.crt"
    return Path(file).is_file()
