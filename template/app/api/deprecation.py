"""Headers that announce the end of an operation to its clients."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from email.utils import format_datetime

from fastapi import Request, Response

from app.server.paths import public_path


def deprecated(
    *, since: datetime, sunset: datetime, successor: str
) -> Callable[[Request, Response], Awaitable[None]]:
    """Return a dependency that adds the `Deprecation`, `Sunset` and `Link` headers.

    `successor` is a path of this service. Both times must be in UTC. Sources: RFC 9745
    (Deprecation), RFC 8594 (Sunset), RFC 5829 (`successor-version`).
    """
    headers = {
        "Deprecation": f"@{int(since.timestamp())}",
        "Sunset": format_datetime(sunset, usegmt=True),
    }

    async def announce(request: Request, response: Response) -> None:
        response.headers.update(headers)
        link = f'<{public_path(request.scope, successor)}>; rel="successor-version"'
        response.headers["Link"] = link

    return announce
