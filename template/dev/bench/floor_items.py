"""The floor's routes for items, over the service's table."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from dev.bench.floor_database import Base, Session

router = APIRouter(prefix="/items")


class Item(Base):
    """An item."""

    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    description: Mapped[str]
    attributes: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ItemRead(BaseModel):
    """An item, as clients see it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    description: str
    attributes: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class ItemPage(BaseModel):
    """A page of items."""

    items: list[ItemRead]
    total: int


@router.get("/{item_id}")
async def read_item(item_id: int, session: Session) -> ItemRead:
    """Return an item."""
    item = await session.get(Item, item_id)
    if item is None:
        raise HTTPException(404)
    return ItemRead.model_validate(item)


@router.get("/")
async def list_items(session: Session) -> ItemPage:
    """Return the first page of items."""
    statement = select(Item).order_by(Item.created_at.desc(), Item.id.desc()).limit(20)
    items = [ItemRead.model_validate(item) for item in await session.scalars(statement)]
    total = await session.scalar(select(func.count()).select_from(Item))
    return ItemPage(items=items, total=total or 0)
