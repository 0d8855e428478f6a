"""Closing of connections during graceful shutdown."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.server.drain import Drain


class DrainMiddleware:
    """Ask clients to reconnect while the process drains, because it will close its connections."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        drain: Drain | None = scope.get("state", {}).get("drain")
        if scope["type"] != "http" or drain is None or not drain.begun:
            return await self.app(scope, receive, send)

        async def send_closing(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        await self.app(scope, receive, send_closing)
