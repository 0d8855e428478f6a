"""Responses with tokens must not be cached."""

from app.server.exchange import Exchange, Header, Hook


class NoStore(Hook):
    """Forbid all caches to store responses under `path` (RFC 6749, section 5.1)."""

    def __init__(self, path: str) -> None:
        self._path = path

    def respond(self, exchange: Exchange, headers: list[Header]) -> None:
        """Add the header, unless the response has its own rule."""
        if exchange.path.startswith(self._path) and not any(
            name == b"cache-control" for name, _ in headers
        ):
            headers.append((b"cache-control", b"no-store"))
