"""HTTP/1.1 by h11, with a limit for headers. It serves where httptools is not installed."""

from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.server.refusal import refuse


class LimitedConnection(h11.Connection):
    """An h11 connection that parses no more than its limit at a time.

    h11 has a limit for headers and trailers, but does not apply it to those that arrive whole.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(h11.SERVER, limit)
        self.status = 400
        """The status of a refusal."""
        self._limit = limit
        self._unread = bytearray()

    def receive_data(self, data: bytes) -> None:
        """Keep what has arrived until `next_event` needs it."""
        self._unread += data

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Parse the next event.

        Raises:
            RemoteProtocolError: the request is not valid; `status` is what to respond with.
        """
        try:
            while (event := super().next_event()) is h11.NEED_DATA and self._unread:
                self._read_on()
        except h11.RemoteProtocolError as error:
            self.status = error.error_status_hint
            raise
        return event

    def _read_on(self) -> None:
        room = self._limit - len(self.trailing_data[0])
        if room <= 0:
            raise h11.RemoteProtocolError("headers too large", error_status_hint=431)
        super().receive_data(bytes(self._unread[:room]))
        del self._unread[:room]


class LimitedH11Protocol(H11Protocol):
    """uvicorn's protocol, with 431 for more than `MAX_HEADER_SIZE` bytes of headers."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.conn: LimitedConnection = LimitedConnection(self.app_state["settings"].max_header_size)
        self._refused = False

    def data_received(self, data: bytes) -> None:
        """Parse what arrives."""
        if not self._refused:
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # as uvicorn's
        """Refuse a request that is not valid HTTP, or too large."""
        self._refused = True
        refuse(self, self.conn.status)
