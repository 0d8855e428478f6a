"""Warnings about slow statements."""

from time import perf_counter
from typing import Any

import structlog
from sqlalchemy import ExceptionContext, event
from sqlalchemy.ext.asyncio import AsyncEngine

log = structlog.get_logger(__name__)

MAX_STATEMENT = 2000
"""Characters of a statement that are logged."""


def log_slow_queries(engine: AsyncEngine, seconds: float) -> None:
    """Log statements that take longer, also failed ones, without their values."""

    def begin(context: Any, **_: object) -> None:
        context.began_at = perf_counter()

    def end(statement: str, context: Any, **_: object) -> None:
        log_if_slow(statement, context)

    def fail(failure: ExceptionContext) -> None:
        if failure.statement is not None:
            log_if_slow(failure.statement, failure.execution_context)

    def log_if_slow(statement: str, context: Any) -> None:
        began_at = getattr(context, "began_at", None)
        if began_at is not None and (duration := perf_counter() - began_at) >= seconds:
            log.warning(
                "slow_query",
                duration_ms=round(duration * 1000, 2),
                statement=statement[:MAX_STATEMENT],
            )

    event.listen(engine.sync_engine, "before_cursor_execute", begin, named=True)
    event.listen(engine.sync_engine, "after_cursor_execute", end, named=True)
    event.listen(engine.sync_engine, "handle_error", fail)
