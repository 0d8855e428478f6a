"""Responses to unexpected errors."""

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.server.problems import problem_response

log = structlog.get_logger(__name__)


ANSWERED = "answered_error"


class UnhandledErrorMiddleware:
    """Log an unexpected error with its stack, respond with 500 without it, and raise it again.

    Starlette's own handler is outside of all middleware, so its response would lack their headers.
    Like that one, this raises the error after the response, so that error reporters learn of it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        started = complete = False

        async def send_noting_progress(message: Message) -> None:
            nonlocal started, complete
            started = True
            complete = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        try:
            await self.app(scope, receive, send_noting_progress)
        except ClientDisconnect:  # the client closed the connection while its body was read
            await problem_response(scope, 400)(scope, receive, send)
        except Exception as error:
            log.exception("unhandled_error")
            if not started:
                await problem_response(scope, 500)(scope, receive, send)
            if complete or not started:
                scope.setdefault("state", {})[ANSWERED] = error
            raise  # an incomplete response makes the server close the connection


class AnsweredErrorMiddleware:
    """Keep errors that are logged and answered from the server, outside of all error reporters.

    uvicorn would log them again and close the connection.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            if scope.get("state", {}).pop(ANSWERED, None) is not error:
                raise
