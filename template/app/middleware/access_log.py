"""One log line per request."""

from time import perf_counter

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.server.paths import QUIET_PATHS, route_path


class AccessLogMiddleware:
    """Log method, path, status and duration. Never the query: it may contain personal data.

    A request that takes longer than `slow` seconds logs a warning.
    """

    def __init__(self, app: ASGIApp, slow: float) -> None:
        self.app = app
        self._slow = slow
        self._log = structlog.get_logger("app.access").bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or route_path(scope) in QUIET_PATHS:
            return await self.app(scope, receive, send)

        started = perf_counter()
        status = 0  # stays 0 if no response has started
        logged = False

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                finish()

        def finish() -> None:
            nonlocal logged
            if not logged:
                logged = True
                self._write(scope, status, perf_counter() - started)

        try:
            await self.app(scope, receive, send_noting_status)
        finally:
            finish()  # unless the response has ended before: background tasks do not count

    def _write(self, scope: Scope, status: int, seconds: float) -> None:
        client = scope.get("client")
        fast = seconds < self._slow
        write = self._log.info if fast else self._log.bind(slow=True).warning
        write(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=status,
            duration_ms=round(seconds * 1000, 2),
            ip_address=client[0] if client else None,
        )
