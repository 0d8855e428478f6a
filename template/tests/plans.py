"""What PostgreSQL reads for a statement."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

Statement = tuple[str, Any]
"""A statement as it is sent, and its parameters."""

READS = {"Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan"}
SKIPPED = ("Rows Removed by Filter", "Rows Removed by Index Recheck")


@contextmanager
def recorded(engine: AsyncEngine) -> Iterator[list[Statement]]:
    """Collect the statements of the block that read a table."""
    found: list[Statement] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "set_config" not in statement:
            found.append((statement, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)


async def rows_read(engine: AsyncEngine, statement: Statement) -> int:
    """Return the number of rows that PostgreSQL reads for the statement, used or not."""
    text, parameters = statement
    async with engine.connect() as connection:
        # Parallel workers would read rows that one process does not need.
        await connection.exec_driver_sql("SET LOCAL max_parallel_workers_per_gather = 0")
        explained = await connection.exec_driver_sql(
            f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {text}", parameters
        )
        plan = explained.scalar_one()
    (root,) = json.loads(plan) if isinstance(plan, str) else plan
    return round(sum(_rows_of(node) for node in _nodes(root["Plan"])))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _rows_of(node: dict[str, Any]) -> float:
    if node["Node Type"] not in READS:
        return 0
    rows: float = node["Actual Rows"] + sum(node.get(name, 0) for name in SKIPPED)
    return rows * float(node["Actual Loops"])
