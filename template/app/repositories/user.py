"""Every query about accounts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Row,
    Select,
    String,
    Text,
    and_,
    bindparam,
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
from app.db.fetch import fetch_rows
from app.db.reads import read_only
from app.models.user import User
from app.models.user_session import UserSession
from app.repositories.ordering import counting, ordering, sorted_ids
from app.schemas.user import UserRead
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
        statement = read_only(select(User, last_login).where(key == name_key(name)))
        row = (await self._session.execute(statement)).one_or_none()
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
        statement = _counted(role, is_active, by_name=q is not None)
        ((number,),) = await fetch_rows(self._session, statement, _range(q))
        return int(number)

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
    ) -> Sequence[Row[*tuple[Any, ...]]]:
        """Return one page, without passwords. `sort` is a column; `-` before it: descending.

        `few` says that at most `MAX_ROWS` accounts match.
        """
        statement = _page(role, is_active, sort, by_name=q is not None, few=few)
        values = {**_range(q), "offset": offset, "limit": limit}
        return await fetch_rows(self._session, statement, values)


_SHOWN = tuple(getattr(User, name) for name in UserRead.model_fields)


# The statements of the list are built once for each combination of filters.
@cache
def _counted(role: str | None, is_active: bool | None, *, by_name: bool) -> Select[int]:
    return counting(_matching(role, is_active, by_name=by_name))


@cache
def _page(
    role: str | None, is_active: bool | None, sort: str, *, by_name: bool, few: bool
) -> Select[*tuple[Any, ...]]:
    rows = _matching(role, is_active, by_name=by_name)
    few = few and rows.whereclause is not None
    ids = sorted_ids(rows, sort, _SORT_COLUMNS, few=few)
    ids = ids.offset(bindparam("offset", type_=BigInteger)).limit(bindparam("limit", type_=Integer))
    statement = select(*_SHOWN).where(User.id.in_(ids.scalar_subquery()))
    return read_only(statement.order_by(*ordering(sort, _SORT_COLUMNS)))


def _matching(role: str | None, is_active: bool | None, *, by_name: bool) -> Select[int]:
    """Return the ids of the accounts of which a name is in a `_range`."""
    statement = select(User.id)
    if by_name:
        statement = statement.where(or_(_in_range(User.email_key), _in_range(User.username_key)))
    if role is not None:
        # Written into the statement: a plan for any role would not know that admins are few.
        statement = statement.where(User.role == literal(role, String, literal_execute=True))
    if is_active is not None:
        statement = statement.where(User.is_active == is_active)
    return statement


def _range(q: str | None) -> dict[str, str]:
    """Return the first and the last name that begin with `q`, by the order of their bytes."""
    if q is None:
        return {}
    start = name_key(q)
    return {"start": start, "end": f"{start}\U0010ffff"}


def _in_range(key: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Return whether `key` is in the range, by the order of its bytes, as its index is sorted.

    `LIKE` would use the index only in plans that are made for this value.
    """
    start, end = bindparam("start", type_=Text), bindparam("end", type_=Text)
    return and_(key.bool_op("~>=~")(start), key.bool_op("~<~")(end))
