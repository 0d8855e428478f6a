"""Queries of the health checks."""

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.errors import sqlstate_of
from app.db.renewal import Renewal

_INSPECT = text(
    "SELECT version_num, current_setting('transaction_read_only') = 'on' AS read_only "
    "FROM (VALUES (1)) AS always LEFT JOIN alembic_version ON true"
)

_UNDEFINED_TABLE = "42P01"


class ReadOnlyError(Exception):
    """The database cannot be written to."""


class HealthRepository:
    """Queries about the database itself, each on a connection of its own.

    `renewal` is that of the connections for requests. With `may_be_read_only`, the database need
    not be writable.
    """

    def __init__(
        self, engine: AsyncEngine, renewal: Renewal, *, may_be_read_only: bool = False
    ) -> None:
        self._engine = engine
        self._renewal = renewal
        self._may_be_read_only = may_be_read_only

    async def current_revisions(self) -> frozenset[str]:
        """Return the revisions of the schema: one, or none before the first migration.

        Raises:
            ReadOnlyError: the database cannot be written to. The connections will be replaced:
                after a failover, new ones may lead to the new primary server.
        """
        async with self._engine.connect() as connection:
            try:
                rows = (await connection.execute(_INSPECT)).all()
            except DBAPIError as error:
                if sqlstate_of(error) == _UNDEFINED_TABLE:
                    return frozenset()
                raise
            if rows[0].read_only and not self._may_be_read_only:
                await connection.invalidate()
                self._renewal.demand()
                raise ReadOnlyError("the database is read-only")
            return frozenset(row.version_num for row in rows if row.version_num is not None)
