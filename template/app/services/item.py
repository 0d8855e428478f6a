"""What can be done with items."""

from app.models.item import Item
from app.repositories.item import ItemRepository
from app.schemas.cursor import encode_cursor
from app.schemas.item import (
    ItemCursorPage,
    ItemCursorQuery,
    ItemPage,
    ItemPageQuery,
    ItemRead,
    ItemWrite,
    ListedItem,
)
from app.schemas.pagination import numbering
from app.utils.exceptions import NotFoundError, UnprocessableError


class ItemService:
    """Operations on items."""

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
        item = await self.find(item_id)
        if item is None:
            raise _not_found(item_id)
        return item

    async def find(self, item_id: int) -> ItemRead | None:
        """Return one item, None if there is none with this id."""
        item = await self._repository.get(item_id)
        return None if item is None else ItemRead.model_validate(item)

    async def replace(self, item_id: int, data: ItemWrite) -> ItemRead:
        """Replace the contents of the item.

        Raises:
            NotFoundError: there is none with this id.
        """
        item = await self._repository.get(item_id, for_update=True)
        if item is None:
            raise _not_found(item_id)
        for name, value in data.model_dump().items():
            setattr(item, name, value)
        await self._repository.flush()
        return ItemRead.model_validate(item)

    async def delete(self, item_id: int) -> ItemRead:
        """Delete the item and return it.

        Raises:
            NotFoundError: there is none with this id.
        """
        item = await self._repository.delete(item_id)
        if item is None:
            raise _not_found(item_id)
        return ItemRead.model_validate(item)

    async def page(self, query: ItemPageQuery) -> ItemPage:
        """Return one numbered page of the items that match."""
        page = await self.full_page(query.model_copy(update={"fields": None}))
        if query.fields is not None:
            page.items = [item.pick(query.fields) for item in page.items]
        return page

    async def full_page(self, query: ItemPageQuery) -> ItemPage:
        """Return the page with all fields, regardless of the query's `fields`.

        Raises:
            UnprocessableError: its items are too large for one response, or too many items
                have the words of the search.
        """
        found = await self._repository.find(query.q)
        items, number = await self._repository.page(
            found, sort=query.sort, offset=query.offset, limit=query.page_size
        )
        if len(items) < number:  # the next page would not begin with the first that is missing
            raise UnprocessableError("This page is too large. Ask for a smaller page_size.")
        return ItemPage(
            items=[ListedItem.model_validate(item) for item in items],
            **numbering(query, found.number),
        )

    async def cursor_page(self, query: ItemCursorQuery) -> ItemCursorPage:
        """Return the next page after the cursor, newest items first.

        Raises:
            UnprocessableError: too many items have the words of the search.
        """
        # One more than requested shows whether there is a next page.
        found, number = await self._repository.before(query.cursor, query.q, query.page_size + 1)
        items = [ItemRead.model_validate(item) for item in found[: query.page_size]]
        more = number > len(items)
        return ItemCursorPage(
            items=items, next_cursor=encode_cursor(items[-1].id) if more else None
        )


def _not_found(item_id: int) -> NotFoundError:
    return NotFoundError(f"There is no item {item_id}.")
