"""The items of a user, for their export."""

from collections.abc import AsyncIterator, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.models.item import Item
from app.repositories.item import ItemRepository
from app.schemas.item import ItemRead
from app.services.export import SessionFactory, in_pages

PAGE_SIZE = 100
"""Items of a page, unless they are large: then it ends earlier."""


async def export_items(sessions: SessionFactory, user_id: int) -> AsyncIterator[ItemRead]:
    """Yield the user's items, the newest first."""

    async def read(session: AsyncSession, last: Item | None) -> Sequence[Item]:
        items = ItemRepository(session, user_id, sees_all=False)
        page, _ = await items.before(last.id if last else None, None, PAGE_SIZE)
        return page

    async for item in in_pages(sessions, read):
        yield ItemRead.model_validate(item)
