"""The metrics of this process."""

from collections.abc import Callable

from prometheus_client import REGISTRY


def value(name: str, **labels: str) -> float:
    """Return the value of a series, 0 if there is none."""
    return REGISTRY.get_sample_value(name, labels) or 0


def increase(name: str, **labels: str) -> Callable[[], float]:
    """Return a function that returns the increase of the series from now on."""
    before = value(name, **labels)
    return lambda: value(name, **labels) - before
