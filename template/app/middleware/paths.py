"""The path of a request, as the routes know it."""

from starlette.types import Scope


def route_path(scope: Scope) -> str:
    """Return the path without what a server put before it, as uvicorn's `--root-path` does."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
