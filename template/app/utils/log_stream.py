"""Standard output that nobody waits for."""

import atexit
import os
import select
import stat
import sys
import threading
from collections import deque
from typing import TextIO, cast

import structlog

CAPACITY = 1_048_576
"""Bytes of lines that may wait for a reader; what comes on top is dropped and counted."""

EXIT_PATIENCE = 1.0
"""Seconds that the end of the process waits for the reader of its last lines."""


class LogStream:
    """Writes lines to a descriptor without ever waiting or raising.

    A pipe whose reader hangs is soon full. The next write would block the event loop, and with it
    every request and probe. So a line is written only where there is room, else a thread does it
    when there is. Without a reader, as after a crash of the log collector, lines go nowhere.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._room = select.poll()
        self._room.register(descriptor, select.POLLOUT)
        # A pipe that has room takes so much without blocking; a file takes anything.
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._longest = CAPACITY if is_file else select.PIPE_BUF
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._dropped = 0
        self._all_written = threading.Event()
        self._all_written.set()
        atexit.register(self._all_written.wait, EXIT_PATIENCE)

    def write(self, text: str) -> None:
        """Write a line, now or later."""
        line = text.encode(errors="backslashreplace")
        with self._lock:
            if self._all_written.is_set():
                if len(line) <= self._longest and self._room.poll(0):
                    line = line[_write(self._descriptor, line) :]
                if not line:
                    return
                self._all_written.clear()
                threading.Thread(target=self._write_waiting, daemon=True).start()
            if self._size + len(line) <= CAPACITY:
                self._waiting.append(line)
                self._size += len(line)
            else:
                self._dropped += 1

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def _write_waiting(self) -> None:
        while line := self._next():
            while line and self._room.poll():
                line = line[_write(self._descriptor, line[: select.PIPE_BUF]) :]

    def _next(self) -> bytes | None:
        with self._lock:
            if self._waiting:
                line = self._waiting.popleft()
                self._size -= len(line)
                return line
            self._all_written.set()
            dropped, self._dropped = self._dropped, 0
        if dropped:
            structlog.get_logger(__name__).warning("log_lines_dropped", lines=dropped)
        return None


def _write(descriptor: int, line: bytes) -> int:
    """Return how many bytes are done with: also those that nobody will read."""
    try:
        return os.write(descriptor, line)
    except BlockingIOError:
        return 0
    except OSError:
        return len(line)


def log_stream() -> TextIO:
    """Return standard output as a `LogStream`; as it is, where it is no file of the system."""
    try:
        descriptor = sys.stdout.fileno()
    except OSError:
        return sys.stdout
    return cast("TextIO", LogStream(descriptor))  # as much of one as loggers use
