"""Bounds on durations, on machines that have other things to do."""

import time
from pathlib import Path

SAMPLE = 0.02
"""Seconds of computing by which the pace is measured."""

SCHEDULE = Path("/proc/thread-self/schedstat")
"""Where Linux says how long a thread has waited for a processor, in nanoseconds."""


class Stopwatch:
    """Measures how long something takes, and how slow the machine is meanwhile."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._computed = time.thread_time()
        self._waited = _waited()

    def within(self, bound: float, seconds: float | None = None) -> bool:
        """Tell whether the time since the start is below `bound` on a machine of our own.

        With `seconds`, it tells so of a part of this time.
        """
        taken = time.monotonic() - self._began if seconds is None else seconds
        return taken < bound or taken < bound * self._slowdown()

    def _slowdown(self) -> float:
        """Return how many times longer this thread took, or takes now, than if it ran alone."""
        waited = _waited() - self._waited
        computed = max(time.thread_time() - self._computed, SAMPLE)
        return max(1 + waited / computed, _slowdown_now())


def _waited() -> float:
    return int(SCHEDULE.read_text().split()[1]) / 1e9 if SCHEDULE.exists() else 0


def _slowdown_now() -> float:
    began, computed = time.perf_counter(), time.thread_time()
    while time.thread_time() - computed < SAMPLE:
        pass
    return (time.perf_counter() - began) / SAMPLE
