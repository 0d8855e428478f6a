"""The checks of `app check`."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from app.db.errors import DatabaseAccessError, explain_access_errors
from app.db.migrations import Revisions
from app.repositories.health import HealthRepository, ReadOnlyError

PATIENCE = 10
"""Seconds after which a check has failed."""


async def check_dependencies(state: Mapping[str, Any]) -> AsyncGenerator[tuple[str, str | None]]:
    """Yield the name of each dependency, and its fault or None."""
    repository = HealthRepository(
        state["probe_engine"],
        state["renewal"],
        may_be_read_only=state["settings"].db_read_only,
    )
    current: frozenset[str] = frozenset()

    async def check_database() -> None:
        nonlocal current
        with explain_access_errors(state["settings"].database_url):
            current = await repository.current_revisions()

    fault = await _fault(check_database)
    yield "database", fault
    behind = _behind(state["revisions"], current)
    yield "schema", "The database cannot be asked." if fault else behind
    for name, check in state["checks"].items():
        yield name, await _fault(partial(check, state))


def _behind(revisions: Revisions, current: frozenset[str]) -> str | None:
    if revisions.reached_by(current):
        return None
    place = f"at {', '.join(sorted(current))}" if current else "empty"
    return f"It is {place}, but {revisions.head} is needed: run `app migrate`."


async def _fault(check: Callable[[], Awaitable[object]]) -> str | None:
    try:
        await asyncio.wait_for(check(), PATIENCE)
    except (DatabaseAccessError, ReadOnlyError) as error:
        return str(error)
    except Exception as error:  # noqa: BLE001  # each client library has its own errors
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return ". ".join([reason.rstrip("."), *getattr(error, "__notes__", [])])
    return None
