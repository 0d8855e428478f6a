"""Every query about failed logins."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.models.login_failure import LoginFailure


class LoginFailureRepository:
    """Counters in the database, by key. Nothing here commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def counted(
        self, since: Mapping[bytes, datetime | None], memory: timedelta
    ) -> dict[bytes, tuple[int, float]]:
        """Return how often each key failed, and how many seconds ago it last did.

        Failures are forgotten `memory` after the last of them, and those before `since`.
        """
        age = func.extract("epoch", func.now() - LoginFailure.last_failed_at)
        rows = await self._session.execute(
            select(LoginFailure.key, LoginFailure.failures, age)
            .where(LoginFailure.key.in_(since))
            .where(LoginFailure.last_failed_at > _forgotten(since, memory))
        )
        return {key: (failures, float(seconds)) for key, failures, seconds in rows}

    async def count(self, since: Mapping[bytes, datetime | None], memory: timedelta) -> None:
        """Count one more failure for each key."""
        # Sorted, so that two transactions never wait for each other.
        statement = insert(LoginFailure).values(
            [{"key": key, "failures": 1} for key in sorted(since)]
        )
        went_on = LoginFailure.last_failed_at > _forgotten(since, memory)
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


def _forgotten(
    since: Mapping[bytes, datetime | None], memory: timedelta
) -> ColumnElement[datetime]:
    starts = [(LoginFailure.key == key, start) for key, start in since.items() if start is not None]
    horizon = func.now() - memory
    # GREATEST passes over null, which CASE gives for a key without a start.
    return func.greatest(horizon, case(*starts)) if starts else horizon
