"""Queries of the health checks."""

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine


class HealthRepository:
    """Queries about the database itself, each on a connection of its own."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def ping(self) -> None:
        """Check that the database responds."""
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def current_revision(self) -> str | None:
        """Return the revision of the schema, None before the first migration."""
        async with self._engine.connect() as connection:
            try:
                result = await connection.execute(text("SELECT version_num FROM alembic_version"))
            except ProgrammingError:  # the table does not exist yet
                return None
            revision: str | None = result.scalar_one_or_none()
            return revision
