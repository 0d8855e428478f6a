"""Sorting of lists."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

Columns = Mapping[str, InstrumentedAttribute[Any]]


def ordering(sort: str, columns: Columns) -> list[ColumnElement[Any]]:
    """Return the ORDER BY for `sort`: a name in `columns`, with `-` before it for descending.

    The id makes the order total, so no row is on two pages.
    """
    keys = (columns[sort.removeprefix("-")], columns["id"])
    return [key.desc() if sort.startswith("-") else key.asc() for key in keys]
