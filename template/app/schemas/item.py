"""Items on the wire."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BeforeValidator, ConfigDict, Field, JsonValue, StringConstraints
from pydantic.config import JsonDict

from app.models.item import Item
from app.schemas.base import InputSchema, Schema
from app.schemas.pagination import Cursor, CursorPage, Id, Page, PageQuery, PageSize

ItemField = Literal["id", "title", "description", "attributes", "created_at", "updated_at"]
ItemSort = Literal[
    "id", "-id", "title", "-title", "created_at", "-created_at", "updated_at", "-updated_at"
]

_CONTENTS: JsonDict = {
    "title": "Pocket atlas",
    "description": "All the places that fit into a pocket.",
    "attributes": {"pages": 64, "tags": ["maps", "small"]},
}
_TIMES: JsonDict = {"created_at": "2026-01-31T09:30:00Z", "updated_at": "2026-01-31T09:30:00Z"}


class ItemWrite(InputSchema):
    """What a client may write."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CONTENTS]})

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    description: Annotated[str, StringConstraints(max_length=10_000)] = ""
    attributes: dict[str, JsonValue] = Field(default_factory=dict)


class ItemRead(Schema):
    """An item as it is stored."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": 1, **_CONTENTS, **_TIMES}]})

    id: int
    title: str
    description: str
    attributes: dict[str, JsonValue]
    created_at: AwareDatetime
    updated_at: AwareDatetime

    @classmethod
    def pick(cls, item: Item, fields: list[ItemField] | None) -> "ItemRead":
        """Return the item with only `fields` set, so that the others can be left out."""
        if fields is None:
            return cls.model_validate(item)
        return cls.model_construct(**{name: getattr(item, name) for name in fields})


SearchTerm = Annotated[
    Annotated[str, StringConstraints(max_length=200)] | None,
    Field(description='Words to find; `"a phrase"`, `or` and `-without` work.'),
]


def _split_commas(value: object) -> object:
    """Read `a,b` like `a` and `b`: clients write lists both ways."""
    if isinstance(value, list):
        return [part.strip() for entry in value for part in str(entry).split(",")]
    return value


class ItemPageQuery(PageQuery):
    """The query of the list, version 1."""

    q: SearchTerm = None
    sort: ItemSort = Field(default="-created_at", description="A field; `-` before it: descending.")
    fields: Annotated[list[ItemField], BeforeValidator(_split_commas)] | None = Field(
        default=None, description="Only these, separated by commas."
    )


class ItemCursorQuery(InputSchema):
    """The query of the list, version 2."""

    q: SearchTerm = None
    cursor: Cursor | None = Field(
        default=None, description="`next_cursor` of the page before; leave it out for the first."
    )
    page_size: PageSize = 20


class ItemPage(Page[ItemRead]):
    """A numbered page of items."""


class ItemCursorPage(CursorPage[ItemRead]):
    """A page of items, newest first."""


ItemId = Id
