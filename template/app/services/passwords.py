"""Hashing passwords without keeping anybody else waiting."""

import asyncio
import os
import sys
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from secrets import token_urlsafe
from typing import TypeVar, TypeVarTuple

from app.core.address import Network
from app.core.config import Settings
from app.core.security import get_password_hash, is_outdated, verify_password
from app.utils.exceptions import ServiceUnavailableError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MAX_WAITING = 200
"""Callers that may wait for their turn; whoever comes on top gets a 503 at once."""

MAX_WAITING_EACH = 100
"""Those of them that may come from one network, so that no single one fills the queue."""


class PasswordService:
    """Argon2id in threads, a few at a time: it takes all of a core, and memory by design.

    One per process. Take a turn for everything that belongs to one password check, so that no more
    checks than turns run between reading a counter and counting.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._threads = ThreadPoolExecutor(settings.argon2_concurrency, "argon2", _step_back)
        self._turns = asyncio.Semaphore(settings.argon2_concurrency)
        self._waiting: Counter[Network | None] = Counter()
        self._nobodys_hash = get_password_hash(token_urlsafe(), settings)

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False)

    @asynccontextmanager
    async def turn(self, network: Network | None) -> AsyncGenerator[None]:
        """Wait for the right to use the other methods. Hold no database connection meanwhile.

        Raises:
            ServiceUnavailableError: too many are waiting already.
        """
        if self._waiting.total() >= MAX_WAITING or self._waiting[network] >= MAX_WAITING_EACH:
            raise ServiceUnavailableError("Too many passwords are being checked right now.")
        self._waiting[network] += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= Counter([network])  # and forget those with nobody left
        try:
            yield
        finally:
            self._turns.release()

    async def hash(self, password: str) -> str:
        """Return the hash of a new password."""
        return await self._run(get_password_hash, password, self._settings)

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Tell whether `password` is the one behind `hashed`; None stands for no account.

        When it fails, exactly one hash with today's parameters was made, so that an answer's time
        does not tell whether there is an account. An outdated hash costs its own on top, until
        the next login renews it.
        """
        if hashed is None:
            await self._run(verify_password, password, self._nobodys_hash)
            return False
        is_right = await self._run(verify_password, password, hashed)
        if not is_right and self.is_outdated(hashed):
            await self._run(verify_password, password, self._nobodys_hash)
        return is_right

    def is_outdated(self, hashed: str) -> bool:
        """Tell whether the hash should be made anew, now that the password is at hand."""
        return is_outdated(hashed, self._settings)

    async def _run(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)


def _step_back() -> None:
    """Let the event loop go first where both share a core.

    Only Linux gives each thread a priority of its own.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
