"""Bounds on durations, on machines that have other things to do."""

import time

SAMPLE = 0.02
"""Seconds of computing by which the pace is measured."""


def within(seconds: float, bound: float) -> bool:
    """Tell whether something took less than `bound`, or would have on a machine of our own."""
    return seconds < bound or seconds < bound * slowdown()


def slowdown() -> float:
    """Return how many times longer this thread takes now than if it ran alone."""
    began, computed = time.perf_counter(), time.thread_time()
    while time.thread_time() - computed < SAMPLE:
        pass
    return (time.perf_counter() - began) / SAMPLE
