"""Every query about failed logins."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, DateTime, Float, case, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.reads import read_only
from app.models.login_failure import LoginFailure

MEMORY = timedelta(hours=1)
"""The time after the last failure until a counter restarts."""


@dataclass(frozen=True, slots=True)
class Counters:
    """The keys that one failure counts for.

    They are always in the same order, so that two transactions cannot deadlock.
    """

    strict: bytes
    forgiven: datetime | None
    """Failures of the strict counter before this time do not count."""

    loose: Mapping[bytes, timedelta]
    """The other keys, and the time without a failure until each forgets one."""

    @property
    def keys(self) -> tuple[bytes, ...]:
        """All keys."""
        return (self.strict, *self.loose)


class Recent(NamedTuple):
    """The failures of a key that still count, and the seconds since the last one."""

    failures: int
    age: float


class LoginFailureRepository:
    """Counters in the database, by key. Nothing here commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def recent(self, counters: Counters) -> dict[bytes, Recent]:
        """Return the failures of each key that has any."""
        statement = select(LoginFailure.key, _still_counting(counters), _age())
        rows = await self._session.execute(
            read_only(statement.where(LoginFailure.key.in_(counters.keys)))
        )
        return {key: Recent(int(failures), float(age)) for key, failures, age in rows}

    async def record(self, counters: Counters) -> None:
        """Count one more failure for each key."""
        statement = insert(LoginFailure).values(
            [{"key": key, "failures": 1} for key in counters.keys]
        )
        await self._session.execute(
            statement.on_conflict_do_update(
                index_elements=[LoginFailure.key],
                set_={"failures": _still_counting(counters) + 1, "last_failed_at": func.now()},
            )
        )

    async def purge(self) -> int:
        """Delete the counters without a failure for `MEMORY`; return their number."""
        gone = await self._session.scalars(
            delete(LoginFailure)
            .where(LoginFailure.last_failed_at <= func.now() - MEMORY)
            .returning(LoginFailure.key)
        )
        return len(gone.all())


def _age() -> ColumnElement[Any]:
    return func.extract("epoch", func.now() - LoginFailure.last_failed_at)


def _still_counting(counters: Counters) -> ColumnElement[Any]:
    # GREATEST ignores null.
    forgiven = literal(counters.forgiven, DateTime(timezone=True))
    horizon = func.greatest(
        func.now() - MEMORY, case((LoginFailure.key == counters.strict, forgiven))
    )
    leak = case(
        *(
            (LoginFailure.key == key, literal(leak.total_seconds(), Float))
            for key, leak in counters.loose.items()
        )
    )
    leaked = func.floor(_age() / leak)  # null for the strict counter, which forgets nothing
    left = func.greatest(LoginFailure.failures - func.coalesce(leaked, 0), 0)
    return case((LoginFailure.last_failed_at > horizon, left), else_=0)
