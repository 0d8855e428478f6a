"""Rate limits: by a sliding window, which is exact, and large ones by GCRA, which needs no list.

GCRA, the generic cell rate algorithm, is ITU-T I.371's. It keeps one number for each client, a time
that each request moves on by the limit's interval.
"""

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

MAX_BURST = 10_000
"""Requests that any limit allows at once. Limits up to it are exact."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Requests that are allowed per `seconds`. Each limit counts separately.

    Up to `MAX_BURST` requests, no period of `seconds` has more than `requests`. Above, `MAX_BURST`
    are allowed at once and further ones at even intervals, so no such period has more than
    `requests` + `MAX_BURST`. A limit never refuses what a lower one allows.
    """

    name: str
    requests: int
    seconds: int = 60

    @property
    def burst(self) -> int:
        """The requests that are allowed at once."""
        return min(self.requests, MAX_BURST)

    @property
    def exact(self) -> bool:
        """Whether a sliding window counts, not GCRA."""
        return self.requests <= MAX_BURST

    @property
    def interval(self) -> int:
        """Microseconds between two requests at an even rate, rounded up."""
        return -(-self.seconds * 1_000_000 // self.requests)


Count = tuple[Limit, str]
"""A limit that a request counts towards, and its client."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request may pass, and how many more the limit allows."""

    limit: Limit
    allowed: bool
    remaining: int
    reset: float
    """Seconds until the limit allows one more request."""


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
        self._counters: OrderedDict[tuple[str, str], _Window | _Pace] = OrderedDict()

    async def hit(self, counts: Sequence[Count]) -> Decision:
        """Count a request towards all of its limits, or towards none if one refuses it."""
        now = self._clock()
        counters = [(limit, self._counter(limit, client)) for limit, client in counts]
        fits = [counter.left(limit, now) > 0 for limit, counter in counters]
        if all(fits):
            for limit, counter in counters:
                counter.add(limit, now)
        return decisive(
            [
                Decision(limit, allowed, counter.left(limit, now), counter.reset(limit, now))
                for (limit, counter), allowed in zip(counters, fits, strict=True)
            ]
        )

    def _counter(self, limit: Limit, client: str) -> "_Window | _Pace":
        key = (limit.name, client)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = _Window() if limit.exact else _Pace()
            if len(self._counters) > self._max_keys:
                self._counters.popitem(last=False)
        self._counters.move_to_end(key)
        return counter


class _Window:
    """The times of one client's requests that still count."""

    __slots__ = ("_hits",)

    def __init__(self) -> None:
        self._hits = array("d")

    def left(self, limit: Limit, now: float) -> int:
        """Return how many more requests the limit allows now."""
        del self._hits[: bisect_right(self._hits, now - limit.seconds)]
        return max(0, limit.requests - len(self._hits))

    def add(self, _limit: Limit, now: float) -> None:
        """Count a request."""
        self._hits.append(now)

    def reset(self, limit: Limit, now: float) -> float:
        """Return the seconds until the oldest request leaves the window."""
        return self._hits[0] + limit.seconds - now if self._hits else 0


class _Pace:
    """One client's theoretical arrival time: from then on, the whole burst is allowed again."""

    __slots__ = ("_arrival",)

    def __init__(self) -> None:
        self._arrival = 0

    def left(self, limit: Limit, now: float) -> int:
        """Return how many more requests the limit allows now."""
        return (limit.burst * limit.interval - self._ahead(now)) // limit.interval

    def add(self, limit: Limit, now: float) -> None:
        """Count a request."""
        self._arrival = _microseconds(now) + self._ahead(now) + limit.interval

    def reset(self, limit: Limit, now: float) -> float:
        """Return the seconds until one more request is allowed."""
        return (self._ahead(now) % limit.interval or limit.interval) / 1_000_000

    def _ahead(self, now: float) -> int:
        return max(0, self._arrival - _microseconds(now))


def _microseconds(seconds: float) -> int:
    return int(seconds * 1_000_000)
