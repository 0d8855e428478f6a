"""The items' table."""

from alembic import command
from sqlalchemy import URL, select, text

from app.db.migrations import alembic_config, upgrade
from app.models.item import Item
from app.repositories.item import matches
from tests.conftest import SessionFactory
from tests.databases import execute


async def test_search_uses_its_index(session_factory: SessionFactory) -> None:
    """The expressions of query and index must be equal, or every search scans the table."""
    query = select(Item.id).where(matches("atlas"))
    async with session_factory() as session:
        dialect = (await session.connection()).dialect
        compiled = query.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = (await session.scalars(text(f"EXPLAIN {compiled}"))).all()
    assert "ix_items_search" in "\n".join(plan)


def test_f10_what_came_later_goes_without_the_rows(empty_database: URL) -> None:
    """F10: after a rollback to the old version, its data is there."""
    upgrade(empty_database)
    execute(empty_database, "INSERT INTO items (title) VALUES ('Pocket atlas')")
    command.downgrade(alembic_config(empty_database), "items")
    assert execute(empty_database, "SELECT title FROM items") == [("Pocket atlas",)]
    upgrade(empty_database)
    assert execute(empty_database, "SELECT title FROM items") == [("Pocket atlas",)]
