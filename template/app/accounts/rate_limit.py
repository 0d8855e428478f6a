"""Rate limits per user."""

from starlette.datastructures import Headers
from starlette.types import Scope

from app.core.security import verify_token
from app.server.address import client_network
from app.server.paths import route_path
from app.server.rate_limit import Limit
from app.settings.accounts import AuthSettings
from app.utils.exceptions import UnauthorizedError


class ByUser:
    """Counts requests per user when the token is valid, otherwise per IP address.

    A session that has ended still counts for its user until its token expires. Under `auth_path`,
    requests always count per address, with a stricter limit, to slow down password guessing.
    """

    def __init__(self, limit: Limit, settings: AuthSettings, *, auth_path: str) -> None:
        self._limit = limit
        self._auth_limit = Limit("auth", settings.rate_limit_auth_per_minute)
        self._auth_path = auth_path
        self._settings = settings
        self.limits = (self._limit, self._auth_limit)

    def __call__(self, scope: Scope) -> tuple[Limit, str]:
        """Return the limit, and the user or the client's network."""
        address = client_network(scope)
        if route_path(scope).startswith(self._auth_path):
            return self._auth_limit, address
        kind, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            try:
                return self._limit, f"user {verify_token(token, settings=self._settings)['sub']}"
            except UnauthorizedError:
                pass  # the header may contain anything
        return self._limit, address
