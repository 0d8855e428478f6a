"""The service and the floor as processes on one core."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dev.bench.case import CLIENTS, Request
from dev.bench.client import ask
from dev.bench.usage import cpu_seconds
from dev.process import ServerError, free_port

PROGRAMS = Path(sys.executable).parent
SERVICE = (PROGRAMS / "app", "serve")
FLOOR = (PROGRAMS / "uvicorn", "dev.bench.floor:app", "--no-access-log", "--log-level=warning")


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    port: int
    process_id: int
    start_seconds: float
    """CPU time until the first response."""

    variables: Mapping[str, str]
    """Its environment."""


def split_cores() -> tuple[set[int], set[int]]:
    """Return a core for the servers, and others for all else. Both are empty without Linux.

    Raises:
        ServerError: there is only one core.
    """
    if not hasattr(os, "sched_getaffinity"):
        return set(), set()
    core, *others = sorted(os.sched_getaffinity(0))
    if not others:
        raise ServerError("This needs two cores: one for the server, one for the load.")
    return {core}, set(others)


@contextmanager
def running(
    program: Sequence[str | Path],
    cores: Iterable[int],
    variables: Mapping[str, str],
    start_timeout: float = 60,
) -> Iterator[Server]:
    """Run a server on these cores. Its log goes to a pipe that is read, as a container's does.

    Raises:
        ServerError: it ended, or took longer than `start_timeout` seconds to respond.
    """
    port = free_port()
    with (
        subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as reader,
        _start([*program, f"--port={port}"], cores, variables, reader.stdin) as process,
    ):
        try:
            _wait_for_response(port, process, start_timeout)
            yield Server(port, process.pid, cpu_seconds(process.pid), variables)
        finally:
            process.kill()
            reader.communicate()


def _start(
    command: Sequence[str | Path],
    cores: Iterable[int],
    variables: Mapping[str, str],
    output: IO[bytes] | None,
) -> "subprocess.Popen[bytes]":
    if not cores:
        return subprocess.Popen(command, env=variables, stdout=output)
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)  # which the child inherits
    try:
        return subprocess.Popen(command, env=variables, stdout=output)
    finally:
        os.sched_setaffinity(0, before)


def _wait_for_response(port: int, process: "subprocess.Popen[bytes]", timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            ask(port, Request("/live", CLIENTS[0]))
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServerError("The server did not start. Its messages are above.") from None
            time.sleep(0.01)
        else:
            return
