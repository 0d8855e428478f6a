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

    # Arguments by name (`named=True`) would cost more than what is done here.
    def begin(*given: Any) -> None:
        _, _, _, _, context, _ = given
        context.began_at = perf_counter()

    def end(*given: Any) -> None:
        _, _, statement, _, context, _ = given
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

    event.listen(engine.sync_engine, "before_cursor_execute", begin)
    event.listen(engine.sync_engine, "after_cursor_execute", end)
    event.listen(engine.sync_engine, "handle_error", fail)
