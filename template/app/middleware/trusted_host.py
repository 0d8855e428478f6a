"""Allowed host names."""

import re
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.server.paths import QUIET_PATHS, route_path
from app.server.problems import problem_response

_HOST = re.compile(r"([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")


class TrustedHostMiddleware:
    """Respond with 400 to a request for another host: its name would end up in redirects.

    Probes may use any name, because they know only the address. Starlette's middleware has neither
    this exception nor our error body.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Sequence[str]) -> None:
        self.app = app
        self._names = frozenset(host.lower() for host in allowed_hosts if host[0] != "*")
        self._suffixes = tuple(host[1:].lower() for host in allowed_hosts if host[0] == "*")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or route_path(scope) in QUIET_PATHS or self._is_ours(scope):
            return await self.app(scope, receive, send)
        await problem_response(scope, 400, "This service has another name.")(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        found = _HOST.fullmatch(Headers(scope=scope).get("host", "").lower())
        return found is not None and (found[1] in self._names or found[1].endswith(self._suffixes))
