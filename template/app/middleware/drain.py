"""Closing of connections during graceful shutdown."""

from app.server.drain import Drain
from app.server.exchange import Exchange, Header, Hook


class CloseConnections(Hook):
    """Ask clients to reconnect while the process drains, because it will close its connections."""

    def respond(self, exchange: Exchange, headers: list[Header]) -> None:
        """Add the header."""
        drain: Drain | None = exchange.scope["state"].get("drain")
        if drain is not None and drain.begun:
            headers.append((b"connection", b"close"))
