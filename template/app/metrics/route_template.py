"""Which route answered a request."""

from starlette.types import Scope

UNMATCHED = "unmatched"
"""Where no route did: nothing lies there, or a middleware answered before."""


def route_template(scope: Scope) -> str:
    """Return the template of the route with all its prefixes, as `/api/v1/books/{book_id}`.

    It is known when the request has been answered. FastAPI keeps a route's prefixes apart from it,
    in a place that is not public: `tests/unit/test_route_template.py` holds it.
    """
    # A mounted app extends `root_path`; what was there before belongs to no route.
    mounted_at = scope.get("root_path", "").removeprefix(scope.get("app_root_path", ""))
    context = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(context or scope.get("route"), "path_format", None)
    if path is not None:
        return f"{mounted_at}{path}" if "app_root_path" in scope else str(path)
    return f"{mounted_at}/{{path}}" if "app_root_path" in scope else UNMATCHED
