"""Redis, or Valkey: one client for the process, and a way to do without it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import structlog
from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff

from app import PROJECT_SLUG
from app.core.circuit_breaker import CircuitOpenError, Listener, log_state
from app.core.resilience import with_circuit_breaker
from app.settings.redis import RedisSettings

log = structlog.get_logger(__name__)

T = TypeVar("T")

DEADLINE = 1.0
"""Seconds for a connection, for an answer, and for a free connection: each, in each attempt."""

PATIENCE = 3
"""How often to wait for `redis_timeout`, where waiting took longer: then our own loop was late."""

COMPLAINT_INTERVAL = 10.0
"""Seconds between two log lines about commands that Redis refuses."""


class RedisAwayError(Exception):
    """Redis does not answer in time, refuses, or is known to be away: go on without."""


def build_redis(settings: RedisSettings) -> Redis:
    """Return a client with a bounded pool in which nothing waits for ever. It connects lazily."""
    pool = BlockingConnectionPool.from_url(
        settings.redis_url.get_secret_value(),
        client_name=PROJECT_SLUG,
        driver_info=None,  # two messages less for each connection
        legacy_responses=False,
        max_connections=settings.redis_max_connections,
        # Its own default, ten attempts, would stall every command for seconds.
        retry=Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.2), retries=2),
        socket_connect_timeout=DEADLINE,
        socket_timeout=DEADLINE,
        timeout=DEADLINE,
    )
    return Redis.from_pool(pool)


async def close_redis(client: Redis) -> None:
    """Close the connections, without waiting for a server that hangs."""
    with suppress(exceptions.RedisError, OSError):
        async with asyncio.timeout(DEADLINE):
            await client.aclose()


class OptionalRedis:
    """Redis for what the service can do without.

    Each use takes about `redis_timeout` seconds at most. After several failures in a row Redis
    counts as away, and is left alone until one call finds it again: meanwhile a use costs next to
    nothing.
    """

    def __init__(
        self, client: Redis, settings: RedisSettings, listener: Listener = log_state
    ) -> None:
        self.client = client
        self._timeout = settings.redis_timeout
        self._turns = asyncio.Semaphore(settings.redis_max_connections)
        self._attempt = with_circuit_breaker(
            target="redis",
            failure_threshold=settings.circuit_breaker_failure_threshold,
            recovery_timeout=settings.circuit_breaker_recovery_timeout,
            failures=(exceptions.ConnectionError, exceptions.TimeoutError, OSError),
            listener=listener,
        )(self._bounded)
        self._may_complain_at = 0.0

    async def use(self, command: Callable[[], Awaitable[T]]) -> T:
        """Return what `command` returns.

        Raises:
            RedisAwayError: it did not work out.
        """
        # Outside of the breaker: that all connections are busy says nothing of Redis.
        if self._turns.locked():
            try:
                async with asyncio.timeout(self._timeout):
                    await self._turns.acquire()
            except TimeoutError:
                raise RedisAwayError from None
        else:
            await self._turns.acquire()
        try:
            return await self._attempt(command)
        except exceptions.ResponseError as error:  # it is there, but full, read-only or forbidding
            self._complain(error)
            raise RedisAwayError from error
        except (exceptions.RedisError, OSError, CircuitOpenError) as error:
            raise RedisAwayError from error
        finally:
            self._turns.release()

    async def _bounded(self, command: Callable[[], Awaitable[T]]) -> T:
        task = asyncio.ensure_future(command())
        # Nobody may be there any more to see how it ends.
        task.add_done_callback(lambda late: late.cancelled() or late.exception())
        for _ in range(PATIENCE):
            started = time.monotonic()
            done, _pending = await asyncio.wait({task}, timeout=self._timeout)
            if done:
                return task.result()
            if time.monotonic() - started < 1.1 * self._timeout:
                break  # Redis is late; otherwise the event loop is, and may have to catch up
        # It goes on until its own deadline: cancelling it would cost its connection.
        raise TimeoutError

    def _complain(self, error: exceptions.ResponseError) -> None:
        now = time.monotonic()
        if now >= self._may_complain_at:
            self._may_complain_at = now + COMPLAINT_INTERVAL
            log.warning("redis_refuses", failure=type(error).__name__, reason=str(error)[:200])
