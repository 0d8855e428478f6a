"""Numbered pages."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from app.schemas.base import InputSchema

MAX_ID = 2**63 - 1
"""The largest id that a PostgreSQL bigint holds."""

Id = Annotated[int, Field(ge=1, le=MAX_ID)]

PageSize = Annotated[int, Field(ge=1, le=100)]

MAX_ROWS = 10_000
"""Rows up to which a list is counted, and has numbered pages.

The time to count rows, and to skip those before a page, grows with their number.
"""


class PageQuery(InputSchema):
    """The query of a list with numbered pages."""

    instead: ClassVar[str]
    """What a client may do that needs a page after `MAX_ROWS`."""

    page: int = Field(
        default=1,
        ge=1,
        description=f"Pages end at row {MAX_ROWS:,}.",
        json_schema_extra={"maximum": MAX_ROWS},  # with a page_size of 1
    )
    page_size: PageSize = 20

    @model_validator(mode="after")
    def _begins_within_limit(self) -> Self:
        if self.offset >= MAX_ROWS:
            raise ValueError(f"numbered pages end at row {MAX_ROWS:,}: {self.instead}")
        return self

    @property
    def offset(self) -> int:
        """The number of rows before this page."""
        return (self.page - 1) * self.page_size


Total = Annotated[int, Field(description=f"The number of rows, at most {MAX_ROWS:,}.")]
TotalIsExact = Annotated[bool, Field(description="False if there are more rows than `total`.")]


def numbering(query: PageQuery, counted: int) -> dict[str, int]:
    """Return the fields of a numbered page; `counted` is the result of `count_rows`."""
    total = min(counted, MAX_ROWS)
    return {
        "total": total,
        "total_is_exact": counted <= MAX_ROWS,
        "page": query.page,
        "page_size": query.page_size,
        "pages": -(-total // query.page_size),
    }
