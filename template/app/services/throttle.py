"""Failed logins slow down whoever causes them, and nobody else.

The counters live in PostgreSQL, so that every process sees them; Redis could keep them as well.
"""

import hmac
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
    """A login that is about to be tried, and the keys it counts under.

    An account that has been used from this address lately (`last_used`) answers only for the two
    of them: no stranger can lock its owner out, and neither can a neighbour behind the same router.
    """

    pair: bytes
    account: bytes
    address: bytes
    last_used: datetime | None

    @property
    def counters(self) -> dict[bytes, datetime | None]:
        """Each key, with the time before which its failures are forgiven."""
        return {self.pair: self.last_used, self.account: None, self.address: None}

    @property
    def limits(self) -> dict[bytes, BackOff]:
        """The back-off of each key that counts against this attempt."""
        if self.last_used is not None:
            return {self.pair: PAIR}
        return {self.pair: PAIR, self.account: ACCOUNT, self.address: ADDRESS}


class LoginThrottle:
    """Capped back-off, for an account whether or not it exists.

    A name counts as it was typed, so that an answer never tells whether two belong together. Keys
    are keyed hashes: people type passwords into the wrong box.
    """

    def __init__(self, failures: LoginFailureRepository, settings: Settings) -> None:
        self._failures = failures
        self._secret = settings.jwt_secret_key.get_secret_value().encode()

    def attempt(self, name: str, origin: Origin, last_used: datetime | None) -> Attempt:
        """Describe a login as `name`, whose account was last used from there at `last_used`."""
        account, address = name_key(name), str(origin.network)
        return Attempt(
            pair=self._key("pair", account, address),
            account=self._key("account", account),
            address=self._key("address", address),
            last_used=last_used,
        )

    async def seconds_to_wait(self, attempt: Attempt) -> int:
        """Return after how many seconds the attempt may be made; 0 is now."""
        counted = await self._failures.counted(attempt.counters, MEMORY)
        waits = [
            back_off.delay(counted[key][0]) - counted[key][1]
            for key, back_off in attempt.limits.items()
            if key in counted
        ]
        return ceil(max([0, *waits]))

    async def count_failure(self, attempt: Attempt) -> None:
        """Count the attempt as failed."""
        await self._failures.count(attempt.counters, MEMORY)

    def _key(self, *parts: str) -> bytes:
        return hmac.digest(self._secret, "\0".join(parts).encode(), "sha256")
