"""Responses with tokens must not be cached."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.server.paths import route_path


class NoStoreMiddleware:
    """Forbid all caches to store responses under `path` (RFC 6749, section 5.1)."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self.app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        if scope["type"] != "http" or not route_path(scope).startswith(self._path):
            return await self.app(scope, receive, send)

        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in message["headers"]}
                if b"cache-control" not in names:
                    message["headers"] = [*message["headers"], (b"cache-control", b"no-store")]
            await send(message)

        await self.app(scope, receive, send_with_header)
