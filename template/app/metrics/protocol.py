"""The server's end of a client's connection."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.metrics.instruments import ACTIVE_CONNECTIONS


class CountingProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, whose connections are counted."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begin to serve a client."""
        super().connection_made(transport)
        ACTIVE_CONNECTIONS.set(len(self.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of a client."""
        super().connection_lost(exc)
        ACTIVE_CONNECTIONS.set(len(self.connections))
