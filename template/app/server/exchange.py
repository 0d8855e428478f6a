"""What happens with every request and its response."""

from time import perf_counter
from typing import Any

from starlette.types import Scope

from app.server.paths import QUIET_PATHS, route_path

Header = tuple[bytes, bytes]
"""Name, in lower case, and value."""


class Exchange:
    """A request and its response (RFC 9110, section 3.4), or the session of a web socket."""

    __slots__ = (
        "_started",
        "failed",
        "has_ended",
        "headers",
        "is_quiet",
        "kept",
        "path",
        "scope",
        "seconds",
        "status",
    )

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.path = route_path(scope)
        self.is_quiet = scope["type"] != "http" or self.path in QUIET_PATHS
        """Whether it is neither counted nor logged."""
        self.headers: list[Header] = []
        """What the response gets besides its own headers."""
        self.status = 0
        """The status of the response; 0 if none has started."""
        self.failed = False
        """Whether it ended by an exception."""
        self.kept: dict[Hook, Any] = {}
        """What hooks keep from the start to the close."""
        self.has_ended = scope["type"] != "http"
        """Whether the response has ended. A web socket has none."""
        self.seconds = 0.0
        """How long it took until the end of the response, once it has ended."""
        self._started = perf_counter()

    def stop(self) -> bool:
        """End the response and take the time; return False if it had ended before."""
        if self.has_ended:
            return False
        self.has_ended = True
        self.seconds = perf_counter() - self._started
        return True


class Hook:
    """A part of the service that sees every exchange. It overrides what it needs.

    Hooks are cheaper than middleware, which wraps each request and each message of its response.
    An error in one is logged, and changes nothing else. Web sockets only begin and close.
    """

    def begin(self, exchange: Exchange) -> None:
        """Act on a request that has arrived."""

    def respond(self, exchange: Exchange, headers: list[Header]) -> None:
        """Act on the start of the response, of which these headers will be sent."""

    def end(self, exchange: Exchange) -> None:
        """Act on the end of the response, or of a request that failed."""

    def close(self, exchange: Exchange) -> None:
        """Act on the end of everything, also of background tasks."""
