"""Waiting for events, however busy the machine is."""

import asyncio
import time
from collections.abc import Callable

PATIENCE = 120.0
"""Seconds to wait for an event, enough for a busy machine."""


async def until(condition: Callable[[], bool]) -> None:
    """Return as soon as the condition holds.

    Raises:
        TimeoutError: it does not within `PATIENCE`.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        await asyncio.sleep(0.01)
