"""Standard output that never blocks."""

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
"""Bytes of lines in the buffer; further lines are dropped and counted."""

PAUSE = 0.01
"""Seconds in which lines gather after others were written: waking the thread for each line would be
the largest cost of logging."""

EXIT_PATIENCE = 1.0
"""Seconds that the process waits at its end until the last lines are read."""


class LogStream:
    """Passes lines to a thread that writes them, so it never waits or raises.

    If the reader of a pipe hangs, the pipe is soon full. A write would then block the event loop,
    with all requests and probes. Without a reader, as after a crash of the log collector, lines
    are lost.

    There is no lock: the garbage collector and signals may make a thread log while it logs.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._size = 0  # approximate size of the buffer; exact again when it is empty
        self._dropped = 0
        threading.Thread(target=self._write_lines, daemon=True).start()
        atexit.register(self.wait, EXIT_PATIENCE)

    def write(self, text: str) -> None:
        """Write a line."""
        line = text.encode(errors="backslashreplace")
        if self._size + len(line) > CAPACITY:
            self._dropped += 1
            return
        self._size += len(line)
        self._lines.put(line)

    def flush(self) -> None:
        """Do nothing: callers do not wait."""

    def wait(self, seconds: float) -> None:
        """Wait until all lines are written, but not longer than this."""
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
        """Yield the buffered lines, as many at once as fit into one atomic write to a pipe.

        Other processes may write to the same pipe: a larger chunk could be split by their lines.
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
        except BlockingIOError:  # the parent process has set it so
            room = select.poll()
            room.register(descriptor, select.POLLOUT)
            room.poll()
        except OSError:
            return  # there is no reader any more


def log_stream() -> TextIO:
    """Return standard output as a `LogStream`, or unchanged if it has no file descriptor."""
    try:
        descriptor = sys.stdout.fileno()
    except OSError:
        return sys.stdout
    return cast("TextIO", _stream_of(descriptor))  # it has the methods that loggers use


@cache
def _stream_of(descriptor: int) -> LogStream:
    return LogStream(descriptor)
