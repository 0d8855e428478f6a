"""Failed logins slow down whoever causes them.

The counters live in PostgreSQL, so that every process sees them.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from app.core.config import Settings
from app.core.names import name_key
from app.core.origin import Origin
from app.repositories.login_failure import LoginFailureRepository

MEMORY = timedelta(hours=1)
"""How long after the last failure its counter starts anew."""


@dataclass(frozen=True, slots=True)
class BackOff:
    """After `free` failures wait a second, and twice as long after each further one."""

    free: int
    longest: int
    """Seconds, however often it fails."""

    def delay(self, failures: int) -> int:
        """Return how many seconds to wait after so many failures."""
        if failures < self.free:
            return 0
        return min(self.longest, 1 << (failures - self.free))


PAIR = BackOff(free=5, longest=900)
"""One account from one address: somebody who guesses, or forgot."""

ACCOUNT = BackOff(free=50, longest=30)
"""One account from everywhere: somebody who guesses from many addresses."""

ADDRESS = BackOff(free=50, longest=30)
"""One address, whatever the account: somebody who tries a list of leaked passwords."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login that is about to be tried."""

    counters: Mapping[bytes, datetime | None]
    """What it counts under if it fails, with the time before which failures are forgiven.

    Always in the same order, so that two transactions that count never wait for each other.
    """

    limits: Mapping[bytes, BackOff]
    """What it is held to."""


class LoginThrottle:
    """Capped back-off, for an account whether or not it exists.

    Where a session of the account was last used, only failures of the account from there count. So
    no stranger can lock its owner out; only somebody on the owner's own network can, for a while.

    An e-mail address and a username count apart, even of one account: an answer never tells
    whether two names belong together. Keys are keyed hashes: people type passwords into the wrong
    box. With a new JWT_SECRET_KEY, counting starts anew.
    """

    def __init__(self, failures: LoginFailureRepository, settings: Settings) -> None:
        self._failures = failures
        self._secret = settings.jwt_secret_key.get_secret_value().encode()

    def attempt(self, name: str, origin: Origin, last_used: datetime | None) -> Attempt:
        """Describe a login as `name`, whose account was last used from there at `last_used`."""
        name, network = name_key(name), str(origin.network)
        pair = self._key("pair", name, network)
        account, address = self._key("account", name), self._key("address", network)
        limits = {pair: PAIR}
        if last_used is None:
            limits |= {account: ACCOUNT, address: ADDRESS}
        return Attempt({pair: last_used, account: None, address: None}, limits)

    async def seconds_to_wait(self, attempt: Attempt) -> int:
        """Return after how many seconds the attempt may be made; 0 is now."""
        recent = await self._failures.recent(attempt.counters, MEMORY)
        waits = [
            back_off.delay(recent[key].failures) - recent[key].age
            for key, back_off in attempt.limits.items()
            if key in recent
        ]
        return ceil(max([0, *waits]))

    async def record_failure(self, attempt: Attempt) -> None:
        """Count the attempt as failed."""
        await self._failures.record(attempt.counters, MEMORY)

    def _key(self, *parts: str) -> bytes:
        return hmac.digest(self._secret, "\0".join(parts).encode(), "sha256")
