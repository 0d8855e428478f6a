"""Connections through a pooler, such as PgBouncer in transaction mode.

Each transaction may run in another session of the server. So nothing may be kept in a session:
neither settings nor prepared statements.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine

WITHOUT_PREPARED_STATEMENTS: Mapping[str, Any] = {
    "statement_cache_size": 0,  # of asyncpg
    "prepared_statement_cache_size": 0,  # of SQLAlchemy
    "prepared_statement_name_func": lambda: "",  # an unnamed statement ends with its transaction
}
"""Options for asyncpg. The pool of the engine stays: it saves logins to the pooler."""


def set_in_each_transaction(engine: AsyncEngine, values: Mapping[str, str]) -> None:
    """Set these parameters of PostgreSQL at the begin of each transaction, until its end.

    Poolers refuse most parameters at the start of a connection.
    """
    settings = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in values.items())

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT {settings}")

    event.listen(engine.sync_engine, "begin", begin)
