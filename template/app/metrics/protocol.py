"""Connections of clients, as the server sees them."""

import asyncio

from app.metrics.instruments import ACTIVE_CONNECTIONS
from app.server.protocol import HttpProtocol


class CountingProtocol(HttpProtocol):
    """The server's protocol, with a count of connections."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Count a new connection."""
        super().connection_made(transport)
        ACTIVE_CONNECTIONS.set(len(self.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a closed connection."""
        super().connection_lost(exc)
        ACTIVE_CONNECTIONS.set(len(self.connections))
