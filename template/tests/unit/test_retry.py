"""F12: temporary failures are retried, within limits."""

import json
import time
from io import StringIO

import pytest

from app.core.resilience import RetryBudget, TransientError, with_retry

pytestmark = pytest.mark.usefixtures("output")  # for log lines


class Flaky:
    """Fails for a number of calls."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls: list[float] = []

    async def __call__(self, secret: str = "") -> str:
        self.calls.append(time.monotonic())
        if self.errors:
            raise self.errors.pop(0)
        return f"answer{secret and '!'}"

    @property
    def pauses(self) -> list[float]:
        return [after - before for before, after in zip(self.calls, self.calls[1:], strict=False)]


async def test_passing_failure_is_tried_again_after_growing_pauses(output: StringIO) -> None:
    flaky = Flaky(TransientError("1"), TransientError("2"))
    call = with_retry(max_attempts=3, wait_initial=0.02, wait_multiplier=4)(flaky.__call__)
    assert await call() == "answer"
    first, second = (json.loads(line)["wait"] for line in output.getvalue().splitlines())
    assert 0.02 <= first <= 0.04
    assert 0.08 <= second <= 0.1
    assert flaky.pauses[0] >= 0.02
    assert flaky.pauses[1] >= 0.08


async def test_last_failure_comes_through() -> None:
    flaky = Flaky(*(TransientError(str(number)) for number in range(9)))
    with pytest.raises(TransientError, match="1"):
        await with_retry(max_attempts=2, wait_initial=0.001)(flaky.__call__)()
    assert len(flaky.calls) == 2


async def test_other_failure_is_not_tried_again() -> None:
    flaky = Flaky(ValueError("ours"))
    with pytest.raises(ValueError, match="ours"):
        await with_retry(wait_initial=0.001)(flaky.__call__)()
    assert len(flaky.calls) == 1


async def test_waits_as_long_as_it_is_asked_to() -> None:
    flaky = Flaky(TransientError("busy", retry_after=0.1))
    assert await with_retry(wait_initial=0.001)(flaky.__call__)() == "answer"
    assert flaky.pauses[0] >= 0.1


async def test_does_not_wait_for_ever() -> None:
    flaky = Flaky(TransientError("busy", retry_after=3600))
    with pytest.raises(TransientError):
        await with_retry(wait_max=1)(flaky.__call__)()
    assert len(flaky.calls) == 1


async def test_budget_bounds_what_a_target_has_to_bear(output: StringIO) -> None:
    """If a target is down, most calls are not retried."""
    budget = RetryBudget(size=4, per_second=0)
    flaky = Flaky(*(TransientError("down") for _ in range(1000)))
    call = with_retry(max_attempts=3, wait_initial=0.0001, budget=budget)(flaky.__call__)
    for _ in range(100):
        with pytest.raises(TransientError):
            await call()
    assert 100 < len(flaky.calls) <= 104
    assert "retry_budget_spent" in output.getvalue()


async def test_successes_pay_for_retries() -> None:
    budget = RetryBudget(size=1, per_success=0.5, per_second=0)
    call = with_retry(max_attempts=2, wait_initial=0.0001, budget=budget)
    assert await call(Flaky(TransientError("1")).__call__)() == "answer"
    for failing in (False, False, True):
        flaky = Flaky(TransientError("1")) if failing else Flaky()
        assert await call(flaky.__call__)() == "answer"


async def test_budget_comes_back_with_successes_and_time() -> None:
    now = 0.0
    budget = RetryBudget(size=1, per_success=0.5, per_second=0.1, clock=lambda: now)
    assert [budget.withdraw(), budget.withdraw()] == [True, False]
    budget.deposit()
    budget.deposit()
    assert [budget.withdraw(), budget.withdraw()] == [True, False]
    now = 10
    assert [budget.withdraw(), budget.withdraw()] == [True, False]
    now = 1000
    assert [budget.withdraw(), budget.withdraw()] == [True, False]  # never more than at first


async def test_arguments_stay_out_of_the_log(output: StringIO) -> None:
    flaky = Flaky(TransientError("1"))
    assert await with_retry(wait_initial=0.001)(flaky.__call__)("hunter2") == "answer!"
    assert "retry_scheduled" in output.getvalue()
    assert "hunter2" not in output.getvalue()
