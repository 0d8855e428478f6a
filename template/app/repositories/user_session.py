"""Every query about sessions. What counts is the database's clock."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from app.accounts.origin import Origin
from app.models.user import User
from app.models.user_session import UserSession


class UserSessionRepository:
    """Sessions in the database. Nothing here commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def start(
        self,
        session_id: UUID,
        user: User,
        refresh_hash: bytes,
        origin: Origin,
        lifetime: timedelta,
    ) -> bool:
        """Insert a session that ends after `lifetime` unless it is renewed.

        False when the account was closed or got another password since it was read. Checking the
        password took a while; what ended all sessions meanwhile ends this one as well.
        """
        unchanged = (
            select(
                literal(session_id),
                User.id,
                literal(refresh_hash),
                literal(origin.address, INET),
                literal(origin.user_agent),
                func.now() + lifetime,
            )
            .where(User.id == user.id, User.is_active)
            .where(User.hashed_password == user.hashed_password)
            .with_for_update(read=True)
        )
        columns = ["id", "user_id", "refresh_hash", "ip_address", "user_agent", "expires_at"]
        statement = insert(UserSession).from_select(columns, unchanged).returning(UserSession.id)
        return await self._session.scalar(statement) is not None

    async def find_live(self, session_id: UUID, user_id: int) -> UserSession | None:
        """Return the session with its user, if both may still act."""
        return await self._session.scalar(
            select(UserSession)
            .join(UserSession.user)
            .options(contains_eager(UserSession.user))
            .where(UserSession.id == session_id, UserSession.user_id == user_id)
            .where(*_live(), User.is_active)
        )

    async def rotate(
        self,
        session_id: UUID,
        *,
        spent: bytes,
        fresh: bytes,
        lifetime: timedelta,
        max_age: timedelta,
    ) -> bool:
        """Replace the refresh token, if `spent` is the newest.

        It is one statement, so that of several at once exactly one succeeds.
        """
        statement = (
            update(UserSession)
            .where(UserSession.id == session_id, UserSession.refresh_hash == spent, *_live())
            .where(UserSession.user_id.in_(select(User.id).where(User.is_active)))
            .values(
                refresh_hash=fresh,
                last_used_at=func.now(),
                expires_at=func.least(func.now() + lifetime, UserSession.created_at + max_age),
            )
            .returning(UserSession.id)
        )
        return await self._session.scalar(statement) is not None

    async def of_user(self, user_id: int) -> Sequence[UserSession]:
        """Return the live sessions, the last used first, as many as anybody can look through."""
        statement = (
            select(UserSession)
            .where(UserSession.user_id == user_id, *_live())
            .order_by(UserSession.last_used_at.desc(), UserSession.id)
            .limit(100)
        )
        return (await self._session.scalars(statement)).all()

    async def revoke(
        self, user_id: int, *, only: UUID | None = None, but: UUID | None = None
    ) -> int:
        """End the user's live sessions, or `only` one, or all `but` one; return how many ended."""
        statement = update(UserSession).where(UserSession.user_id == user_id, *_live())
        if only is not None:
            statement = statement.where(UserSession.id == only)
        if but is not None:
            statement = statement.where(UserSession.id != but)
        ended = await self._session.scalars(
            statement.values(revoked_at=func.now()).returning(UserSession.id)
        )
        return len(ended.all())

    async def purge(self) -> int:
        """Delete the expired sessions; return how many there were."""
        gone = await self._session.scalars(
            delete(UserSession)
            .where(UserSession.expires_at <= func.now())
            .returning(UserSession.id)
        )
        return len(gone.all())


def _live() -> tuple[ColumnElement[bool], ...]:
    return (UserSession.revoked_at.is_(None), UserSession.expires_at > func.now())
