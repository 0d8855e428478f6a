"""The security headers of all responses."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# OWASP's REST Security Cheat Sheet. No response is a page, so nothing may be loaded or framed.
HEADERS = (
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)

# HTTPS only, for two years. Over HTTP, browsers must ignore it (RFC 6797).
HTTPS_HEADERS = (*HEADERS, (b"strict-transport-security", b"max-age=63072000; includeSubDomains"))


class SecurityHeadersMiddleware:
    """Add the security headers to all responses that do not set them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        headers = HTTPS_HEADERS if scope["scheme"] == "https" else HEADERS

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(header for header in headers if header[0] not in own),
                ]
            await send(message)

        await self.app(scope, receive, send_with_headers)
