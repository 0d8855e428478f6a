"""Pages by number."""

from typing import Annotated

from pydantic import Field

from app.schemas.base import InputSchema

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


def numbering(query: PageQuery, total: int) -> dict[str, int]:
    """Return what every numbered page says of itself, `total` being the rows of all pages."""
    return {
        "total": total,
        "page": query.page,
        "page_size": query.page_size,
        "pages": -(-total // query.page_size),
    }
