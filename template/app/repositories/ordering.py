"""Sorting and counting of lists."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.db.reads import read_only
from app.schemas.pagination import MAX_ROWS

Columns = Mapping[str, InstrumentedAttribute[Any]]


def ordering(sort: str, columns: Columns) -> list[ColumnElement[Any]]:
    """Return the ORDER BY for `sort`: a name in `columns`, with `-` before it for descending.

    The id makes the order total, so no row is on two pages.
    """
    return _directed(sort, columns[sort.removeprefix("-")], columns["id"])


def sorted_ids(rows: Select[Any], sort: str, columns: Columns, *, few: bool) -> Select[int]:
    """Return the ids of `rows` in the order of `sort`, as `ordering` says.

    If there are `few` rows, all of them are read and sorted. PostgreSQL does not know that they are
    few. It would read the index of the order until the page is full, which can be the whole table.
    """
    if not few:
        return rows.with_only_columns(columns["id"]).order_by(*ordering(sort, columns))
    key = columns[sort.removeprefix("-")]
    found = rows.with_only_columns(columns["id"].label("id"), key.label("key")).cte("found")
    found = found.prefix_with("MATERIALIZED")
    return select(found.c.id).order_by(*_directed(sort, found.c.key, found.c.id))


def counting(rows: Select[Any]) -> Select[int]:
    """Return what counts `rows`, up to `MAX_ROWS` + 1."""
    return read_only(select(func.count()).select_from(rows.limit(MAX_ROWS + 1).subquery()))


async def count_rows(session: AsyncSession, rows: Select[Any]) -> int:
    """Return the number of rows, or `MAX_ROWS` + 1 if there are more."""
    return await session.scalar(counting(rows)) or 0


def _directed(
    sort: str, *keys: ColumnElement[Any] | InstrumentedAttribute[Any]
) -> list[ColumnElement[Any]]:
    return [key.desc() if sort.startswith("-") else key.asc() for key in keys]
