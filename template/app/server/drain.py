"""The time between a signal to stop and the stop."""

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
"""Seconds in which a second signal is still the first one.

Whoever stops a group of processes tells each of them, and then the supervisor among them does.
"""


class Drain:
    """Whether the process is about to stop, and how it gets there.

    A balancer needs time to learn that this process goes. So from the signal on `/ready` answers
    503, while requests are still served for `seconds`, and each answer asks its client to connect
    anew. Only then does the server hear of the signal: it accepts nothing more, and finishes what
    is under way.
    """

    def __init__(self, seconds: float) -> None:
        self.begun = False
        self._begun_at = 0.0
        self._seconds = seconds

    @contextmanager
    def before_the_server(self) -> Iterator[None]:
        """Take SIGTERM first, where a server handles it; in a test nobody does."""
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
                # Somebody is impatient. Hearing of both signals, uvicorn waits for nothing.
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
