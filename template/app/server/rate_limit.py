"""Rate limits over a sliding window: no period has more requests than the limit."""

import time
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.types import Scope

from app.server.address import client_network

MAX_KEYS = 10_000
"""Clients that a process counts: about 10 MB at 100 requests each."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Requests that are allowed within any period of `seconds`. Each limit counts separately."""

    name: str
    requests: int
    seconds: int = 60


Count = tuple[Limit, str]
"""A limit that a request counts towards, and its client."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request may pass, and how many more the limit allows."""

    limit: Limit
    allowed: bool
    remaining: int
    reset: float
    """Seconds until the oldest request that counts leaves the window."""


def decisive(decisions: Sequence[Decision]) -> Decision:
    """Return the one to report: the longest refusal, else that with the least remaining."""
    if len(decisions) == 1:
        return decisions[0]
    refusals = [decision for decision in decisions if not decision.allowed]
    if refusals:
        return max(refusals, key=lambda decision: decision.reset)
    return min(decisions, key=lambda decision: decision.remaining)


class Strategy(Protocol):
    """Decides how a request is counted."""

    @property
    def limits(self) -> Sequence[Limit]:
        """All limits of this strategy."""

    def __call__(self, scope: Scope) -> Sequence[Count]:
        """Return all limits that a request counts towards, at least one."""


class ByAddress:
    """Counts requests per IP address (per /64 for IPv6)."""

    def __init__(self, limit: Limit) -> None:
        self.limits = (limit,)

    def __call__(self, scope: Scope) -> Sequence[Count]:
        """Return the limit and the client's network."""
        return ((self.limits[0], client_network(scope)),)


class RateLimiter(Protocol):
    """Counts requests."""

    async def hit(self, counts: Sequence[Count]) -> Decision:
        """Count a request towards all of its limits, or towards none if one refuses it."""


class InProcessRateLimiter:
    """Counts in this process only.

    Memory is bounded: beyond `max_keys` clients, the least recently seen one is forgotten.
    """

    def __init__(
        self, *, max_keys: int = MAX_KEYS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_keys = max_keys
        self._clock = clock
        self._hits: OrderedDict[tuple[str, str], array[float]] = OrderedDict()

    async def hit(self, counts: Sequence[Count]) -> Decision:
        """Count a request towards all of its limits, or towards none if one refuses it."""
        now = self._clock()
        windows = [(limit, self._window(limit, client, now)) for limit, client in counts]
        fits = [len(hits) < limit.requests for limit, hits in windows]
        if all(fits):
            for _, hits in windows:
                hits.append(now)
        return decisive(
            [
                Decision(
                    limit,
                    allowed,
                    max(0, limit.requests - len(hits)),
                    hits[0] + limit.seconds - now if hits else 0,
                )
                for (limit, hits), allowed in zip(windows, fits, strict=True)
            ]
        )

    def _window(self, limit: Limit, client: str, now: float) -> "array[float]":
        """Return the times of the client's requests that still count."""
        key = (limit.name, client)
        hits = self._hits.setdefault(key, array("d"))
        self._hits.move_to_end(key)
        if len(self._hits) > self._max_keys:
            self._hits.popitem(last=False)
        del hits[: bisect_right(hits, now - limit.seconds)]
        return hits
