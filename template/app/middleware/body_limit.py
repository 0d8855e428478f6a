"""A limit for the size of request bodies."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.server.problems import problem_response


class BodyLimitMiddleware:
    """Respond with 413 to a body of more than `max_body_size` bytes, announced or not.

    FastAPI's own limit responds in plain text to an announced one, outside of all middleware.
    """

    def __init__(self, app: ASGIApp, max_body_size: int) -> None:
        self.app = app
        self._max_body_size = max_body_size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced[:19]) > self._max_body_size:
            return await problem_response(scope, 413)(scope, receive, send)

        received = 0

        async def receive_within_limit() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body_size:
                raise HTTPException(413)
            return message

        await self.app(scope, receive_within_limit, send)
