"""What browsers have to be told."""

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# OWASP's REST Security Cheat Sheet. Nothing here is a page, so nothing may be loaded or framed.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

HSTS = "max-age=63072000; includeSubDomains"
"""Two years of https only. Sent under https alone: without, browsers must ignore it (RFC 6797)."""


class SecurityHeadersMiddleware:
    """Add the security headers to every answer that has none of its own.

    What lies under a path of `never_stored` is not kept by any cache (RFC 6749, section 5.1).
    """

    def __init__(self, app: ASGIApp, never_stored: Sequence[str] = ()) -> None:
        self.app = app
        self._never_stored = tuple(never_stored)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", HSTS)
                if scope["path"].startswith(self._never_stored):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        await self.app(scope, receive, send_with_headers)
