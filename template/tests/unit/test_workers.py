"""The supervisor of worker processes."""

import signal

import pytest
from uvicorn import Config
from uvicorn.supervisors import multiprocess
from uvicorn.supervisors.multiprocess import Process

from app.server.workers import SECONDS_TO_ANSWER, Workers

SECONDS_TO_START = 60


class FakeProcess:
    """A fake process."""

    def __init__(self, *_: object) -> None:
        self.pid = id(self)
        self.exitcode: int | None = None

    def start(self) -> None:
        pass

    def is_alive(self) -> bool:
        return self.exitcode is None

    def kill(self) -> None:
        self.exitcode = -signal.SIGKILL if self.exitcode is None else self.exitcode

    def join(self) -> None:
        assert not self.is_alive()


class Clock:
    """A clock that the test moves."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("app.server.workers.time", clock)
    return clock


@pytest.fixture
def workers(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Workers:
    """Three processes that have just started."""
    assert clock
    monkeypatch.setattr(multiprocess, "get_subprocess", FakeProcess)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    config = Config("", workers=3, log_config=None, timeout_worker_healthcheck=SECONDS_TO_START)
    workers = Workers(config, [])
    workers.init_processes()
    workers.keep_subprocess_alive()
    return workers


def answer(*processes: Process, started: bool = True) -> None:
    """Respond as these processes do, once they run Python code."""
    for process in processes:
        while process.child_conn.poll():
            process.child_conn.recv()
            process.child_conn.send(started)


def test_process_that_starts_is_left_alone(workers: Workers, clock: Clock) -> None:
    """X5: it has a minute until it answers."""
    before = set(workers.processes)
    slow, importing, ready = workers.processes
    for _ in range(SECONDS_TO_START - 1):
        clock.now += 1
        answer(importing, started=False)
        answer(ready)
        workers.keep_subprocess_alive()
    assert set(workers.processes) == before
    clock.now += 1
    answer(importing, started=False)
    answer(ready)
    workers.keep_subprocess_alive()
    assert before - set(workers.processes) == {slow}
    assert len(workers.processes) == 3


def test_process_that_ends_is_replaced_while_others_start(workers: Workers) -> None:
    """X5: at the next look, twice a second."""
    _, killed, _ = before = tuple(workers.processes)
    killed.process.kill()
    workers.keep_subprocess_alive()
    assert set(before) - set(workers.processes) == {killed}
    assert len(workers.processes) == 3


def test_process_that_hangs_is_replaced_soon(workers: Workers, clock: Clock) -> None:
    """X5: once it serves, it has seconds to answer."""
    before = set(workers.processes)
    hung, *others = workers.processes
    answer(*before)
    workers.keep_subprocess_alive()
    clock.now += SECONDS_TO_ANSWER - 0.1
    answer(*others)
    workers.keep_subprocess_alive()
    assert set(workers.processes) == before
    clock.now += 0.1
    answer(*others)
    workers.keep_subprocess_alive()
    assert before - set(workers.processes) == {hung}
    assert not hung.process.is_alive()
    assert len(workers.processes) == 3


def test_late_answer_counts(workers: Workers, clock: Clock) -> None:
    """X5: the supervisor itself may have been late."""
    before = set(workers.processes)
    for _ in range(3):
        clock.now += 2 * SECONDS_TO_START
        answer(*before)
        workers.keep_subprocess_alive()
    assert set(workers.processes) == before
