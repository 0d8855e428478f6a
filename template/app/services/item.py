"""What can be done with items."""

from app.models.item import Item
from app.repositories.item import ItemRepository
from app.schemas.item import (
    ItemCursorPage,
    ItemCursorQuery,
    ItemPage,
    ItemPageQuery,
    ItemRead,
    ItemWrite,
)
from app.schemas.pagination import encode_cursor
from app.utils.exceptions import NotFoundError


class ItemService:
    """Items, as the API knows them."""

    def __init__(self, repository: ItemRepository) -> None:
        self._repository = repository

    async def create(self, data: ItemWrite) -> ItemRead:
        """Store a new item."""
        item = await self._repository.add(Item(**data.model_dump()))
        return ItemRead.model_validate(item)

    async def get(self, item_id: int) -> ItemRead:
        """Return one item.

        Raises:
            NotFoundError: there is none with this id.
        """
        return ItemRead.model_validate(await self._find(item_id))

    async def replace(self, item_id: int, data: ItemWrite) -> ItemRead:
        """Give the item new contents.

        Raises:
            NotFoundError: there is none with this id.
        """
        item = await self._find(item_id, for_update=True)
        for name, value in data.model_dump().items():
            setattr(item, name, value)
        await self._repository.flush()
        return ItemRead.model_validate(item)

    async def delete(self, item_id: int) -> None:
        """Remove the item.

        Raises:
            NotFoundError: there is none with this id.
        """
        if not await self._repository.delete(item_id):
            raise _not_found(item_id)

    async def page(self, query: ItemPageQuery) -> ItemPage:
        """Return one numbered page of the items that match."""
        total = await self._repository.count(query.q)
        items = await self._repository.page(
            query.q, sort=query.sort, offset=query.offset, limit=query.page_size
        )
        return ItemPage.of(
            [ItemRead.pick(item, query.fields) for item in items],
            total=total,
            page=query.page,
            page_size=query.page_size,
        )

    async def cursor_page(self, query: ItemCursorQuery) -> ItemCursorPage:
        """Return the next page after the cursor, newest items first."""
        # One more than asked for tells whether there is a next page.
        found = await self._repository.before(query.cursor, query.q, query.page_size + 1)
        items = [ItemRead.model_validate(item) for item in found[: query.page_size]]
        more = len(found) > query.page_size
        return ItemCursorPage(
            items=items, next_cursor=encode_cursor(items[-1].id) if more else None
        )

    async def _find(self, item_id: int, *, for_update: bool = False) -> Item:
        item = await self._repository.get(item_id, for_update=for_update)
        if item is None:
            raise _not_found(item_id)
        return item


def _not_found(item_id: int) -> NotFoundError:
    return NotFoundError(f"There is no item {item_id}.")
