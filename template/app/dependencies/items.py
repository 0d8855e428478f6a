"""The item service of the request."""

from typing import Annotated

from fastapi import Depends

from app.dependencies.database import DBSession
from app.repositories.item import ItemRepository
from app.services.item import ItemService


async def get_item_service(session: DBSession) -> ItemService:
    """Return the item service over the request's session."""
    return ItemService(ItemRepository(session))


ItemServiceDep = Annotated[ItemService, Depends(get_item_service)]
