"""Connections that are open but of no use any more, and how they are replaced."""

from time import monotonic
from typing import Any

from sqlalchemy import ExceptionContext, event
from sqlalchemy.exc import DisconnectionError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_USELESS_SQLSTATES = {
    "25006",  # read_only_sql_transaction: after a failover, the server is a replica
    "26000",  # invalid_sql_statement_name: the session has lost its prepared statements
    "42P05",  # duplicate_prepared_statement: it has those of another client
}


IDLE_SECONDS = 1.0
"""Seconds without use after which a connection is checked before its next use.

One that was used a moment ago works in all likelihood. If not, its request fails, as it would if
the connection broke during the request.
"""


def drop_useless_connections(engine: AsyncEngine) -> None:
    """Treat errors that new connections may not have as a lost connection.

    The first such error closes its connection, and all others of the pool before their next use.
    """

    def drop(failure: ExceptionContext) -> None:
        sqlstate = getattr(failure.original_exception, "sqlstate", None)
        if sqlstate in _USELESS_SQLSTATES and not _wants_read_only(failure):
            failure.is_disconnect = True

    event.listen(engine.sync_engine, "handle_error", drop)


def check_idle_connections(engine: AsyncEngine) -> None:
    """Replace connections that broke while they were idle, and then all others of the pool.

    SQLAlchemy's `pool_pre_ping` asks the server before each use, with three messages.
    """

    def check_in(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info["idle_since"] = monotonic()

    def check_out(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
        idle_since = record.info.get("idle_since")
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError
        if idle_since is not None and monotonic() - idle_since > IDLE_SECONDS:
            try:
                engine.dialect.do_ping(connection)
            except Exception as error:  # after any error, the connection cannot be used
                raise InvalidatePoolError from error

    event.listen(engine.sync_engine, "checkin", check_in)
    event.listen(engine.sync_engine, "checkout", check_out)


class Renewal:
    """Replaces all connections of an engine on demand. Create it before the first connection."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._generation = 0
        event.listen(engine.sync_engine, "connect", self._connect)
        event.listen(engine.sync_engine, "checkout", self._check_out)

    def demand(self) -> None:
        """Replace each connection that is open now, before its next use."""
        self._generation += 1

    def _connect(self, _connection: object, record: ConnectionPoolEntry) -> None:
        record.info["generation"] = self._generation

    def _check_out(self, _connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
        if record.info["generation"] != self._generation:
            raise DisconnectionError


def _wants_read_only(failure: ExceptionContext) -> bool:
    """Return whether the service asked for a transaction that cannot write."""
    connection = failure.connection
    options = connection.get_execution_options() if connection is not None else {}
    return bool(options.get("postgresql_readonly"))
