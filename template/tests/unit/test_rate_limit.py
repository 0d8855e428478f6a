"""O4: a sliding window in bounded memory."""

import pytest

from app.server.rate_limit import InProcessRateLimiter, Limit

LIMIT = Limit("requests", requests=10, seconds=60)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> InProcessRateLimiter:
    return InProcessRateLimiter(max_keys=3, clock=clock)


async def test_limit_holds_across_the_edge_of_every_window(
    limiter: InProcessRateLimiter, clock: Clock
) -> None:
    """For any pattern of requests, no period of a minute has more than the limit."""
    passed: list[float] = []
    for second in (*range(55, 66), *range(110, 131), *range(170, 250)):
        clock.now = second
        decisions = [await limiter.hit([(LIMIT, "client")]) for _ in range(5)]
        passed += [clock.now for decision in decisions if decision.allowed]
    assert len(passed) >= 30
    for start in passed:
        assert sum(start <= moment < start + 60 for moment in passed) <= 10


async def test_tells_what_is_left_and_when_there_is_more(
    limiter: InProcessRateLimiter, clock: Clock
) -> None:
    first = await limiter.hit([(LIMIT, "client")])
    assert (first.allowed, first.remaining, first.reset) == (True, 9, 60)
    clock.now += 10
    second = await limiter.hit([(LIMIT, "client")])
    assert (second.remaining, second.reset) == (8, 50)


async def test_refused_requests_do_not_count(limiter: InProcessRateLimiter, clock: Clock) -> None:
    """A client that keeps asking gets through as soon as one that waits."""
    for _ in range(100):
        decision = await limiter.hit([(LIMIT, "client")])
    assert (decision.allowed, decision.remaining, decision.reset) == (False, 0, 60)
    clock.now += 60
    assert (await limiter.hit([(LIMIT, "client")])).remaining == 9


async def test_clients_and_limits_count_apart(limiter: InProcessRateLimiter) -> None:
    await limiter.hit([(LIMIT, "client")])
    assert (await limiter.hit([(LIMIT, "other")])).remaining == 9
    assert (await limiter.hit([(Limit("other", 10), "client")])).remaining == 9


async def test_memory_is_bounded(limiter: InProcessRateLimiter) -> None:
    """The least recently seen client is forgotten, not an active one."""
    for number in range(1000):
        await limiter.hit([(LIMIT, "busy")])
        await limiter.hit([(LIMIT, f"client {number}")])
    assert len(limiter._hits) == 3
    assert not (await limiter.hit([(LIMIT, "busy")])).allowed


async def test_lowered_limit_leaves_nothing(limiter: InProcessRateLimiter) -> None:
    for _ in range(10):
        await limiter.hit([(LIMIT, "client")])
    assert (await limiter.hit([(Limit("requests", 3), "client")])).remaining == 0


async def test_wall_clock_may_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    """F16: without a clock of its own it uses the monotonic one."""
    limiter = InProcessRateLimiter()
    await limiter.hit([(Limit("requests", 1), "client")])
    monkeypatch.setattr("time.time", lambda: 4e9)
    assert not (await limiter.hit([(Limit("requests", 1), "client")])).allowed


async def test_x21_request_passes_all_its_limits_or_counts_for_none(
    limiter: InProcessRateLimiter, clock: Clock
) -> None:
    """X21: the decision is that of the limit that refuses, else of the one with the least left."""
    small, large = Limit("small", 2), Limit("large", 3)
    for _ in range(5):
        decision = await limiter.hit([(small, "ada"), (large, "home")])
    assert (decision.allowed, decision.limit) == (False, small)
    clock.now += 1
    decision = await limiter.hit([(small, "bob"), (large, "home")])
    assert (decision.allowed, decision.limit, decision.remaining) == (True, large, 0)
    decision = await limiter.hit([(small, "eve"), (large, "home")])
    assert (decision.allowed, decision.limit, decision.reset) == (False, large, 59)
    assert (await limiter.hit([(small, "eve")])).remaining == 1
