"""Rate limits per user."""

from collections.abc import Sequence

from starlette.types import Scope

from app.accounts.bearer import access_claims
from app.server.address import client_network
from app.server.paths import route_path
from app.server.rate_limit import Count, Limit
from app.settings.accounts import AuthSettings


class ByUser:
    """Counts requests per user when the token is valid, otherwise per IP address.

    Requests with a token count towards a limit of their address as well, so that many accounts do
    not give an address as many times the limit. It is at least the limit of a user. A session that
    has ended still counts for its user until its token expires.

    Under `auth_path`, requests always count per address only, with a stricter limit, to slow down
    password guessing.
    """

    def __init__(self, limit: Limit, settings: AuthSettings, *, auth_path: str) -> None:
        self._limit = limit
        self._address_limit = Limit(
            "address", max(settings.rate_limit_address_per_minute, limit.requests)
        )
        self._auth_limit = Limit("auth", settings.rate_limit_auth_per_minute)
        self._auth_path = auth_path
        self._settings = settings
        self.limits = (self._limit, self._address_limit, self._auth_limit)

    def __call__(self, scope: Scope) -> Sequence[Count]:
        """Return the limits, with the user or the client's network."""
        address = client_network(scope)
        if route_path(scope).startswith(self._auth_path):
            return ((self._auth_limit, address),)
        claims = access_claims(scope, self._settings)
        if claims is None:
            return ((self._limit, address),)
        return ((self._limit, f"user {claims['sub']}"), (self._address_limit, address))
