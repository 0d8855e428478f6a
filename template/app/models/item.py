"""The example resource."""

from typing import Any

from sqlalchemy import BigInteger, Identity, Index, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, TimestampMixin

# PostgreSQL uses an index on an expression only for the very same expression. This one is spelt
# as PostgreSQL gives it back, so that autogenerate sees no difference either.
SEARCH_DOCUMENT = "to_tsvector('english', (title || ' ') || description)"


class Item(TimestampMixin, Base):
    """A thing with a title, a text and whatever attributes the client likes."""

    __tablename__ = "items"
    __table_args__ = (
        Index("ix_items_created_at_id", "created_at", "id"),
        Index("ix_items_search", text(SEARCH_DOCUMENT), postgresql_using="gin"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, server_default="")
    attributes: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
