"""Graceful shutdown: the time between SIGTERM and the end of the process."""

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import structlog

log = structlog.get_logger(__name__)


ECHO = 2.0
"""Seconds in which a second signal counts as the first one.

Service managers signal all processes of a group, and then the supervisor signals them again.
"""


class Drain:
    """Whether the process is shutting down, and how.

    A load balancer needs time to notice that this process stops. So after the signal, `/ready`
    returns 503, requests are still served for `seconds`, and each response closes its connection.
    Only then does the server get the signal: it accepts nothing more and finishes requests under
    way.
    """

    def __init__(self, seconds: float) -> None:
        self.begun = False
        self._begun_at = 0.0
        self._seconds = seconds

    @contextmanager
    def before_the_server(self) -> Iterator[None]:
        """Handle SIGTERM before the server does. Without a server, as in tests, do nothing."""
        stop = signal.getsignal(signal.SIGTERM)
        if not callable(stop) or threading.current_thread() is not threading.main_thread():
            yield
            return

        loop = asyncio.get_running_loop()

        def handle(number: int, frame: FrameType | None) -> None:
            if not self.begun:
                self.begun, self._begun_at = True, time.monotonic()
                loop.call_soon_threadsafe(begin, number)
            elif time.monotonic() - self._begun_at > ECHO:
                # A second signal: with both signals, uvicorn stops at once.
                stop(number, frame)
                stop(signal.SIGINT, frame)

        def begin(number: int) -> None:
            log.info("draining", seconds=self._seconds)
            loop.call_later(self._seconds, stop, number, None)

        signal.signal(signal.SIGTERM, handle)
        try:
            yield
        finally:
            if signal.getsignal(signal.SIGTERM) is handle:
                signal.signal(signal.SIGTERM, stop)
