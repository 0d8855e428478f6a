"""Signals before they reach the server."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from app.server import drain
from app.server.drain import Drain
from tests.waiting import PATIENCE, until


@pytest.fixture
def told() -> Iterator[list[int]]:
    """The signals that the server gets."""
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    yield told
    signal.signal(signal.SIGTERM, before)


async def test_server_hears_of_it_later(told: list[int]) -> None:
    short = Drain(0.05)
    with short.before_the_server():
        os.kill(os.getpid(), signal.SIGTERM)
        assert (short.begun, told) == (True, [])
        await until(lambda: bool(told))
        assert told == [signal.SIGTERM]
    os.kill(os.getpid(), signal.SIGTERM)
    assert told == [signal.SIGTERM] * 2


async def test_second_signal_is_heard_at_once(
    told: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """But one right after the first is ignored."""
    with Drain(60).before_the_server():
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
        assert told == []
        monkeypatch.setattr(drain, "ECHO", -1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert told == [signal.SIGTERM, signal.SIGINT]


async def test_nothing_is_taken_where_nobody_serves() -> None:
    """In a thread, or with the default handler, there is no server."""
    with Drain(1).before_the_server():
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_x4_last_collection_is_skipped() -> None:
    """X4: searching all modules for garbage would be most of the CPU of an idle exit."""
    program = """
import atexit, gc
from app.server.drain import end_process
atexit.register(lambda: print(gc.get_freeze_count() > 0))
end_process(3)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, timeout=PATIENCE
    )
    assert (ended.returncode, ended.stdout.split()) == (3, [b"True"])
