"""The checks of `app check`."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from sqlalchemy import URL

from app.db.errors import DatabaseAccessError, explain_access_errors
from app.db.migrations import MigrationError, Revisions
from app.repositories.health import HealthRepository

PATIENCE = 10
"""Seconds after which a check has failed."""


async def check_dependencies(state: Mapping[str, Any]) -> AsyncGenerator[tuple[str, str | None]]:
    """Yield the name of each dependency, and its fault or None."""
    repository = HealthRepository(state["probe_engine"])
    fault = await _fault(partial(_check_database, repository, state["settings"].database_url))
    yield "database", fault
    if fault is None:
        yield "schema", await _fault(partial(_check_schema, repository, state["revisions"]))
    else:
        yield "schema", "The database cannot be asked."
    for name, check in state["checks"].items():
        yield name, await _fault(partial(check, state))


async def _check_database(repository: HealthRepository, url: URL) -> None:
    with explain_access_errors(url):
        await repository.ping()


async def _check_schema(repository: HealthRepository, revisions: Revisions) -> None:
    current = await repository.current_revision()
    if not revisions.reached_by(current):
        place = f"at {current}" if current else "empty"
        raise MigrationError(f"It is {place}, but {revisions.head} is needed: run `app migrate`.")


async def _fault(check: Callable[[], Awaitable[object]]) -> str | None:
    try:
        await asyncio.wait_for(check(), PATIENCE)
    except (DatabaseAccessError, MigrationError) as error:
        return str(error)
    except Exception as error:  # noqa: BLE001  # each client library has its own errors
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return ". ".join([reason.rstrip("."), *getattr(error, "__notes__", [])])
    return None
