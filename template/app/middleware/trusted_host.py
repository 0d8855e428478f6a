"""Allowed host names."""

import re
from collections.abc import Awaitable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from app.server.problems import problem_response

_HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")


class TrustedHostMiddleware:
    """Respond with 400 to a request for another host: its name would end up in redirects.

    A request with two Host headers is refused in any case (RFC 9112, section 3.2). Probes may use
    any name, because they know only the address. Starlette's middleware has neither this exception
    nor our error body.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Sequence[str]) -> None:
        self.app = app
        self._names = frozenset(host.lower() for host in allowed_hosts if host[0] != "*")
        self._suffixes = tuple(host[1:].lower() for host in allowed_hosts if host[0] == "*")

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) > 1:
            fault = "This request has more than one Host header."
        elif scope["exchange"].is_quiet or self._is_ours(hosts):
            return self.app(scope, receive, send)
        else:
            fault = "This service has another name."
        return problem_response(scope, 400, fault)(scope, receive, send)

    def _is_ours(self, hosts: Sequence[bytes]) -> bool:
        found = _HOST.fullmatch(b"".join(hosts).decode("latin-1").lower())
        return found is not None and (found[1] in self._names or found[1].endswith(self._suffixes))
