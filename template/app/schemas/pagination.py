"""Pages, by number and by cursor."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Generic, Self, TypeVar

from pydantic import BeforeValidator, Field, WithJsonSchema

from app.schemas.base import InputSchema, Schema

T = TypeVar("T")

MAX_ID = 2**63 - 1
"""The largest id that a PostgreSQL bigint holds."""

Id = Annotated[int, Field(ge=1, le=MAX_ID)]


PageSize = Annotated[int, Field(ge=1, le=100)]


class PageQuery(InputSchema):
    """The query of a list with numbered pages."""

    # The bound keeps the offset far within what PostgreSQL accepts.
    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    page_size: PageSize = 20

    @property
    def offset(self) -> int:
        """How many rows come before this page."""
        return (self.page - 1) * self.page_size


class Page(Schema, Generic[T]):
    """One numbered page."""

    items: list[T]
    total: int
    page: int
    page_size: int
    pages: int

    @classmethod
    def of(cls, items: list[T], *, total: int, page: int, page_size: int) -> Self:
        """Return the page, counting how many there are."""
        pages = -(-total // page_size)
        return cls(items=items, total=total, page=page, page_size=page_size, pages=pages)


def encode_cursor(item_id: int) -> str:
    """Return an opaque cursor: what it holds is ours to change."""
    return urlsafe_b64encode(str(item_id).encode()).decode().rstrip("=")


def decode_cursor(cursor: object) -> int:
    """Return what `encode_cursor` put in.

    Raises:
        ValueError: it is no cursor of ours.
    """
    text = str(cursor)
    try:
        return int(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        raise ValueError("is not a cursor of this list") from None


Cursor = Annotated[Id, BeforeValidator(decode_cursor), WithJsonSchema({"type": "string"})]


class CursorPage(Schema, Generic[T]):
    """One page of a list that goes on. There is no total: counting is what makes lists slow."""

    items: list[T]
    next_cursor: str | None
