"""The route that handled a request."""

from starlette.types import Scope

UNMATCHED = "unmatched"
"""The value for requests without a route: there is none, or a middleware responded."""


def route_template(scope: Scope) -> str:
    """Return the template of the route with all its prefixes, as `/api/v1/books/{book_id}`.

    It is known after the request was handled. FastAPI stores a route's prefixes in a place that is
    not public: `tests/unit/test_route_template.py` checks that it still exists.
    """
    # A mounted app extends `root_path`; the part before it belongs to no route.
    mounted_at = scope.get("root_path", "").removeprefix(scope.get("app_root_path", ""))
    context = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(context or scope.get("route"), "path_format", None)
    if path is not None:
        return f"{mounted_at}{path}" if "app_root_path" in scope else str(path)
    return f"{mounted_at}/{{path}}" if "app_root_path" in scope else UNMATCHED
