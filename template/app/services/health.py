"""Whether the service is well, and whether requests may come."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Literal, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app import __version__
from app.db.migrations import Revisions
from app.repositories.health import HealthRepository
from app.schemas.health import Health
from app.utils.exceptions import ServiceUnavailableError

log = structlog.get_logger(__name__)

T = TypeVar("T")

CHECK_FAILURES = (SQLAlchemyError, OSError)  # of which TimeoutError is one

CHECK_TIMEOUT = 0.8
"""Seconds a check may take: less than the second that Kubernetes' probes have by default."""


class HealthService:
    """Health and readiness. Every check is bounded by `CHECK_TIMEOUT`."""

    def __init__(
        self, repository: HealthRepository, revisions: Revisions, environment: str
    ) -> None:
        self._repository = repository
        self._revisions = revisions
        self._environment = environment

    async def report(self) -> Health:
        """Report on each part; never raises on a part that is away."""
        database = await self._database()
        return Health(
            status=database,
            version=__version__,
            environment=self._environment,
            database=database,
            timestamp=datetime.now(UTC),
        )

    async def require_ready(self) -> None:
        """Return when requests may come.

        Raises:
            ServiceUnavailableError: the database is away, or its schema is behind this build.
        """
        try:
            current = await _bounded(self._repository.current_revision())
        except CHECK_FAILURES as error:
            log.warning("not_ready", failure=type(error).__name__)
            raise ServiceUnavailableError("The database does not answer.") from error
        if not self._revisions.reached_by(current):
            log.warning("not_ready", failure="schema_behind", revision=current)
            raise ServiceUnavailableError("The database schema is behind: run `app migrate`.")

    async def _database(self) -> Literal["healthy", "unhealthy"]:
        try:
            await _bounded(self._repository.ping())
        except CHECK_FAILURES as error:
            log.warning("database_unhealthy", failure=type(error).__name__)
            return "unhealthy"
        return "healthy"


async def _bounded(check: Awaitable[T]) -> T:
    """Return what `check` returns, or raise TimeoutError in time.

    A connection to a server that hangs also takes its time to close. So the check is cancelled,
    but not waited for.
    """
    task = asyncio.ensure_future(check)
    done, _ = await asyncio.wait({task}, timeout=CHECK_TIMEOUT)
    if done:
        return task.result()
    task.cancel()
    task.add_done_callback(lambda late: late.cancelled() or late.exception())
    raise TimeoutError
