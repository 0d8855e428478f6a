"""Graceful shutdown: the time between SIGTERM and the end of the process."""

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import structlog

log = structlog.get_logger(__name__)


ECHO = 2.0
"""Seconds in which a second signal counts as the first one.

Service managers signal all processes of a group, and then the supervisor signals them again.
"""

EXIT_SECONDS = 2.0
"""Seconds that threads have to finish after the server has."""


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


def end_process(status: int = 0) -> NoReturn:
    """Exit, even if threads are still at work.

    Python waits for the threads of executors, and uvloop for all names that it resolves. With a
    name server that does not answer, that would take minutes.
    """
    gc.freeze()  # the last collection would search all modules: half a second of CPU
    timer = threading.Timer(EXIT_SECONDS, os._exit, [status])
    timer.daemon = True
    timer.start()
    sys.exit(status)
