"""One connection to Redis that many callers share, without waiting for each other (pipelining)."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, cast

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
        self._is_closed = False

    def send(self, *command: EncodableT) -> Answer:
        """Send a command; return the response to come. It may raise a RedisError or an OSError.

        Raises:
            ConnectionError: the service stops.
            DataError: an argument is neither text nor bytes nor a number.
        """
        if self._is_closed:
            raise exceptions.ConnectionError("The connection was closed.")
        session = self._session
        if session is not None and session.silent_for() > self._deadline:
            self.renew()
            session = None
        if session is None or session.lost:
            connection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py's
            session = self._session = _Session(connection)
        return session.send(command)

    def renew(self) -> None:
        """Close the connection. The next command opens another one."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    async def aclose(self) -> None:
        """Close the connection for good."""
        self._is_closed = True
        session = self._session
        if session is not None:
            session.close()
            await asyncio.wait({session.reader}, timeout=self._deadline)


class _Session:
    """What was sent over a connection, and the task that reads the responses."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._writer: asyncio.StreamWriter | None = None
        self._unsent: list[tuple[list[bytes], Answer]] = []
        self._sent: deque[tuple[float, Answer]] = deque()
        self.lost = False
        self.reader = asyncio.create_task(self._read())

    def silent_for(self) -> float:
        """Return the seconds that the oldest command has waited for its response."""
        return time.monotonic() - self._sent[0][0] if self._sent else 0

    def send(self, command: Sequence[EncodableT]) -> Answer:
        """Send a command, or keep it until the connection is open; return the response to come."""
        message = self._connection.pack_command(*command)
        answer: Answer = asyncio.get_running_loop().create_future()
        if self._writer is None:
            self._unsent.append((message, answer))
        else:
            self._write(self._writer, message, answer)
        return answer

    def close(self) -> None:
        """Close the connection. All that wait for a response get a ConnectionError."""
        self.reader.cancel()
        self._fail(exceptions.ConnectionError("The connection was closed."))

    def _fail(self, failure: Exception) -> None:
        self.lost = True
        for _, answer in (*self._unsent, *self._sent):
            if not answer.done():
                answer.set_exception(failure)

    def _write(self, writer: asyncio.StreamWriter, message: list[bytes], answer: Answer) -> None:
        self._sent.append((time.monotonic(), answer))
        writer.writelines(message)

    async def _read(self) -> None:
        failure: Exception = exceptions.ConnectionError("The connection was closed.")
        try:
            await self._connection.connect()  # type: ignore[no-untyped-call]  # redis-py's
            # Its own method to send waits while the server does not read.
            writer = cast("asyncio.StreamWriter", self._connection._writer)  # noqa: SLF001
            self._writer = writer
            for message, answer in self._unsent:
                if not answer.done():  # its caller still waits
                    self._write(writer, message, answer)
            self._unsent.clear()
            while True:
                await self._read_one()
        except (exceptions.RedisError, OSError) as error:
            failure = error
        finally:
            self._fail(failure)
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
