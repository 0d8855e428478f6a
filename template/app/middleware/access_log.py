"""One log line per request."""

import structlog

from app.server.exchange import Exchange, Hook


class AccessLog(Hook):
    """Log method, path, status and duration. Never the query: it may contain personal data.

    A request that takes longer than `slow` seconds logs a warning.
    """

    def __init__(self, slow: float) -> None:
        self._slow = slow
        self._log = structlog.get_logger("app.access").bind()

    def end(self, exchange: Exchange) -> None:
        """Write the line."""
        if exchange.is_quiet:
            return
        scope, seconds = exchange.scope, exchange.seconds
        client = scope.get("client")
        fast = seconds < self._slow
        write = self._log.info if fast else self._log.bind(slow=True).warning
        write(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=exchange.status,  # 0 if no response has started
            duration_ms=round(seconds * 1000, 2),
            ip_address=client[0] if client else None,
        )
