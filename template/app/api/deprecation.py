"""Headers that announce the end of an operation to its clients."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from email.utils import format_datetime

from fastapi import Response


def deprecated(
    *, since: datetime, sunset: datetime, successor: str
) -> Callable[[Response], Awaitable[None]]:
    """Return a dependency that adds the `Deprecation`, `Sunset` and `Link` headers.

    Both times must be in UTC. Sources: RFC 9745 (Deprecation), RFC 8594 (Sunset), RFC 5829
    (`successor-version`).
    """
    headers = {
        "Deprecation": f"@{int(since.timestamp())}",
        "Sunset": format_datetime(sunset, usegmt=True),
        "Link": f'<{successor}>; rel="successor-version"',
    }

    async def announce(response: Response) -> None:
        response.headers.update(headers)

    return announce
