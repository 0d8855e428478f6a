"""What the health checks ask the database."""

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine


class HealthRepository:
    """Questions about the database itself, each on a connection of its own."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def ping(self) -> None:
        """Ask for an answer, any answer."""
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def current_revision(self) -> str | None:
        """Return the revision of the schema, None when no migration ever ran."""
        async with self._engine.connect() as connection:
            try:
                result = await connection.execute(text("SELECT version_num FROM alembic_version"))
            except ProgrammingError:  # the table does not exist yet
                return None
            revision: str | None = result.scalar_one_or_none()
            return revision
