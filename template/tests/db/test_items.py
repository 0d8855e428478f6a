"""The items' table."""

from sqlalchemy import select, text

from app.models.item import Item
from app.repositories.item import matches
from tests.conftest import SessionFactory


async def test_search_uses_its_index(session_factory: SessionFactory) -> None:
    """The query's expression and the index's must stay the same, or every search scans."""
    query = select(Item.id).where(matches("atlas"))
    async with session_factory() as session:
        dialect = (await session.connection()).dialect
        compiled = query.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = (await session.scalars(text(f"EXPLAIN {compiled}"))).all()
    assert "ix_items_search" in "\n".join(plan)
