"""Metrics of the database connections."""

from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from app.metrics.instruments import DATABASE_CONNECTIONS, DATABASE_CONNECTIONS_MAX
from app.settings.database import DatabaseSettings

IN_USE = DATABASE_CONNECTIONS.labels("in_use")
IDLE = DATABASE_CONNECTIONS.labels("idle")


def count_connections(engine: AsyncEngine, settings: DatabaseSettings) -> None:
    """Keep the gauges up to date from now on.

    A connection that is lost while in use is closed, then returned, so the sums stay correct. A
    connection that could not be checked out is returned as well, so each record has a flag for it.
    """

    def connect(*_: object) -> None:
        IDLE.inc()

    def close(*_: object) -> None:
        IDLE.dec()

    def check_out(_connection: object, record: Any, _proxy: object) -> None:
        record.record_info["in_use"] = True
        IDLE.dec()
        IN_USE.inc()

    def check_in(_connection: object, record: Any) -> None:
        if record.record_info.pop("in_use", False):
            IN_USE.dec()
            IDLE.inc()

    DATABASE_CONNECTIONS_MAX.set(settings.db_pool_size + settings.db_max_overflow)
    event.listen(engine.sync_engine, "connect", connect)
    event.listen(engine.sync_engine, "close", close)
    event.listen(engine.sync_engine, "checkout", check_out)
    event.listen(engine.sync_engine, "checkin", check_in)
