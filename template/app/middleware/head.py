"""HEAD wherever GET works."""

import asyncio
from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.server.methods import is_routed


class HeadMiddleware:
    """Pass HEAD on as GET, unless the path has a route for HEAD (RFC 9110, section 9.3.2).

    The server sends no body after HEAD. So a response gets the headers that GET would get, also
    those of its length and its compression. FastAPI's routes do not support HEAD, and listing it
    with each of them would double the operations in the OpenAPI document.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http" or scope["method"] != "HEAD" or is_routed(scope, "HEAD"):
            return self.app(scope, receive, send)
        return self._get(scope, receive, send)

    async def _get(self, scope: Scope, receive: Receive, send: Send) -> None:
        as_get = {**scope, "method": "GET"}
        ended = False

        async def send_without_stream(message: Message) -> None:
            nonlocal ended
            if ended:
                return await asyncio.sleep(0)  # the app learns of the end when it is not busy
            _copy_route(as_get, scope)
            await send(message)
            if message.get("more_body", False):  # the client needs no body
                ended = True
                await send({"type": "http.response.body"})

        try:
            await self.app(as_get, receive, send_without_stream)
        finally:
            _copy_route(as_get, scope)


def _copy_route(found: Scope, scope: Scope) -> None:
    """Let the middleware outside see the route."""
    scope.update({**found, "method": scope["method"]})
