"""Database failures as errors of the service."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from socket import gaierror
from traceback import walk_tb

import structlog
from sqlalchemy import URL
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.utils.exceptions import ConflictError, OperatorError, ServiceUnavailableError

log = structlog.get_logger(__name__)

MAX_REASON = 300
"""Characters of a reason that are logged."""


class DatabaseAccessError(OperatorError):
    """The database is unreachable or refuses access. The message names it, never a secret."""


# https://www.postgresql.org/docs/current/errcodes-appendix.html
_PASSING_SQLSTATES = {
    "25006": "read_only_sql_transaction",
    "25P03": "idle_in_transaction_session_timeout",
    "26000": "invalid_sql_statement_name",
    "40001": "serialization_failure",
    "40P01": "deadlock_detected",
    "42P05": "duplicate_prepared_statement",
    "53300": "too_many_connections",
    "55P03": "lock_not_available",
    "57014": "query_canceled",
    "57P01": "admin_shutdown",
    "57P02": "crash_shutdown",
    "57P03": "cannot_connect_now",
}

# Wrong credentials, no such database, too many connections, still starting.
_REFUSED_SQLSTATES = ("28", "3D000", "53300", "57P03")


def sqlstate_of(error: Exception) -> str:
    """Return PostgreSQL's code for an error of the driver; "" if it has none."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def passing_failure(error: Exception) -> str | None:
    """Return the name of a temporary failure; None if `error` is a fault of the service."""
    if isinstance(error, PoolTimeoutError):
        return "pool_timeout"
    if _raised_by_driver(error):
        return type(error).__name__
    return _failure_in_database(error) if isinstance(error, DBAPIError) else None


def _failure_in_database(error: DBAPIError) -> str | None:
    sqlstate = sqlstate_of(error)
    if sqlstate == "25006" and not error.connection_invalidated:
        return None  # the service itself asked for a transaction that cannot write
    if sqlstate in _PASSING_SQLSTATES:
        return _PASSING_SQLSTATES[sqlstate]
    if sqlstate.startswith(_REFUSED_SQLSTATES):
        return "access_refused"
    # Class 08 are connection exceptions, including connections lost while they were opened.
    if error.connection_invalidated or sqlstate.startswith("08"):
        return "connection_lost"
    if isinstance(error.orig, AsyncAdapt_asyncpg_dbapi.InvalidCachedStatementError):
        return "schema_changed"  # from now on, SQLAlchemy prepares all statements anew
    return None


def reason_of(error: Exception) -> str:
    """Return the words of the server, or of the system, for a temporary failure.

    They name no value. Of other errors they may, such as of one that violates a constraint.
    """
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    reason = str(cause.args[0] if isinstance(cause, SQLAlchemyError) else cause)[:MAX_REASON]
    return f"{reason}; set DB_POOLER=true" if "startup parameter" in reason else reason


@asynccontextmanager
async def translate_database_errors() -> AsyncGenerator[None]:
    """Turn a temporary failure into a 503, and a reference to a missing row into a 409.

    Other errors pass unchanged.
    """
    try:
        yield
    except Exception as error:
        if sqlstate_of(error) == "23503":  # foreign key
            raise ConflictError("Something that this refers to is gone.") from error
        failure = passing_failure(error)
        if failure is None:
            raise
        log.warning("database_unavailable", failure=failure, reason=reason_of(error))
        raise ServiceUnavailableError("The database cannot answer right now.") from error


@contextmanager
def explain_access_errors(url: URL, setting: str = "DATABASE_URL") -> Iterator[None]:
    """Raise `DatabaseAccessError` for errors of a wrong URL or an unreachable server.

    The message names the setting that the URL is from.
    """
    try:
        yield
    except DBAPIError as error:
        if not sqlstate_of(error).startswith((*_REFUSED_SQLSTATES, "08", "25006")):
            raise
        reason = reason_of(error)
    except OSError as error:
        if not _raised_by_driver(error):
            raise
        reason = _in_words(error)
    else:
        return
    shown = url.set(drivername="postgresql", query={}).render_as_string()
    raise DatabaseAccessError(f"{shown} cannot be used ({reason}): check {setting}.")


def _in_words(error: OSError) -> str:
    words: dict[type[OSError], str] = {
        ConnectionRefusedError: "nothing listens there",
        FileNotFoundError: "there is no such socket or file",
        TimeoutError: "it does not answer",
        gaierror: "its host name is unknown",
    }
    return words.get(type(error)) or error.strerror or str(error)


def _raised_by_driver(error: Exception) -> bool:
    """Return whether an OSError comes from the driver, such as for a refused connection."""
    return isinstance(error, OSError) and any(
        frame.f_globals.get("__name__", "").startswith("sqlalchemy.")
        for frame, _ in walk_tb(error.__traceback__)
    )
