"""Every query about failed logins."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, case, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.models.login_failure import LoginFailure


class Recent(NamedTuple):
    """How often a key failed, and how many seconds ago it last did."""

    failures: int
    age: float


class LoginFailureRepository:
    """Counters in the database, by key. Nothing here commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def recent(
        self, since: Mapping[bytes, datetime | None], memory: timedelta
    ) -> dict[bytes, Recent]:
        """Return the failures of each key that has any.

        They are forgotten `memory` after the last of them, and if that was before `since`.
        """
        age = func.extract("epoch", func.now() - LoginFailure.last_failed_at)
        rows = await self._session.execute(
            select(LoginFailure.key, LoginFailure.failures, age)
            .where(LoginFailure.key.in_(since))
            .where(LoginFailure.last_failed_at > _horizon(since, memory))
        )
        return {key: Recent(failures, float(seconds)) for key, failures, seconds in rows}

    async def record(self, since: Mapping[bytes, datetime | None], memory: timedelta) -> None:
        """Count one more failure for each key."""
        statement = insert(LoginFailure).values([{"key": key, "failures": 1} for key in since])
        went_on = LoginFailure.last_failed_at > _horizon(since, memory)
        await self._session.execute(
            statement.on_conflict_do_update(
                index_elements=[LoginFailure.key],
                set_={
                    "failures": case((went_on, LoginFailure.failures + 1), else_=1),
                    "last_failed_at": func.now(),
                },
            )
        )

    async def purge(self, memory: timedelta) -> int:
        """Delete what is forgotten anyway; return how much there was."""
        gone = await self._session.scalars(
            delete(LoginFailure)
            .where(LoginFailure.last_failed_at <= func.now() - memory)
            .returning(LoginFailure.key)
        )
        return len(gone.all())


def _horizon(since: Mapping[bytes, datetime | None], memory: timedelta) -> ColumnElement[datetime]:
    starts = [(LoginFailure.key == key, start) for key, start in since.items() if start is not None]
    oldest = func.now() - memory
    # GREATEST passes over null, which CASE gives for a key without a start.
    return func.greatest(oldest, case(*starts)) if starts else oldest
