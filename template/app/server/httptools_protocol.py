"""HTTP/1.1 by httptools, with a limit for headers."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.server.refusal import refuse


class LimitedHttpToolsProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which responds with 431 to more than `MAX_HEADER_SIZE` bytes of headers.

    httptools itself has no limit, and takes time that grows with the square of a header's length.
    All bytes count that arrive without completing headers, a part of a body, or a message: so the
    limit holds for trailers as well. Where a pipelined request begins is not known: it can have
    up to twice as many bytes.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._limit: int = self.app_state["settings"].max_header_size
        self._room = self._limit
        self._refused = False

    def data_received(self, data: bytes) -> None:
        """Parse what arrives, never more than the limit allows."""
        while data and not self._refused and not self.transport.is_closing():
            part, data = data[: self._room], data[self._room :]
            self._room -= len(part)
            super().data_received(part)
            if self._room <= 0:
                self._refuse(431)
            if self not in self.connections:  # it has become a WebSocket
                return

    def on_headers_complete(self) -> None:
        """Count anew, and keep trailers apart from the headers that the app gets."""
        self._room = self._limit
        super().on_headers_complete()
        self.headers = self.headers.copy()

    def on_body(self, body: bytes) -> None:
        """Count anew."""
        self._room = self._limit
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Count anew."""
        self._room = self._limit
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # as uvicorn's
        """Refuse a request that is not valid HTTP."""
        self._refuse(400)

    def _refuse(self, status: int) -> None:
        self._refused = True
        refuse(self, status)
