"""Items, version 1."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query, status

from app.api.deprecation import deprecated
from app.api.ids import id_path
from app.api.router import Router
from app.dependencies.items import ItemImportServiceDep, ItemServiceDep
from app.schemas.item import ItemId, ItemImport, ItemPage, ItemPageQuery, ItemRead, ItemWrite

router = Router(prefix="/items", tags=["items"])

ONE_ITEM = id_path("item_id")

superseded = deprecated(
    since=datetime(2026, 11, 1, tzinfo=UTC),
    sunset=datetime(2027, 11, 1, tzinfo=UTC),
    successor="/api/v2/items/",
)


@router.get(
    "/",
    deprecated=True,
    dependencies=[Depends(superseded)],
    response_model_exclude_unset=True,  # fields that `fields` omits
)
async def list_items(query: Annotated[ItemPageQuery, Query()], items: ItemServiceDep) -> ItemPage:
    """List items by numbered pages. Version 2 has a list by cursor."""
    return await items.page(query)


@router.post("/", status_code=status.HTTP_201_CREATED)
async def create_item(data: ItemWrite, items: ItemServiceDep) -> ItemRead:
    """Create an item."""
    return await items.create(data)


@router.post("/import", status_code=status.HTTP_201_CREATED)
async def import_item(data: ItemImport, imports: ItemImportServiceDep) -> ItemRead:
    """Create an item from the JSON document at a public address. 502 if it is not available."""
    return await imports.create_from(str(data.url))


@router.get(ONE_ITEM)
async def read_item(item_id: ItemId, items: ItemServiceDep) -> ItemRead:
    """Return one item."""
    return await items.get(item_id)


@router.put(ONE_ITEM)
async def replace_item(item_id: ItemId, data: ItemWrite, items: ItemServiceDep) -> ItemRead:
    """Replace the contents of an item. Omitted fields get their defaults."""
    return await items.replace(item_id, data)


@router.delete(ONE_ITEM, status_code=status.HTTP_204_NO_CONTENT)
async def delete_item(item_id: ItemId, items: ItemServiceDep) -> None:
    """Delete an item."""
    await items.delete(item_id)
