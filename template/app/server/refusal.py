"""Refusals of requests that cannot reach the app."""

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol

import structlog
from uvicorn.server import ServerState

from app.server.problems import problem_response

log = structlog.get_logger(__name__)

LINGER = 2.0
"""Seconds in which the connection of a refused request stays open for reading.

Closing a connection with unread bytes resets it, and the client can lose the response (RFC 9112,
section 9.6).
"""


class Cycle(Protocol):
    """A request and its response, as uvicorn's protocols keep them."""

    disconnected: bool
    keep_alive: bool
    more_body: bool
    response_started: bool
    response_complete: bool
    message_event: asyncio.Event


class Connection(Protocol):
    """A connection, as uvicorn's protocols keep it."""

    app_state: dict[str, Any]
    client: tuple[str, int] | None
    server_state: ServerState
    transport: asyncio.Transport

    @property
    def cycle(self) -> Cycle | None:
        """The last request that began."""


def refuse(connection: Connection, status: int) -> None:
    """Respond with `status` and close the connection; what still arrives must not be parsed.

    While the response to the last request is under way, no other response may be written. If that
    request is complete, its response ends the connection. If not, the refusal concerns this
    request, and the app sees a disconnect.
    """
    if status == 431:  # noqa: PLR2004
        limit = connection.app_state["settings"].max_header_size
        address = connection.client[0] if connection.client else None
        log.warning("headers_too_large", limit=limit, ip_address=address)
    cycle, transport = connection.cycle, connection.transport
    if cycle is not None and not cycle.response_complete:
        if not cycle.more_body:
            cycle.keep_alive = False
            return
        cycle.disconnected = True
        cycle.message_event.set()
        if cycle.response_started:
            transport.close()
            return
    transport.write(_refusal(status, connection.server_state.default_headers))
    if transport.can_write_eof():
        transport.write_eof()
    asyncio.get_running_loop().call_later(LINGER, transport.close)


def _refusal(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    response = problem_response({}, status, headers={"Connection": "close"})
    lines = [b"%s: %s" % header for header in (*headers, *response.raw_headers)]
    # No client uses the reason phrase, so it may be empty (RFC 9112, section 4).
    return b"\r\n".join([b"HTTP/1.1 %d " % status, *lines, b"", bytes(response.body)])
