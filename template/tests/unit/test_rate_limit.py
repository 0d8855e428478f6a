"""O4: a sliding window, and GCRA for large limits, in bounded memory."""

import pytest

from app.server.rate_limit import MAX_BURST, InProcessRateLimiter, Limit

LIMIT = Limit("requests", requests=10, seconds=60)

LARGE = Limit("large", requests=12_000, seconds=60)
"""A request every 5 ms."""


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


@pytest.mark.parametrize(("requests", "below"), [(12_000, 1), (70_001, 73)])
async def test_large_limit_and_a_burst_hold_in_every_period(
    limiter: InProcessRateLimiter, clock: Clock, requests: int, below: int
) -> None:
    """A client that takes all it gets comes close to the bound, as far as intervals are whole."""
    limit = Limit("large", requests)
    passed: list[float] = []
    for second in (5, 5.2, *range(10, 65, 5), 64.999, 66, 70.123, 130.122, 200, 259.999):
        clock.now = second
        while (await limiter.hit([(limit, "client")])).allowed:
            passed.append(second)
    most = max(sum(start <= moment < start + 60 for moment in passed) for start in set(passed))
    assert most == requests + MAX_BURST - below


async def test_large_limit_allows_its_rate(limiter: InProcessRateLimiter, clock: Clock) -> None:
    limit = Limit("large", requests=12_800, seconds=200)  # 64 a second, exact as a float
    while (await limiter.hit([(limit, "client")])).allowed:
        pass
    for _ in range(limit.requests):
        clock.now += 1 / 64
        assert (await limiter.hit([(limit, "client")])).allowed
        assert not (await limiter.hit([(limit, "client")])).allowed


async def test_large_limit_tells_what_is_left_and_when_there_is_more(
    limiter: InProcessRateLimiter, clock: Clock
) -> None:
    """It is what may be sent at once. Refused requests do not count."""
    first = await limiter.hit([(LARGE, "client")])
    assert (first.allowed, first.remaining, first.reset) == (True, MAX_BURST - 1, 0.005)
    while (decision := await limiter.hit([(LARGE, "client")])).allowed:
        pass
    assert (decision.remaining, decision.reset) == (0, 0.005)
    clock.now += 0.0125
    decision = await limiter.hit([(LARGE, "client")])
    assert (decision.allowed, decision.remaining, decision.reset) == (True, 1, 0.0025)
    clock.now += 60
    assert (await limiter.hit([(LARGE, "client")])).remaining == MAX_BURST - 1


async def test_large_limit_refuses_nothing_that_a_lower_one_allows(
    limiter: InProcessRateLimiter, clock: Clock
) -> None:
    exact, large = Limit("exact", MAX_BURST), Limit("large", MAX_BURST + 1)
    for second in (5, 30, 64.9, 65, 90, 125, 185):
        clock.now = second
        for _ in range(3000 if second < 100 else MAX_BURST):
            if (await limiter.hit([(exact, "client")])).allowed:
                assert (await limiter.hit([(large, "client")])).allowed


async def test_request_counts_for_none_if_one_of_two_kinds_refuses(
    limiter: InProcessRateLimiter,
) -> None:
    for _ in range(15):
        decision = await limiter.hit([(LIMIT, "ada"), (LARGE, "home")])
    assert (decision.allowed, decision.limit) == (False, LIMIT)
    assert (await limiter.hit([(LARGE, "home")])).remaining == MAX_BURST - 11
    while (await limiter.hit([(LARGE, "home")])).allowed:
        pass
    decision = await limiter.hit([(LIMIT, "bob"), (LARGE, "home")])
    assert (decision.allowed, decision.limit) == (False, LARGE)
    assert (await limiter.hit([(LIMIT, "bob")])).remaining == 9


async def test_clients_and_limits_count_apart(limiter: InProcessRateLimiter) -> None:
    await limiter.hit([(LIMIT, "client")])
    assert (await limiter.hit([(LIMIT, "other")])).remaining == 9
    assert (await limiter.hit([(Limit("other", 10), "client")])).remaining == 9


async def test_memory_is_bounded(limiter: InProcessRateLimiter) -> None:
    """The least recently seen client is forgotten, not an active one."""
    for number in range(1000):
        await limiter.hit([(LIMIT, "busy")])
        await limiter.hit([(LIMIT, f"client {number}")])
    assert len(limiter._counters) == 3
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
