"""Headers of a request, for what runs with every request."""

from starlette.types import Scope


def header(scope: Scope, name: bytes) -> str:
    """Return the value of the first header with this name in lower case, or "".

    Starlette's `Headers` takes several times as long, above all for a header that is not there.
    """
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return ""
