"""Health and readiness of the service."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app import __version__
from app.db.errors import reason_of
from app.db.migrations import Revisions
from app.repositories.health import HealthRepository, ReadOnlyError
from app.schemas.health import Health, PartStatus
from app.server.drain import Drain
from app.utils.exceptions import ServiceUnavailableError

log = structlog.get_logger(__name__)

T = TypeVar("T")

CHECK_FAILURES = (SQLAlchemyError, OSError, ReadOnlyError)  # TimeoutError is an OSError

Check = Callable[[], Awaitable[object]]

CHECK_TIMEOUT = 0.8
"""Seconds that a check may take: less than the usual timeout of probes, one second."""

REMEMBERED = 1.0
"""Seconds from the beginning of a check in which its outcome is remembered."""


class RecentOutcomes:
    """The outcomes of recent checks. Requests that arrive during a check wait for its outcome."""

    def __init__(self) -> None:
        self._checks: dict[str, tuple[float, asyncio.Task[Any]]] = {}

    async def get(self, name: str, check: Callable[[], Awaitable[T]]) -> T:
        """Return or raise what the check does, or did a moment ago.

        Raises:
            TimeoutError: the check takes longer than `CHECK_TIMEOUT`.
        """
        return await _outcome(self.begin(name, check))

    def begin(self, name: str, check: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        """Return the task of the check: a new one, or one that runs or ended a moment ago."""
        began_at, task = self._checks.get(name, (0.0, None))
        now = time.monotonic()
        if task is None or (task.done() and now - began_at >= REMEMBERED):
            task = asyncio.create_task(_bounded(check))
            task.add_done_callback(_retrieve)
            self._checks[name] = (now, task)
        return task


class HealthService:
    """Health and readiness. Every check has the timeout `CHECK_TIMEOUT`.

    `checks` are those of optional dependencies, by name.
    """

    def __init__(
        self,
        repository: HealthRepository,
        checks: Mapping[str, Check],
        revisions: Revisions,
        drain: Drain,
        *,
        outcomes: RecentOutcomes,
        environment: str,
    ) -> None:
        self._repository = repository
        self._checks = checks
        self._revisions = revisions
        self._drain = drain
        self._outcomes = outcomes
        self._environment = environment

    async def report(self) -> Health:
        """Report the state of every dependency, without an error if one is down."""
        begun = {
            name: self._outcomes.begin(f"check:{name}", check)
            for name, check in self._checks.items()
        }
        database = await self._database()
        parts = {name: await self._status(name, check) for name, check in begun.items()}
        degraded = database == "healthy" and "unhealthy" in parts.values()
        return Health(
            status="degraded" if degraded else database,
            version=__version__,
            environment=self._environment,
            database=database,
            timestamp=datetime.now(UTC),
            **parts,
        )

    async def require_ready(self) -> None:
        """Return if the service can take requests.

        Raises:
            ServiceUnavailableError: the process is shutting down, the database is down or
                read-only, or its schema is behind this build.
        """
        if self._drain.begun:
            raise ServiceUnavailableError("This process is about to stop.")
        try:
            current = await self._outcomes.get("database", self._repository.current_revisions)
        except CHECK_FAILURES as error:
            log.warning("not_ready", failure=type(error).__name__, reason=reason_of(error))
            if isinstance(error, ReadOnlyError):
                raise ServiceUnavailableError("The database is read-only.") from error
            raise ServiceUnavailableError("The database does not answer.") from error
        if not self._revisions.reached_by(current):
            log.warning("not_ready", failure="schema_behind", revisions=sorted(current))
            raise ServiceUnavailableError("The database schema is behind: run `app migrate`.")

    async def _database(self) -> PartStatus:
        try:
            await self._outcomes.get("database", self._repository.current_revisions)
        except CHECK_FAILURES as error:
            log.warning("database_unhealthy", failure=type(error).__name__, reason=reason_of(error))
            return "unhealthy"
        return "healthy"

    async def _status(self, name: str, check: asyncio.Task[object]) -> PartStatus:
        try:
            await _outcome(check)
        except Exception as error:  # noqa: BLE001  # each client library has its own errors
            log.warning(f"{name}_unhealthy", failure=type(error).__name__)
            return "unhealthy"
        return "healthy"


async def _outcome(check: asyncio.Task[T]) -> T:
    # Shielded: a request that is cancelled must not cancel the check for others.
    return check.result() if check.done() else await asyncio.shield(check)


async def _bounded(check: Callable[[], Awaitable[T]]) -> T:
    """Return what `check` returns, or raise TimeoutError in time.

    Closing a connection to a server that hangs takes time as well. So the check is cancelled, but
    not awaited.
    """
    task = asyncio.ensure_future(check())
    task.add_done_callback(_retrieve)
    try:
        done, _ = await asyncio.wait({task}, timeout=CHECK_TIMEOUT)
        if done:
            return task.result()
        raise TimeoutError
    finally:
        task.cancel()


def _retrieve(task: asyncio.Future[Any]) -> None:
    """Take the error of a check that nothing waits for any more: asyncio would log it."""
    if not task.cancelled():
        task.exception()
