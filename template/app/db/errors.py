"""Database failures as errors of the service."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from traceback import walk_tb

import structlog
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.utils.exceptions import ConflictError, ServiceUnavailableError

log = structlog.get_logger(__name__)


class DatabaseAccessError(Exception):
    """The database is unreachable or refuses access. The message names it, never a secret."""


# https://www.postgresql.org/docs/current/errcodes-appendix.html
_PASSING_SQLSTATES = {
    "25P03": "idle_in_transaction_session_timeout",
    "40001": "serialization_failure",
    "40P01": "deadlock_detected",
    "53300": "too_many_connections",
    "55P03": "lock_not_available",
    "57014": "query_canceled",
    "57P01": "admin_shutdown",
    "57P02": "crash_shutdown",
    "57P03": "cannot_connect_now",
}

# Wrong credentials, no such database, too many connections, still starting.
_REFUSED_SQLSTATES = ("28", "3D000", "53300", "57P03")


def passing_failure(error: Exception) -> str | None:
    """Return the name of a temporary failure; None if `error` is a fault of the service."""
    if isinstance(error, PoolTimeoutError):
        return "pool_timeout"
    if _raised_by_driver(error):
        return type(error).__name__
    if isinstance(error, DBAPIError):
        sqlstate = getattr(error.orig, "sqlstate", None)
        if sqlstate in _PASSING_SQLSTATES:
            return _PASSING_SQLSTATES[sqlstate]
        # Class 08 are connection exceptions, including connections lost while they were opened.
        if error.connection_invalidated or (sqlstate or "").startswith("08"):
            return "connection_lost"
    return None


@asynccontextmanager
async def translate_database_errors() -> AsyncGenerator[None]:
    """Turn a temporary failure into a 503, and a reference to a missing row into a 409.

    Other errors pass unchanged.
    """
    try:
        yield
    except Exception as error:
        if getattr(getattr(error, "orig", None), "sqlstate", None) == "23503":  # foreign key
            raise ConflictError("Something that this refers to is gone.") from error
        failure = passing_failure(error)
        if failure is None:
            raise
        log.warning("database_unavailable", failure=failure)
        raise ServiceUnavailableError("The database cannot answer right now.") from error


@contextmanager
def explain_access_errors(url: URL) -> Iterator[None]:
    """Raise `DatabaseAccessError` for errors of a wrong URL or an unreachable server."""
    try:
        yield
    except DBAPIError as error:
        sqlstate = getattr(error.orig, "sqlstate", None) or ""
        if not sqlstate.startswith(_REFUSED_SQLSTATES):
            raise
        reason = str(error.orig).rpartition(": ")[2]
    except OSError as error:
        if not _raised_by_driver(error):
            raise
        reason = type(error).__name__
    else:
        return
    raise DatabaseAccessError(
        f"{url.set(query={}).render_as_string()} cannot be used ({reason}): check DATABASE_URL."
    )


def _raised_by_driver(error: Exception) -> bool:
    """Return whether an OSError comes from the driver, such as for a refused connection."""
    return isinstance(error, OSError) and any(
        frame.f_globals.get("__name__", "").startswith("sqlalchemy.")
        for frame, _ in walk_tb(error.__traceback__)
    )
