"""Every query about sessions. Times are those of the database's clock."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from app.accounts.caller import Caller
from app.accounts.origin import Origin
from app.db.fetch import fetch_row
from app.db.reads import read_only
from app.models.user import UNUSABLE_HASH, User
from app.models.user_session import UserSession


def _live() -> tuple[ColumnElement[bool], ...]:
    return (UserSession.revoked_at.is_(None), UserSession.expires_at > func.now())


# It runs with every request of a user, so it is built once.
_FIND_CALLER = read_only(
    select(
        UserSession.id.label("session_id"),
        *(getattr(User, name) for name in Caller._fields if name != "session_id"),
    )
    .join(UserSession.user)
    .where(UserSession.id == bindparam("session_id"), UserSession.user_id == bindparam("user_id"))
    .where(*_live(), User.is_active)
)


async def find_caller(
    sessions: async_sessionmaker[AsyncSession], session_id: UUID, user_id: int
) -> Caller | None:
    """Return the user of a session, if both are active.

    The connection is free again at once: a request that only reads its user holds none.
    """
    values = {"session_id": session_id, "user_id": user_id}
    row = await fetch_row(sessions, _FIND_CALLER, values)
    return Caller._make(row) if row else None


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

        Return False if the account was closed or got another password since it was read. Checking
        the password takes a while; if all sessions were ended meanwhile, this one must not start.
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

    async def rotate(
        self,
        session_id: UUID,
        *,
        spent: bytes,
        fresh: bytes,
        lifetime: timedelta,
        max_age: timedelta,
    ) -> bool:
        """Replace the refresh token if `spent` is the newest.

        It is one statement, so that exactly one of several concurrent calls succeeds.
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

    async def prove(self, session_id: UUID) -> bool:
        """Note that the password was right just now; return False if the session has ended."""
        statement = (
            update(UserSession)
            .where(UserSession.id == session_id, *_live())
            .values(authenticated_at=func.now())
            .returning(UserSession.id)
        )
        return await self._session.scalar(statement) is not None

    async def is_proved(self, session_id: UUID, within: timedelta) -> bool:
        """Return whether the password was right within that time.

        Without a password, the login itself is the proof.
        """
        no_password = User.hashed_password.startswith(UNUSABLE_HASH, autoescape=True)
        login = case((no_password, UserSession.created_at))
        proof = func.greatest(UserSession.authenticated_at, login)  # it ignores null
        statement = select(proof > func.now() - within).join(UserSession.user)
        return bool(await self._session.scalar(statement.where(UserSession.id == session_id)))

    async def of_user(self, user_id: int) -> Sequence[UserSession]:
        """Return the active sessions, the most recently used first, up to a limit."""
        statement = (
            select(UserSession)
            .where(UserSession.user_id == user_id, *_live())
            .order_by(UserSession.last_used_at.desc(), UserSession.id)
            .limit(100)
        )
        return (await self._session.scalars(statement)).all()

    async def stored(
        self, user_id: int, after: UUID | None, *, limit: int
    ) -> Sequence[UserSession]:
        """Return the user's sessions after this id, by id, also those that have ended."""
        statement = select(UserSession).where(UserSession.user_id == user_id)
        if after is not None:
            statement = statement.where(UserSession.id > after)
        return (await self._session.scalars(statement.order_by(UserSession.id).limit(limit))).all()

    async def revoke(
        self, user_id: int, *, only: UUID | None = None, but: UUID | None = None
    ) -> int:
        """End the user's active sessions, or `only` one, or all `but` one; return their number."""
        statement = update(UserSession).where(UserSession.user_id == user_id, *_live())
        if only is not None:
            statement = statement.where(UserSession.id == only)
        if but is not None:
            statement = statement.where(UserSession.id != but)
        ended = await self._session.scalars(
            statement.values(revoked_at=func.now()).returning(UserSession.id)
        )
        return len(ended.all())

    async def purge(self, known_for: timedelta) -> int:
        """Delete the expired sessions whose login is older than `known_for`; return their number.

        Until then, they say from where the account has logged in.
        """
        gone = await self._session.scalars(
            delete(UserSession)
            .where(UserSession.expires_at <= func.now())
            .where(UserSession.created_at <= func.now() - known_for)
            .returning(UserSession.id)
        )
        return len(gone.all())
