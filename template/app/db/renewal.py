"""Connections that are open but of no use any more, and how they are replaced."""

from sqlalchemy import ExceptionContext, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_USELESS_SQLSTATES = {
    "25006",  # read_only_sql_transaction: after a failover, the server is a replica
    "26000",  # invalid_sql_statement_name: the session has lost its prepared statements
    "42P05",  # duplicate_prepared_statement: it has those of another client
}


def drop_useless_connections(engine: AsyncEngine) -> None:
    """Treat errors that new connections may not have as a lost connection.

    The first such error closes its connection, and all others of the pool before their next use.
    """

    def drop(failure: ExceptionContext) -> None:
        sqlstate = getattr(failure.original_exception, "sqlstate", None)
        if sqlstate in _USELESS_SQLSTATES and not _wants_read_only(failure):
            failure.is_disconnect = True

    event.listen(engine.sync_engine, "handle_error", drop)


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
