"""Every query about accounts."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    cast,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import CIDR
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.accounts.names import name_key
from app.accounts.permissions import Role
from app.models.user import User
from app.models.user_session import UserSession
from app.repositories.ordering import count_rows, ordering, sorted_ids
from app.server.address import Network
from app.utils.exceptions import ConflictError

_SORT_COLUMNS = {
    "id": User.id,
    "email": User.email_key,
    "username": User.username_key,
    "created_at": User.created_at,
}


class UserRepository:
    """Accounts in the database. Nothing here commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, user: User) -> User:
        """Insert `user`; its id and times are set then.

        Raises:
            ConflictError: its e-mail address or its username is taken.
        """
        self._session.add(user)
        await self.flush()
        return user

    async def flush(self) -> None:
        """Send pending changes.

        Raises:
            ConflictError: an e-mail address or a username is taken.
        """
        try:
            await self._session.flush()
        except IntegrityError as error:
            raise ConflictError("This e-mail address or this username is taken.") from error

    async def get(self, user_id: int, *, for_update: bool = False) -> User | None:
        """Return the current account, locked until the commit if `for_update`."""
        return await self._session.get(
            User, user_id, with_for_update=for_update or None, populate_existing=True
        )

    async def find_for_login(
        self, name: str, network: Network | None, known_for: timedelta
    ) -> tuple[User | None, datetime | None]:
        """Return the account with this address or username, and its last login from there.

        A login counts for the time `known_for`.
        """
        last_login = (
            select(func.max(UserSession.created_at))
            .where(UserSession.user_id == User.id, UserSession.created_at > func.now() - known_for)
            .where(UserSession.ip_address.op("<<=")(cast(network and str(network), CIDR)))
            .scalar_subquery()
        )
        key = User.email_key if "@" in name else User.username_key
        rows = await self._session.execute(select(User, last_login).where(key == name_key(name)))
        row = rows.one_or_none()
        return (row[0], row[1]) if row else (None, None)

    async def replace_hash(self, user_id: int, *, old: str, new: str) -> bool:
        """Replace the password's hash if it is still `old`."""
        statement = update(User).where(User.id == user_id, User.hashed_password == old)
        replaced = await self._session.scalar(
            statement.values(hashed_password=new).returning(User.id)
        )
        return replaced is not None

    async def lock_admins(self) -> set[int]:
        """Return the ids of all active admins, locked until the commit."""
        statement = (
            select(User.id)
            .where(User.role == Role.ADMIN, User.is_active)
            .order_by(User.id)
            .with_for_update()
        )
        return set(await self._session.scalars(statement))

    async def delete(self, user_id: int) -> bool:
        """Delete the account and all its data; return False if there is none."""
        statement = delete(User).where(User.id == user_id).returning(User.id)
        return await self._session.scalar(statement) is not None

    async def count(self, q: str | None, *, role: str | None, is_active: bool | None) -> int:
        """Return the number of accounts that match, or `MAX_ROWS` + 1 if there are more."""
        return await count_rows(self._session, _matching(q, role, is_active))

    async def page(
        self,
        q: str | None,
        *,
        role: str | None,
        is_active: bool | None,
        sort: str,
        offset: int,
        limit: int,
        few: bool,
    ) -> Sequence[User]:
        """Return one page. `sort` is the name of a column, with `-` before it for descending.

        `few` says that at most `MAX_ROWS` accounts match.
        """
        rows = _matching(q, role, is_active)
        few = few and rows.whereclause is not None
        ids = sorted_ids(rows, sort, _SORT_COLUMNS, few=few).offset(offset).limit(limit)
        statement = select(User).where(User.id.in_(ids.scalar_subquery()))
        return (
            await self._session.scalars(statement.order_by(*ordering(sort, _SORT_COLUMNS)))
        ).all()


def _matching(q: str | None, role: str | None, is_active: bool | None) -> Select[int]:
    """Return the ids of the accounts of which a name begins with `q`."""
    statement = select(User.id)
    if q is not None:
        start = name_key(q)
        statement = statement.where(
            or_(_begins(User.email_key, start), _begins(User.username_key, start))
        )
    if role is not None:
        # Written into the statement: a plan for any role would not know that admins are few.
        statement = statement.where(User.role == literal(role, String, literal_execute=True))
    if is_active is not None:
        statement = statement.where(User.is_active == is_active)
    return statement


def _begins(key: InstrumentedAttribute[str], start: str) -> ColumnElement[bool]:
    """Return whether `key` begins with `start`, by the order of its bytes, as its index is sorted.

    `LIKE` would use the index only in plans that are made for this value.
    """
    end = f"{start}\U0010ffff"
    return and_(key.bool_op("~>=~")(start), key.bool_op("~<~")(end))
