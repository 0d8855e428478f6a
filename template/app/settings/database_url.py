"""Database URLs as people and platforms write them."""

import os
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.settings.url import require_escapes, require_host_name

_DIALECTS = ("postgresql+asyncpg", "postgresql", "postgres")
_TLS_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_TLS_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_TARGETS = ("any", "primary", "standby", "prefer-standby", "read-write", "read-only")
_LARGEST_PORT = 65_535

# Parameters of libpq that platforms append; asyncpg does not need them, or there is a setting.
_NOT_NEEDED = ("application_name", "channel_binding", "connect_timeout", "gssencmode")

_SUPPORTED = "host, sslcert, sslcrl, sslkey, sslmode, sslrootcert, target_session_attrs"
_INSTEAD = {
    **dict.fromkeys(
        ("dbname", "password", "port", "user"),
        "write postgresql://user:password@host:5432/database",
    ),
    "options": "use ALTER DATABASE … SET",
    "passfile": "set PGPASSFILE",
    "service": "set PGSERVICE",
    "sslpassword": "use a key without a password",
}


def parse_database_url(value: object) -> URL:
    """Return `value` as a URL for asyncpg.

    It accepts `postgres://` and libpq's parameters for TLS, which most platforms use.

    Raises:
        ValueError: it cannot work; the message has no part of it except a parameter's name.
    """
    try:
        url = value if isinstance(value, URL) else _parse(str(value).strip())
    except ArgumentError:
        raise ValueError("is not a URL") from None
    if url.drivername not in _DIALECTS:
        raise ValueError("must begin with postgresql://")
    if not url.database:
        raise ValueError("names no database")
    if url.port is not None and not 0 < url.port <= _LARGEST_PORT:
        raise ValueError("has an impossible port")
    for host in (url.host or "", *str(url.query.get("host", "")).split(",")):
        if not host.startswith("/"):  # it is no directory of a socket
            require_host_name(host)
    return url.set(drivername="postgresql+asyncpg", query=_parse_query(url))


def _parse(text: str) -> URL:
    require_escapes(text)
    _, _, query = text.partition("?")
    if not all(value for _, value in parse_qsl(query, keep_blank_values=True)):
        raise ValueError("has a parameter without a value")
    try:
        return make_url(text)
    except ValueError:  # the port is no number
        raise ValueError("is not a URL") from None


def _parse_query(url: URL) -> dict[str, str]:
    query, files = dict[str, str](), dict[str, str]()
    for name, value in url.query.items():
        if name in _NOT_NEEDED:
            continue
        key = "ssl" if name == "sslmode" else name
        if key in query or not isinstance(value, str):
            raise ValueError(f"has the parameter {name!r} twice")
        if key in _TLS_FILES:
            files[key] = _require_file(key, value)
        elif key in {"host", "ssl", "target_session_attrs"}:
            query[key] = value
        else:
            instead = _INSTEAD.get(name, f"it takes {_SUPPORTED}")
            raise ValueError(f"has the parameter {name!r}, which is not supported: {instead}")
    _check_tls(query, files)
    if query.get("target_session_attrs", "any") not in _TARGETS:
        raise ValueError(f"must have one of these for target_session_attrs: {', '.join(_TARGETS)}")
    if files:
        # asyncpg takes the files only in a URL of its own. Its other parts come from this one.
        query["dsn"] = f"postgresql:///?{urlencode(files)}"
    return query


def _check_tls(query: dict[str, str], files: dict[str, str]) -> None:
    mode = query.get("ssl") or os.environ.get("PGSSLMODE", "prefer")
    if mode not in _TLS_MODES:
        raise ValueError(f"must have one of these for ssl: {', '.join(_TLS_MODES)}")
    if "sslrootcert" in files:
        if mode in {"disable", "allow", "prefer"}:
            raise ValueError("has an sslrootcert that nothing checks: add sslmode=verify-full")
    elif mode.startswith("verify") and not _has_authority():
        raise ValueError("asks for a verified server: add sslrootcert or set PGSSLROOTCERT")


def _require_file(name: str, file: str) -> str:
    if not (Path(file).is_file() and os.access(file, os.R_OK)):
        raise ValueError(f"names a file for {name} that cannot be read")
    return file


def _has_authority() -> bool:
    file = os.environ.get("PGSSLROOTCERT") or Path.home() / ".postgresql" / "root.crt"
    return Path(file).is_file()
