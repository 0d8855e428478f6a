"""Signals before they reach the server."""

import os
import signal
from collections.abc import Iterator

import pytest

from app.server import drain
from app.server.drain import Drain
from tests.waiting import until


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
