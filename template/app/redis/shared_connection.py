"""One connection to Redis that many callers share, without waiting for each other (pipelining)."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from redis import exceptions
from redis.asyncio import Connection, ConnectionPool
from redis.typing import EncodableT

Answer = asyncio.Future[Any]


class SharedConnection:
    """Sends commands at once, and hands out the responses in their order.

    A caller that no longer waits does no harm: its response is read and dropped. The first command
    opens the connection, and so does the first one after it was lost. If a response takes more than
    `deadline` seconds, the connection counts as lost.
    """

    def __init__(self, pool: ConnectionPool, *, deadline: float) -> None:
        self._pool = pool
        self._deadline = deadline
        self._session: _Session | None = None

    def send(self, *command: EncodableT) -> Answer:
        """Send a command; return the response to come. It may raise a RedisError or an OSError."""
        session = self._session
        if session is not None and session.silent_for() > self._deadline:
            session.reader.cancel()
            session = None
        if session is None or session.lost:
            connection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py's
            session = self._session = _Session(connection)
        answer: Answer = asyncio.get_running_loop().create_future()
        session.send(command, answer)
        return answer

    async def aclose(self) -> None:
        """Close the connection. The next command opens another one."""
        session, self._session = self._session, None
        if session is not None:
            session.reader.cancel()
            await asyncio.wait({session.reader})


class _Session:
    """What was sent over a connection, and the task that reads the responses."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._writer: asyncio.StreamWriter | None = None
        self._unsent: list[tuple[Sequence[EncodableT], Answer]] = []
        self._sent: deque[tuple[float, Answer]] = deque()
        self.lost = False
        self.reader = asyncio.create_task(self._read())

    def silent_for(self) -> float:
        """Return the seconds that the oldest command has waited for its response."""
        return time.monotonic() - self._sent[0][0] if self._sent else 0

    def send(self, command: Sequence[EncodableT], answer: Answer) -> None:
        """Send a command, or keep it until the connection is open."""
        if self._writer is None:
            self._unsent.append((command, answer))
            return
        self._sent.append((time.monotonic(), answer))
        self._writer.writelines(self._connection.pack_command(*command))

    async def _read(self) -> None:
        failure: Exception = exceptions.ConnectionError("The connection was closed.")
        try:
            await self._connection.connect()  # type: ignore[no-untyped-call]  # redis-py's
            # Its own method to send waits while the server does not read.
            self._writer = self._connection._writer  # noqa: SLF001
            for command, answer in self._unsent:
                self.send(command, answer)
            self._unsent.clear()
            while True:
                await self._read_one()
        except (exceptions.RedisError, OSError) as error:
            failure = error
        finally:
            self.lost = True
            for _, answer in (*self._unsent, *self._sent):
                if not answer.done():
                    answer.set_exception(failure)
            await self._connection.disconnect(nowait=True)

    async def _read_one(self) -> None:
        try:
            response = await self._connection.read_response(timeout=math.inf)
        except exceptions.ResponseError as refusal:
            response = refusal
        _, answer = self._sent.popleft()
        if answer.done():
            return
        if isinstance(response, Exception):
            answer.set_exception(response)
        else:
            answer.set_result(response)
