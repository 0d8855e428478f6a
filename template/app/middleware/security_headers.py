"""The security headers of all responses."""

from app.server.exchange import Exchange, Header, Hook

# OWASP's REST Security Cheat Sheet. No response is a page, so nothing may be loaded or framed.
HEADERS = (
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)

# HTTPS only, for two years. Over HTTP, browsers must ignore it (RFC 6797).
HTTPS_HEADERS = (*HEADERS, (b"strict-transport-security", b"max-age=63072000; includeSubDomains"))


class SecurityHeaders(Hook):
    """Add the security headers to all responses that do not set them."""

    def respond(self, exchange: Exchange, headers: list[Header]) -> None:
        """Add what is missing."""
        own = {name for name, _ in headers}
        wanted = HTTPS_HEADERS if exchange.scope["scheme"] == "https" else HEADERS
        headers += [header for header in wanted if header[0] not in own]
