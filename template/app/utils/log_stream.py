"""Standard output that nobody waits for."""

import atexit
import os
import select
import sys
import threading
import time
from collections.abc import Iterator
from functools import cache
from queue import SimpleQueue
from typing import TextIO, cast

import structlog

CAPACITY = 1_048_576
"""Bytes of lines that may wait for a reader; what comes on top is dropped and counted."""

PAUSE = 0.01
"""Seconds in which lines gather after others were written: a thread woken for each line costs a
request more than all else about it."""

EXIT_PATIENCE = 1.0
"""Seconds that the end of the process waits for the reader of its last lines."""


class LogStream:
    """Hands lines to a thread that writes them, and so never waits or raises.

    A pipe whose reader hangs is soon full: a write would block the event loop, and with it every
    request and probe. Without a reader, as after a crash of the log collector, lines go nowhere.

    There is no lock: the garbage collector and signals may make a thread log while it logs.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._size = 0  # of what waits, roughly: it is right again whenever nothing does
        self._dropped = 0
        threading.Thread(target=self._write_lines, daemon=True).start()
        atexit.register(self.wait, EXIT_PATIENCE)

    def write(self, text: str) -> None:
        """Have a line written."""
        line = text.encode(errors="backslashreplace")
        if self._size + len(line) > CAPACITY:
            self._dropped += 1
            return
        self._size += len(line)
        self._lines.put(line)

    def flush(self) -> None:
        """Do nothing: whoever logs does not wait."""

    def wait(self, seconds: float) -> None:
        """Wait until everything is written, but no longer than so many seconds."""
        deadline = time.monotonic() + seconds
        while self._size and time.monotonic() < deadline:
            time.sleep(0.005)

    def _write_lines(self) -> None:
        while True:
            for chunk in self._chunks():
                _write(self._descriptor, chunk)
                self._size -= len(chunk)
            if self._lines.empty():
                self._size = 0
                if self._dropped:
                    dropped, self._dropped = self._dropped, 0
                    structlog.get_logger(__name__).warning("log_lines_dropped", lines=dropped)
            time.sleep(PAUSE)

    def _chunks(self) -> Iterator[bytes]:
        """Yield what waits, as many lines at once as go into a pipe in one piece.

        Other processes may write to the same one: a larger chunk could end up amid their lines.
        """
        chunk = self._lines.get()
        while not self._lines.empty():
            line = self._lines.get()
            if len(chunk) + len(line) > select.PIPE_BUF:
                yield chunk
                chunk = b""
            chunk += line
        yield chunk


def _write(descriptor: int, line: bytes) -> None:
    while line:
        try:
            line = line[os.write(descriptor, line) :]
        except BlockingIOError:  # whoever started us made it so
            room = select.poll()
            room.register(descriptor, select.POLLOUT)
            room.poll()
        except OSError:
            return  # nobody reads it any more


def log_stream() -> TextIO:
    """Return standard output as a `LogStream`; as it is, where it is no file of the system."""
    try:
        descriptor = sys.stdout.fileno()
    except OSError:
        return sys.stdout
    return cast("TextIO", _stream_of(descriptor))  # as much of one as loggers use


@cache
def _stream_of(descriptor: int) -> LogStream:
    return LogStream(descriptor)
