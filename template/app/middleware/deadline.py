"""A limit for the duration of requests."""

import asyncio

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.server.problems import problem_response

log = structlog.get_logger(__name__)


class DeadlineMiddleware:
    """Cancel a request after `seconds`, with 503 if no response has started.

    A response that is sent in parts may take longer: then these are the seconds between two parts.
    The timeouts of the database are shorter. This one is for everything else, such as a body that
    arrives one byte at a time.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        started = False

        async def send_noting_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)
            if message.get("more_body", False) and not deadline.expired():
                deadline.reschedule(asyncio.get_running_loop().time() + self._seconds)

        try:
            async with asyncio.timeout(self._seconds) as deadline:
                await self.app(scope, receive, send_noting_start)
        except TimeoutError:
            if started or not deadline.expired():
                raise
            log.warning("deadline_exceeded", seconds=self._seconds)
            answer = problem_response(
                scope, 503, "This took too long.", headers={"Retry-After": "5"}
            )
            await answer(scope, receive, send)
