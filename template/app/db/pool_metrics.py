"""How many connections there are, and how many may be."""

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import Settings
from app.core.metrics import DATABASE_CONNECTIONS, DATABASE_CONNECTIONS_MAX

IN_USE = DATABASE_CONNECTIONS.labels("in_use")
IDLE = DATABASE_CONNECTIONS.labels("idle")


def count_connections(engine: AsyncEngine, settings: Settings) -> None:
    """Keep the gauges true from now on.

    A connection that is lost while in use is closed, then returned; so the sums come out right.
    """

    def connect(*_: object) -> None:
        IDLE.inc()

    def close(*_: object) -> None:
        IDLE.dec()

    def check_out(*_: object) -> None:
        IDLE.dec()
        IN_USE.inc()

    def check_in(*_: object) -> None:
        IN_USE.dec()
        IDLE.inc()

    DATABASE_CONNECTIONS_MAX.set(settings.db_pool_size + settings.db_max_overflow)
    event.listen(engine.sync_engine, "connect", connect)
    event.listen(engine.sync_engine, "close", close)
    event.listen(engine.sync_engine, "checkout", check_out)
    event.listen(engine.sync_engine, "checkin", check_in)
