"""Numbered pages."""

from typing import Annotated

from pydantic import Field

from app.schemas.base import InputSchema

MAX_ID = 2**63 - 1
"""The largest id that a PostgreSQL bigint holds."""

Id = Annotated[int, Field(ge=1, le=MAX_ID)]

PageSize = Annotated[int, Field(ge=1, le=100)]


class PageQuery(InputSchema):
    """The query of a list with numbered pages."""

    # The limit keeps the offset far below the maximum of PostgreSQL.
    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    page_size: PageSize = 20

    @property
    def offset(self) -> int:
        """The number of rows before this page."""
        return (self.page - 1) * self.page_size


def numbering(query: PageQuery, total: int) -> dict[str, int]:
    """Return the fields of a numbered page; `total` is the number of rows on all pages."""
    return {
        "total": total,
        "page": query.page,
        "page_size": query.page_size,
        "pages": -(-total // query.page_size),
    }
