"""A circuit breaker."""

import math
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TypeVar

import structlog

log = structlog.get_logger(__name__)

T = TypeVar("T")


class CircuitState(StrEnum):
    """The state of a circuit breaker: all calls pass, none, or one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitOpenError(Exception):
    """The call was not made, because earlier calls failed."""

    def __init__(self, target: str, retry_after: float) -> None:
        super().__init__(f"The circuit of {target} is open.")
        self.target = target
        self.retry_after = retry_after
        """Seconds until the next call may pass."""


Listener = Callable[[str, CircuitState], None]
"""Is called with the target and its new state. It must not raise."""


def log_state(target: str, state: CircuitState) -> None:
    """Log a change of state: the default listener."""
    log.warning("circuit_changed", target=target, state=state)


class CircuitBreaker:
    """Stops calling a target that fails. Later, single probe calls test whether it has recovered.

    After `failure_threshold` failures in a row, the circuit is open: for `recovery_timeout`
    seconds, no call is made. Then one call passes, the probe, and its outcome decides. All other
    calls are still refused.

    An outcome counts only for the state in which its call began (the generation), so a late
    outcome changes nothing. A cancelled call does not count. Durations are measured by the
    monotonic clock. An instance belongs to one event loop.
    """

    def __init__(
        self,
        target: str,
        *,
        failure_threshold: int = 5,
        recovery_timeout: float = 60,
        failures: tuple[type[Exception], ...] = (Exception,),
        listener: Listener = log_state,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target = target
        self._threshold = failure_threshold
        self._recovery_timeout = recovery_timeout
        self._failures = failures
        self._listener = listener
        self._clock = clock
        self._count = 0
        self._generation = 0
        self._since = clock()
        self.state = CircuitState.CLOSED

    async def call(self, function: Callable[[], Awaitable[T]]) -> T:
        """Return what `function` returns.

        Raises:
            CircuitOpenError: it was not called.
        """
        generation = self._admit()
        try:
            result = await function()
        except self._failures:
            self._conclude(generation, succeeded=False)
            raise
        except Exception:  # the target has answered
            self._conclude(generation, succeeded=True)
            raise
        except BaseException:
            self._withdraw(generation)
            raise
        self._conclude(generation, succeeded=True)
        return result

    def _admit(self) -> int:
        """Return the generation that the call belongs to."""
        if self.state is not CircuitState.CLOSED:
            # A probe gets as long as a pause: one that hangs must not keep the circuit open.
            wait = self._since + self._recovery_timeout - self._clock()
            if wait > 0:
                raise CircuitOpenError(self._target, wait)
            self._change(CircuitState.HALF_OPEN)
        return self._generation

    def _conclude(self, generation: int, *, succeeded: bool) -> None:
        if generation != self._generation:
            return
        self._count = 0 if succeeded else self._count + 1
        if succeeded and self.state is CircuitState.HALF_OPEN:
            self._change(CircuitState.CLOSED)
        elif not succeeded and (
            self.state is CircuitState.HALF_OPEN or self._count >= self._threshold
        ):
            self._change(CircuitState.OPEN)

    def _withdraw(self, generation: int) -> None:
        if generation == self._generation and self.state is CircuitState.HALF_OPEN:
            self._since = -math.inf  # do not wait: the next call is the probe

    def _change(self, state: CircuitState) -> None:
        self._generation += 1
        self._since = self._clock()
        if state is not self.state:
            self.state = state
            self._listener(self._target, state)
