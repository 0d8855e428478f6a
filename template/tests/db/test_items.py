"""The items' table."""

from alembic import command
from sqlalchemy import URL

from app.db.migrations import alembic_config, upgrade
from tests.databases import execute


def test_f10_what_came_later_goes_without_the_rows(empty_database: URL) -> None:
    """F10: after a rollback to the old version, its data is there."""
    upgrade(empty_database)
    execute(empty_database, "INSERT INTO items (title) VALUES ('Pocket atlas')")
    command.downgrade(alembic_config(empty_database), "items")
    assert execute(empty_database, "SELECT title FROM items") == [("Pocket atlas",)]
    upgrade(empty_database)
    assert execute(empty_database, "SELECT title FROM items") == [("Pocket atlas",)]
