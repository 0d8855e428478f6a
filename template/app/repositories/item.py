"""Every query about items."""

import re
from collections.abc import Sequence

from sqlalchemy import TextClause, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.models.item import SEARCH_DOCUMENT, Item

_IDLE_HYPHEN = re.compile(r"-(?![\w\"])")

_SORT_COLUMNS = {
    "id": Item.id,
    "title": Item.title,
    "created_at": Item.created_at,
    "updated_at": Item.updated_at,
}


class ItemRepository:
    """Items in the database. Nothing here commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, item: Item) -> Item:
        """Insert `item`; its id and times are set on return."""
        self._session.add(item)
        await self._session.flush()
        return item

    async def get(self, item_id: int, *, for_update: bool = False) -> Item | None:
        """Return the item, locked until the commit if it is about to change."""
        return await self._session.get(Item, item_id, with_for_update=for_update or None)

    async def flush(self) -> None:
        """Send pending changes, so that what the database computes is known."""
        await self._session.flush()

    async def delete(self, item_id: int) -> bool:
        """Delete the item; False when there was none."""
        statement = delete(Item).where(Item.id == item_id).returning(Item.id)
        return await self._session.scalar(statement) is not None

    async def count(self, search: str | None) -> int:
        """Count the items that match."""
        statement = select(func.count()).select_from(Item).where(*matches(search))
        return await self._session.scalar(statement) or 0

    async def page(
        self, search: str | None, *, sort: str, offset: int, limit: int
    ) -> Sequence[Item]:
        """Return one page. `sort` is a column's name, with `-` before it for descending."""
        column = _SORT_COLUMNS[sort.removeprefix("-")]
        # The id makes the order total: no row shows on two pages.
        order = [column.desc(), Item.id.desc()] if sort.startswith("-") else [column, Item.id]
        statement = select(Item).where(*matches(search)).order_by(*order)
        return (await self._session.scalars(statement.offset(offset).limit(limit))).all()

    async def before(self, item_id: int | None, search: str | None, limit: int) -> Sequence[Item]:
        """Return the newest items older than `item_id`, or the newest of all."""
        statement = select(Item).where(*matches(search)).order_by(Item.id.desc()).limit(limit)
        if item_id is not None:
            statement = statement.where(Item.id < item_id)
        return (await self._session.scalars(statement)).all()


def matches(search: str | None) -> list[TextClause]:
    """Return the conditions under which an item is found."""
    if search is None:
        return []
    condition = text(f"{SEARCH_DOCUMENT} @@ websearch_to_tsquery('english', :search)")
    # It takes whatever people type into search boxes, but each `-` before nothing that could be
    # left out is one more level of nesting, of which it bears 64.
    return [condition.bindparams(search=_IDLE_HYPHEN.sub(" ", search))]
