"""Buffering of log lines."""

import gc
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from app.utils import log_stream
from app.utils.log_stream import LogStream
from tests.waiting import PATIENCE


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for end in (reader, writer):
        with suppress(OSError):  # the test has closed it
            os.close(end)


def lines(number: int, length: int = 1000) -> list[str]:
    return [f"{index:{length}}\n" for index in range(number)]


def read(reader: int, expected: str) -> str:
    """Read as much as is expected; reading more would block."""
    found = b""
    while len(found) < len(expected):
        found += os.read(reader, 65_536)
    return found.decode()


def test_line_is_written_at_once(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    LogStream(writer).write("a line\n")
    assert os.read(reader, 100) == b"a line\n"


def test_f18_nothing_waits_for_a_reader(pipe: tuple[int, int]) -> None:
    """F18: lines that do not fit into the pipe arrive later, in order."""
    reader, writer = pipe
    stream = LogStream(writer)
    written = ["x" * 100_000 + "\n", *lines(200)]
    for line in written:
        stream.write(line)
    everything = "".join(written)
    assert read(reader, everything) == everything
    stream.write("and on\n")
    assert read(reader, "and on\n") == "and on\n"


def test_f18_memory_is_bounded_and_losses_are_told(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """F18: lines beyond CAPACITY are dropped, and a line says how many."""
    monkeypatch.setattr(log_stream, "CAPACITY", 10_000)
    reader, writer = pipe
    stream = LogStream(writer)
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"." * 4096)
    with capture_logs() as told:
        for line in lines(200):
            stream.write(line)
        found = b""
        deadline = time.monotonic() + PATIENCE
        while not told:
            assert time.monotonic() < deadline
            found += os.read(reader, 65_536)
            stream.wait(0.05)
    os.set_blocking(reader, False)
    with suppress(BlockingIOError):
        while True:
            found += os.read(reader, 65_536)
    kept = found.decode().lstrip(".").splitlines(keepends=True)
    assert kept == lines(200)[: len(kept)]
    assert len(kept) in {9, 10}
    assert told == [
        {"event": "log_lines_dropped", "log_level": "warning", "lines": 200 - len(kept)}
    ]


def test_f18_without_a_reader(pipe: tuple[int, int]) -> None:
    """F18: without a log collector, lines are lost."""
    reader, writer = pipe
    os.close(reader)
    stream = LogStream(writer)
    for line in (*lines(3), "x" * 100_000):
        stream.write(line)
    stream.wait(5)
    assert not stream._size


def test_lines_that_gathered_are_written_together_and_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No chunk is larger than an atomic write to a pipe, which other processes share."""
    chunks: list[bytes] = []
    monkeypatch.setattr(log_stream, "_write", lambda _, chunk: chunks.append(chunk))
    stream = LogStream(-1)
    written = [*lines(50, 99), "x" * 10_000 + "\n", *lines(200, 99)]
    for line in written:
        stream.write(line)
    stream.wait(5)
    assert b"".join(chunks).decode() == "".join(written)
    assert all(chunk.endswith(b"\n") for chunk in chunks)
    assert [chunk for chunk in chunks if len(chunk) > select.PIPE_BUF] == [b"x" * 10_000 + b"\n"]
    assert len(chunks) < len(written) / 2


def test_descriptor_that_does_not_block(pipe: tuple[int, int]) -> None:
    """The parent process may have set it so."""
    reader, writer = pipe
    os.set_blocking(writer, False)
    stream = LogStream(writer)
    written = "".join(lines(200, 999))
    for line in written.splitlines(keepends=True):
        stream.write(line)
    assert read(reader, written) == written


def test_line_in_the_middle_of_a_line(pipe: tuple[int, int]) -> None:
    """The garbage collector may run anywhere, and finalizers may log."""
    reader, writer = pipe
    stream = LogStream(writer)

    class Finalised:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            stream.write("x" * 5000 + "\n")

    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(100):
            Finalised()
            stream.write("a line\n")
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert len(read(reader, "x" * 100 * 5008)) == 100 * 5008


def test_end_of_the_process_waits_a_little(pipe: tuple[int, int]) -> None:
    """The last lines are the most important ones."""
    reader, writer = pipe
    program = "import sys; from app.utils.log_stream import log_stream; log_stream().write('x' * 9)"
    subprocess.run([sys.executable, "-c", program], stdout=writer, check=True)
    assert os.read(reader, 100) == b"x" * 9


@pytest.mark.parametrize("broken", ["\ud800"])
def test_what_no_encoding_knows_is_written_too(pipe: tuple[int, int], broken: str) -> None:
    reader, writer = pipe
    LogStream(writer).write(broken)
    assert os.read(reader, 100) == b"\\ud800"
