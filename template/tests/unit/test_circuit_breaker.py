"""F13: a breaker that opens, sends one probe, and closes."""

import asyncio

import pytest

from app.core import resilience
from app.core.circuit_breaker import CircuitBreaker, CircuitOpenError, CircuitState
from app.core.resilience import with_circuit_breaker

pytestmark = pytest.mark.usefixtures("output")  # for log lines


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Target:
    """A target that counts calls and can be blocked."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> str:
        self.calls += 1
        error = self.error
        await self.gate.wait()
        if error:
            raise error
        return "answer"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def changes() -> list[CircuitState]:
    return []


@pytest.fixture
def breaker(clock: Clock, changes: list[CircuitState]) -> CircuitBreaker:
    return CircuitBreaker(
        "target",
        failure_threshold=3,
        recovery_timeout=10,
        failures=(OSError,),
        listener=lambda _target, state: changes.append(state),
        clock=clock,
    )


@pytest.fixture
def target() -> Target:
    return Target()


async def fail(breaker: CircuitBreaker, target: Target, times: int) -> None:
    target.error = ConnectionError()
    for _ in range(times):
        with pytest.raises(ConnectionError):
            await breaker.call(target)


async def test_opens_at_the_threshold_and_then_calls_nothing(
    breaker: CircuitBreaker, target: Target
) -> None:
    await fail(breaker, target, 3)
    with pytest.raises(CircuitOpenError) as caught:
        await breaker.call(target)
    assert target.calls == 3
    assert caught.value.retry_after == 10


async def test_only_failures_in_a_row_count(breaker: CircuitBreaker, target: Target) -> None:
    await fail(breaker, target, 2)
    target.error = None
    await breaker.call(target)
    await fail(breaker, target, 2)
    assert breaker.state is CircuitState.CLOSED


async def test_error_of_another_kind_is_an_answer(breaker: CircuitBreaker, target: Target) -> None:
    await fail(breaker, target, 2)
    target.error = ValueError()
    with pytest.raises(ValueError, match=r"^$"):
        await breaker.call(target)
    await fail(breaker, target, 2)
    assert breaker.state is CircuitState.CLOSED


@pytest.mark.parametrize("back", [True, False])
async def test_one_of_a_hundred_waiting_calls_is_the_probe(
    breaker: CircuitBreaker,
    target: Target,
    clock: Clock,
    changes: list[CircuitState],
    back: bool,
) -> None:
    """Its outcome decides; all others are refused without a call."""
    await fail(breaker, target, 3)
    clock.now += 10
    target.error = None if back else ConnectionError()
    target.gate.clear()
    calls = [asyncio.create_task(breaker.call(target)) for _ in range(100)]
    await asyncio.sleep(0)
    target.gate.set()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert target.calls == 4
    assert sum(isinstance(outcome, CircuitOpenError) for outcome in outcomes) == 99
    end = CircuitState.CLOSED if back else CircuitState.OPEN
    assert changes == [CircuitState.OPEN, CircuitState.HALF_OPEN, end]
    if not back:
        with pytest.raises(CircuitOpenError):
            await breaker.call(target)


async def test_cancelled_call_is_no_failure(
    breaker: CircuitBreaker, target: Target, changes: list[CircuitState]
) -> None:
    await fail(breaker, target, 2)
    target.gate.clear()
    call = asyncio.create_task(breaker.call(target))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    target.gate.set()
    assert changes == []
    await fail(breaker, target, 1)  # the two earlier failures still count
    assert changes == [CircuitState.OPEN]


async def test_cancelled_probe_leaves_its_place_to_the_next_call(
    breaker: CircuitBreaker, target: Target, clock: Clock
) -> None:
    await fail(breaker, target, 3)
    clock.now += 10
    target.error = None
    target.gate.clear()
    probe = asyncio.create_task(breaker.call(target))
    await asyncio.sleep(0)
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    target.gate.set()
    assert await breaker.call(target) == "answer"
    assert breaker.state is CircuitState.CLOSED


async def test_probe_that_hangs_does_not_keep_the_circuit_open(
    breaker: CircuitBreaker, target: Target, clock: Clock, changes: list[CircuitState]
) -> None:
    await fail(breaker, target, 3)
    clock.now += 10
    target.gate.clear()
    hanging = asyncio.create_task(breaker.call(target))
    await asyncio.sleep(0)
    clock.now += 10
    target.gate.set()
    target.error = None
    assert await breaker.call(target) == "answer"
    await asyncio.gather(hanging, return_exceptions=True)
    # The outcome of the old probe does not count.
    assert changes == [CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED]


@pytest.mark.parametrize("error", [None, ConnectionError()])
async def test_outcome_that_comes_late_changes_nothing(
    breaker: CircuitBreaker, target: Target, clock: Clock, error: Exception | None
) -> None:
    """A slow earlier call neither closes nor reopens the circuit."""
    target.error = error
    target.gate.clear()
    late = asyncio.create_task(breaker.call(target))
    await asyncio.sleep(0)
    target.gate.set()
    await fail(breaker, target, 3)  # all of them before the call under way continues
    assert not late.done()
    clock.now += 1
    await asyncio.gather(late, return_exceptions=True)
    assert breaker.state is CircuitState.OPEN
    clock.now += 9
    target.error = None
    assert await breaker.call(target) == "answer"


async def test_fifty_failures_at_once_open_it_once(
    breaker: CircuitBreaker, target: Target, changes: list[CircuitState]
) -> None:
    target.error = ConnectionError()
    target.gate.clear()
    calls = [asyncio.create_task(breaker.call(target)) for _ in range(50)]
    await asyncio.sleep(0)
    target.gate.set()
    await asyncio.gather(*calls, return_exceptions=True)
    assert changes == [CircuitState.OPEN]


async def test_wall_clock_may_jump(monkeypatch: pytest.MonkeyPatch, target: Target) -> None:
    """F16: without a clock of its own it uses the monotonic one."""
    breaker = CircuitBreaker("target", failure_threshold=1, recovery_timeout=3600)
    await fail(breaker, target, 1)
    monkeypatch.setattr("time.time", lambda: 4e9)
    with pytest.raises(CircuitOpenError):
        await breaker.call(target)


async def test_each_target_has_a_breaker_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resilience, "MAX_TARGETS", 2)
    called = []

    @with_circuit_breaker(failure_threshold=1, target=lambda host: host)
    async def visit(host: str) -> str:
        called.append(host)
        if host == "down":
            raise ConnectionError
        return host

    with pytest.raises(ConnectionError):
        await visit("down")
    with pytest.raises(CircuitOpenError, match="down"):
        await visit("down")
    assert await visit("up") == "up"
    assert called == ["down", "up"]
    # The number of targets is bounded; the least recently called one is forgotten.
    await visit("other")
    with pytest.raises(ConnectionError):
        await visit("down")


async def test_without_a_target_the_function_is_it() -> None:
    @with_circuit_breaker(failure_threshold=1)
    async def broken() -> None:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        await broken()
    with pytest.raises(CircuitOpenError, match="broken"):
        await broken()
