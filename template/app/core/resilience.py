"""Retries and circuit breakers for calls that may fail."""

import random
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

import stamina
import structlog
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from app.core.circuit_breaker import CircuitBreaker, Listener, log_state

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

MAX_TARGETS = 1000
"""Targets that one decorator keeps breakers for; the least recently called one goes first."""


class Decorator(Protocol):
    """Keeps the signature of the coroutine function that it wraps."""

    def __call__(
        self, function: Callable[P, Awaitable[T]], /
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        """Wrap it."""


class TransientError(Exception):
    """A temporary failure. `retry_after`: the seconds that the other side asked to wait."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def with_circuit_breaker(
    *,
    failure_threshold: int = 5,
    recovery_timeout: float = 60,
    failures: tuple[type[Exception], ...] = (Exception,),
    target: str | Callable[..., str] | None = None,
    listener: Listener = log_state,
) -> Decorator:
    """Guard a coroutine function with a `CircuitBreaker`, which may raise `CircuitOpenError`.

    Args:
        failure_threshold: Failures in a row after which the circuit opens.
        recovery_timeout: Seconds until a probe call may pass.
        failures: The errors that count. Other errors mean that the target works.
        target: The name of the target, by default the function's name. If it varies, a function
            of the arguments; each target has a breaker of its own.
        listener: Is called at each change of state.
    """

    def decorate(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        breakers: OrderedDict[str, CircuitBreaker] = OrderedDict()

        @wraps(function)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            name = target(*args, **kwargs) if callable(target) else target or function.__qualname__
            breaker = breakers.get(name)
            if breaker is None:
                breaker = breakers[name] = CircuitBreaker(
                    name,
                    failure_threshold=failure_threshold,
                    recovery_timeout=recovery_timeout,
                    failures=failures,
                    listener=listener,
                )
                if len(breakers) > MAX_TARGETS:
                    breakers.popitem(last=False)
            breakers.move_to_end(name)
            return await breaker.call(lambda: function(*args, **kwargs))

        return guarded

    return decorate


class RetryBudget:
    """Limits the load that retries add, most of all to a target that is down.

    A failure takes a credit; without one, it is not retried. Successes give credits back, so that
    retries stay a small share of the traffic. Time does as well, slowly, so that a service with
    little traffic may retry.
    """

    def __init__(
        self,
        size: float = 10,
        *,
        per_success: float = 0.1,
        per_second: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = self._left = size
        self._per_success = per_success
        self._per_second = per_second
        self._clock = clock
        self._filled_at = clock()

    def withdraw(self) -> bool:
        """Take a credit; return False if there is none."""
        now = self._clock()
        self._add((now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def deposit(self) -> None:
        """Record a success."""
        self._add(self._per_success)

    def _add(self, amount: float) -> None:
        self._left = min(self._most, self._left + amount)


def with_retry(
    *,
    max_attempts: int = 3,
    wait_multiplier: float = 2,
    wait_initial: float = 0.1,
    wait_max: float = 5,
    on: tuple[type[Exception], ...] = (TransientError,),
    budget: RetryBudget | None = None,
) -> Decorator:
    """Call a coroutine function again when it fails. The function must be idempotent.

    Args:
        max_attempts: Calls in all.
        wait_multiplier: The factor by which each pause grows.
        wait_initial: Seconds of the first pause. Each pause gets a random addition of up to the
            same length (jitter), so that callers do not all come back at the same time.
        wait_max: Seconds of the longest pause. An error whose `retry_after` is longer is not
            retried; a shorter one is respected.
        on: The temporary errors.
        budget: A budget other than the default, shared by all calls of the function.
    """
    budget = budget or RetryBudget()

    def decide(error: Exception) -> bool | float:
        if max_attempts == 1 or not isinstance(error, on):
            return False
        asked: float | None = getattr(error, "retry_after", None)
        if asked is not None and asked > wait_max:
            return False
        if not budget.withdraw():
            log.warning("retry_budget_spent", failure=type(error).__name__)
            return False
        return True if asked is None else asked + random.uniform(0, wait_initial)  # noqa: S311

    def decorate(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @stamina.retry(
            on=decide,
            attempts=max_attempts,
            timeout=None,  # the caller's deadline covers all attempts
            wait_initial=wait_initial,
            wait_max=wait_max,
            wait_jitter=wait_initial,
            wait_exp_base=wait_multiplier,
        )
        @wraps(function)
        async def retried(*args: P.args, **kwargs: P.kwargs) -> T:
            result = await function(*args, **kwargs)
            budget.deposit()
            return result

        return retried

    return decorate


def _log_retry(details: RetryDetails) -> None:
    log.warning(
        "retry_scheduled",
        call=details.name,
        attempt=details.retry_num,
        failure=type(details.caused_by).__name__,
        wait=round(details.wait_for, 3),
    )


# stamina's own hook would log the arguments, which may be secret.
set_on_retry_hooks([_log_retry])
