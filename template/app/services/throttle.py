"""Failed logins slow down whoever causes them.

The counters live in PostgreSQL, so that every process sees them.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from app.accounts.names import name_key
from app.accounts.origin import Origin
from app.repositories.login_failure import Counters, LoginFailureRepository
from app.settings.accounts import AuthSettings


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
        return min(self.longest, 1 << min(failures - self.free, 10))


PAIR = BackOff(free=5, longest=900)
"""One account from one address: somebody who guesses, or forgot."""

ACCOUNT = BackOff(free=50, longest=30)
"""One account from everywhere: somebody who guesses from many addresses."""

ADDRESS = BackOff(free=50, longest=30)
"""One address, whatever the account: somebody who tries a list of leaked passwords."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A password that is about to be tried: what it counts under, and what it is held to."""

    counters: Counters
    limits: Mapping[bytes, BackOff]


class LoginThrottle:
    """Capped back-off, for an account whether or not it exists.

    Where somebody has logged in to the account, only failures there count. So no stranger can lock
    its owner out; only somebody on the owner's own network can slow them down.

    An e-mail address and a username count apart, even of one account: an answer never tells
    whether two names belong together. Keys are keyed hashes: people type passwords into the wrong
    box. With a new JWT_SECRET_KEY, counting starts anew.
    """

    def __init__(self, failures: LoginFailureRepository, settings: AuthSettings) -> None:
        self._failures = failures
        self._secret = settings.jwt_secret_key.get_secret_value().encode()

    def login(self, name: str, origin: Origin, last_login: datetime | None) -> Attempt:
        """Describe a login as `name`, whose account was last logged in to from there then."""
        name, network = name_key(name), str(origin.network)
        pair = self._key("pair", name, network)
        account, address = self._key("account", name), self._key("address", network)
        limits = {pair: PAIR}
        if last_login is None:
            limits |= {account: ACCOUNT, address: ADDRESS}
        return Attempt(Counters(pair, last_login, (account, address)), limits)

    def reauthentication(self, user_id: int, origin: Origin) -> Attempt:
        """Describe the check of a password within a session.

        It counts apart from logins and under the id, because names can be changed.
        """
        pair = self._key("session pair", str(user_id), str(origin.network))
        account = self._key("session account", str(user_id))
        return Attempt(Counters(pair, None, (account,)), {pair: PAIR, account: ACCOUNT})

    async def seconds_to_wait(self, attempt: Attempt) -> int:
        """Return after how many seconds the attempt may be made; 0 is now."""
        recent = await self._failures.recent(attempt.counters)
        waits = [
            back_off.delay(recent[key].failures) - recent[key].age
            for key, back_off in attempt.limits.items()
            if key in recent
        ]
        return ceil(max([0, *waits]))

    async def record_failure(self, attempt: Attempt) -> None:
        """Count the attempt as failed."""
        await self._failures.record(attempt.counters)

    def _key(self, *parts: str) -> bytes:
        return hmac.digest(self._secret, "\0".join(parts).encode(), "sha256")
