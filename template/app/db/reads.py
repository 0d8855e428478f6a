"""Reads that need no transaction."""

from typing import Any, TypeVar

from sqlalchemy import Connection, Select, event
from sqlalchemy.ext.asyncio import AsyncEngine

S = TypeVar("S", bound=Select[*tuple[Any, ...]])

_OPTION = "read_only"


def read_only(statement: S) -> S:
    """Let a SELECT run without a transaction, if none has begun: it saves BEGIN and COMMIT.

    It sees what is committed when it begins, as every statement does in READ COMMITTED, the default
    of PostgreSQL. In a transaction, it is part of it. Do not use this for a SELECT that locks rows,
    or that calls a function that writes, locks, or changes a setting.
    """
    return statement.execution_options(**{_OPTION: True})


def read_outside_transactions(engine: AsyncEngine) -> None:
    """Begin the transactions of `engine` at the first statement that is not `read_only`."""

    def prepare(connection: Connection, *given: Any) -> None:
        _, _, _, context, _ = given
        driver = connection.connection.dbapi_connection
        driver.autocommit = _OPTION in context.execution_options  # type: ignore[union-attr]

    event.listen(engine.sync_engine, "before_cursor_execute", prepare)
