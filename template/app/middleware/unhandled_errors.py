"""Responses to unexpected errors."""

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.server.problems import problem_response

log = structlog.get_logger(__name__)


class UnhandledErrorMiddleware:
    """Log an unexpected error with its stack, and respond with 500 without it.

    Starlette's own handler is outside of all middleware, so its response would lack their headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        started = False

        async def send_noting_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, send_noting_start)
        except ClientDisconnect:  # the client closed the connection while its body was read
            await problem_response(scope, 400)(scope, receive, send)
        except Exception:
            log.exception("unhandled_error")
            if started:
                raise  # the response has started: the server must close the connection
            await problem_response(scope, 500)(scope, receive, send)
