"""Reads that need no transaction."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker

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


async def fetch_row(
    sessions: async_sessionmaker[AsyncSession],
    statement: Select[*tuple[Any, ...]],
    values: Mapping[str, Any],
) -> Row[*tuple[Any, ...]] | None:
    """Return the first row that a `read_only` statement finds, over a connection without a session.

    If the connection breaks, the statement runs once more on another one: reading twice is
    harmless.
    """
    rows = await _fetch(sessions.kw["bind"], statement, values)
    return rows[0] if rows else None


async def fetch_rows(
    session: AsyncSession, statement: Select[*tuple[Any, ...]], values: Mapping[str, Any]
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return all rows that a `read_only` statement finds, as `fetch_row` does.

    If the session has begun a transaction, the statement is part of it. Otherwise, it costs about
    half without the session.
    """
    if session.in_transaction():
        return (await session.execute(statement, values)).all()
    return await _fetch(session.bind, statement, values)


async def _fetch(
    bind: Any, statement: Select[*tuple[Any, ...]], values: Mapping[str, Any]
) -> Sequence[Row[*tuple[Any, ...]]]:
    try:
        return await _fetch_once(bind, statement, values)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
    return await _fetch_once(bind, statement, values)


async def _fetch_once(
    bind: AsyncEngine | AsyncConnection,
    statement: Select[*tuple[Any, ...]],
    values: Mapping[str, Any],
) -> Sequence[Row[*tuple[Any, ...]]]:
    # In tests, all sessions share a connection, which stays open.
    lent = bind.connect() if isinstance(bind, AsyncEngine) else nullcontext(bind)
    async with lent as connection:
        return (await connection.execute(statement, values)).all()
