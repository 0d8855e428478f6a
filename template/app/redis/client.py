"""Redis or Valkey: the client of the process, and a wrapper that makes it optional."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import structlog
from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.typing import EncodableT

from app import PROJECT_SLUG
from app.core.circuit_breaker import CircuitBreaker, CircuitOpenError, Listener, log_state
from app.redis.shared_connection import SharedConnection
from app.settings.redis import RedisSettings

log = structlog.get_logger(__name__)

T = TypeVar("T")

DEADLINE = 1.0
"""Seconds for a new connection, a response, and a free connection, in each attempt."""

PATIENCE = 3
"""How often to wait for `redis_timeout` if the wait took longer: the event loop was late."""

COMPLAINT_INTERVAL = 10.0
"""Seconds between two log lines about refused commands."""


REPLICA_ERRORS = (exceptions.ReadOnlyError, exceptions.MasterDownError)
"""After a failover, the server of an open connection is a replica. A new connection may lead to the
new primary server."""


class RedisAwayError(Exception):
    """Redis is late, refuses the command, or counts as down: continue without it."""


def build_redis(settings: RedisSettings) -> Redis:
    """Return a client with a bounded pool and timeouts for all waits. It connects lazily."""
    pool = BlockingConnectionPool.from_url(
        settings.redis_url.get_secret_value(),
        client_name=PROJECT_SLUG,
        driver_info=None,  # saves two messages per connection
        legacy_responses=False,
        max_connections=settings.redis_max_connections,
        # The default of ten attempts would delay every command for seconds.
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


async def check_redis(client: Redis, settings: RedisSettings) -> None:
    """Check that Redis accepts writes, as the service needs them.

    Raises:
        RedisError, OSError: it does not. After a failover, the next check uses new connections.
    """
    try:
        await client.set(f"{settings.cache_prefix}:health", b"", px=1000)
    except REPLICA_ERRORS:
        await drop_idle_connections(client)
        raise


async def drop_idle_connections(client: Redis) -> None:
    """Close the connections that are not in use, so that the next commands open new ones."""
    with suppress(exceptions.RedisError, OSError):
        await client.connection_pool.disconnect(inuse_connections=False)


class OptionalRedis:
    """Redis for optional uses.

    Each use takes at most about `redis_timeout` seconds. After several failures in a row, Redis
    counts as down, and uses fail at once. Then single probe calls test whether Redis has recovered.
    """

    def __init__(
        self, client: Redis, settings: RedisSettings, listener: Listener = log_state
    ) -> None:
        self.client = client
        self._timeout = settings.redis_timeout
        self._turns = asyncio.Semaphore(settings.redis_max_connections)
        self._breaker = CircuitBreaker(
            "redis",
            failure_threshold=settings.circuit_breaker_failure_threshold,
            recovery_timeout=settings.circuit_breaker_recovery_timeout,
            failures=(exceptions.ConnectionError, exceptions.TimeoutError, OSError),
            listener=listener,
        )
        self._shared = SharedConnection(client.connection_pool, deadline=DEADLINE)
        self._may_complain_at = 0.0
        self._commands: set[asyncio.Future[Any]] = set()

    async def aclose(self) -> None:
        """Cancel the commands that nothing waits for any more, and close the connections."""
        late = list(self._commands)
        for command in late:
            command.cancel()
        if late:  # one that continued would connect again
            await asyncio.wait(late, timeout=DEADLINE)
        await self._shared.aclose()
        await close_redis(self.client)

    async def use(self, command: Callable[[], Awaitable[T]]) -> T:
        """Return what `command` returns.

        Raises:
            RedisAwayError: Redis did not do it.
        """
        # Outside of the breaker: busy connections are not a failure of Redis.
        if self._turns.locked():
            try:
                async with asyncio.timeout(self._timeout):
                    await self._turns.acquire()
            except TimeoutError:
                raise RedisAwayError from None
        else:
            await self._turns.acquire()
        try:
            return await self._attempt(lambda: self._bounded(command))
        finally:
            self._turns.release()

    async def execute(self, *command: EncodableT) -> Any:
        """Return the response to a command, over the connection that all such commands share.

        If the connection is lost, the command is sent once more, over another one.

        Raises:
            RedisAwayError: Redis did not do it.
            NoScriptError: Redis does not know the script.
        """
        response = await self._attempt(lambda: self._execute(command))
        if isinstance(response, exceptions.NoScriptError):
            raise response
        return response

    async def _execute(self, command: tuple[EncodableT, ...]) -> Any:
        try:
            try:
                return await self._in_time(self._shared.send(*command))
            except exceptions.ConnectionError:  # all that were under way lose it at the same time
                return await self._in_time(self._shared.send(*command))
        except exceptions.NoScriptError as error:
            return error  # Redis works

    async def _in_time(self, answer: asyncio.Future[T]) -> T:
        loop = asyncio.get_running_loop()
        due = time.monotonic() + self._timeout
        timer = loop.call_later(self._timeout, self._give_up, answer, due, PATIENCE)
        try:
            return await answer
        finally:
            timer.cancel()

    def _give_up(self, answer: asyncio.Future[Any], due: float, patience: int) -> None:
        if answer.done():
            return
        now = time.monotonic()
        if patience > 1 and now > due + 0.1 * self._timeout:  # the event loop was late
            asyncio.get_running_loop().call_later(
                self._timeout, self._give_up, answer, now + self._timeout, patience - 1
            )
        else:
            answer.set_exception(TimeoutError())

    async def _attempt(self, call: Callable[[], Awaitable[T]]) -> T:
        try:
            return await self._breaker.call(call)
        except exceptions.ResponseError as error:  # full, read-only, or no permission
            self._complain(error)
            if isinstance(error, REPLICA_ERRORS):
                self._shared.renew()
                await drop_idle_connections(self.client)
            raise RedisAwayError from error
        except (exceptions.RedisError, OSError, CircuitOpenError) as error:
            raise RedisAwayError from error

    async def _bounded(self, command: Callable[[], Awaitable[T]]) -> T:
        task = asyncio.ensure_future(command())
        self._commands.add(task)
        # A late one continues until its own timeout: cancelling it would close its connection.
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        task.add_done_callback(partial(self._hand_over, answer))
        return await self._in_time(answer)

    def _hand_over(self, answer: asyncio.Future[T], command: asyncio.Future[T]) -> None:
        self._commands.discard(command)
        failure = TimeoutError() if command.cancelled() else command.exception()
        if answer.done():
            return  # its caller has gone
        if failure is not None:
            answer.set_exception(failure)
        else:
            answer.set_result(command.result())

    def _complain(self, error: exceptions.ResponseError) -> None:
        now = time.monotonic()
        if now >= self._may_complain_at:
            self._may_complain_at = now + COMPLAINT_INTERVAL
            log.warning("redis_refuses", failure=type(error).__name__, reason=str(error)[:200])
