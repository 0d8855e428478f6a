"""The lifespan: what is opened when the process starts, and closed when it stops."""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI

from app.core.config import Settings
from app.core.feature import Part


def build_lifespan(
    settings: Settings, parts: Iterable[Part], **given: Any
) -> Callable[[FastAPI], AbstractAsyncContextManager[dict[str, Any]]]:
    """Return the lifespan of one app, so that a process can hold several.

    The parts open in order. Each gets the state with what is given and what earlier parts have
    added. They close in reverse order, each of them even if another one fails.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[dict[str, Any]]:
        state: dict[str, Any] = {"settings": settings, **given}
        async with AsyncExitStack() as stack:
            for part in parts:
                state |= await stack.enter_async_context(part(settings, state))
            yield state

    return lifespan
