"""The methods that routes support."""

from starlette.routing import Match
from starlette.types import Scope

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY")


def is_routed(scope: Scope, method: str) -> bool:
    """Return whether the path of a request has a route for `method`."""
    wanted = {**scope, "method": method}
    return any(route.matches(wanted)[0] is Match.FULL for route in scope["app"].routes)


def supported_methods(scope: Scope) -> list[str]:
    """Return the methods that the path of a request supports, in alphabetical order.

    HEAD works wherever GET does: see `HeadMiddleware`.
    """
    routed = {method for method in METHODS if is_routed(scope, method)}
    return sorted(routed | {"HEAD"} if "GET" in routed else routed)
