"""What browsers have to be told."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.middleware.paths import route_path

# OWASP's REST Security Cheat Sheet. Nothing here is a page, so nothing may be loaded or framed.
HEADERS = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)

# Two years of https only. Under http, browsers must ignore it (RFC 6797).
HTTPS_HEADERS = (*HEADERS, (b"strict-transport-security", b"max-age=63072000; includeSubDomains"))


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

        headers = HTTPS_HEADERS if scope["scheme"] == "https" else HEADERS
        if route_path(scope).startswith(self._never_stored):
            headers = (*headers, (b"cache-control", b"no-store"))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(header for header in headers if header[0] not in own),
                ]
            await send(message)

        await self.app(scope, receive, send_with_headers)
