"""Throttling of failed logins.

The counters are in PostgreSQL, so that all processes share them.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from app.accounts.names import name_key
from app.accounts.origin import Origin
from app.repositories.login_failure import Counters, LoginFailureRepository
from app.settings.accounts import AuthSettings


@dataclass(frozen=True, slots=True)
class BackOff:
    """After `free` failures, wait one second, and twice as long after each further failure."""

    free: int
    longest: int
    """The longest wait in seconds."""

    leak: timedelta = timedelta.max
    """The time without a failure until one is forgotten."""

    def delay(self, failures: int) -> int:
        """Return the seconds to wait after this number of failures."""
        if failures < self.free:
            return 0
        return min(self.longest, 1 << min(failures - self.free, 10))


PAIR = BackOff(free=5, longest=900)
"""One account from one address: guesses, or a forgotten password."""

SITE = BackOff(free=10, longest=900, leak=timedelta(minutes=10))
"""One account from the addresses of one site, a /24 or a /48, which one attacker may have."""

PROVIDER = BackOff(free=15, longest=900, leak=timedelta(minutes=10))
"""One account from a part of a provider, a /16 or a /32. One address that goes on guessing stays
below it."""

ACCOUNT = BackOff(free=100, longest=30, leak=timedelta(minutes=1))
"""One account from all addresses: guesses from many providers. 100 is the most that NIST SP
800-63B, section 3.2.2, allows."""

ADDRESS = BackOff(free=50, longest=30, leak=timedelta(minutes=1))
"""One address for all accounts: attempts with a list of leaked passwords."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt with a password: the keys that it counts for, and its limits."""

    counters: Counters
    limits: Mapping[bytes, BackOff]


class LoginThrottle:
    """Capped back-off, for an account whether or not it exists.

    Where the account has logged in before, only failures from there count. So an attacker elsewhere
    cannot lock the owner out; only one on the owner's network can slow down logins there.

    Elsewhere, failures add up in wider networks as well, so that the cost of a guess grows for the
    attacker who takes another address for each one, and not for an owner at another provider. Only
    guesses from many providers at the same time delay an owner at a new network.

    An e-mail address and a username count separately, even of one account, so that a response does
    not reveal whether they belong together. Keys are keyed hashes, because people type passwords
    into the wrong field. With a new JWT_SECRET_KEY, all counters restart.
    """

    def __init__(self, failures: LoginFailureRepository, settings: AuthSettings) -> None:
        self._failures = failures
        self._secret = settings.jwt_secret_key.get_secret_value().encode()

    def login(self, name: str, origin: Origin, last_login: datetime | None) -> Attempt:
        """Return the attempt of a login; `last_login` is the account's last one from there."""
        name, network = name_key(name), str(origin.network)
        pair = self._key("pair", name, network)
        loose = {
            **self._wider("pair", name, origin),
            self._key("account", name): ACCOUNT,
            self._key("address", network): ADDRESS,
        }
        return _attempt(pair, last_login, loose)

    def reauthentication(self, user_id: int, origin: Origin) -> Attempt:
        """Return the attempt of a password check within a session.

        It counts separately from logins and by the id, because names can change.
        """
        pair = self._key("session pair", str(user_id), str(origin.network))
        loose = {
            **self._wider("session pair", str(user_id), origin),
            self._key("session account", str(user_id)): ACCOUNT,
        }
        return _attempt(pair, None, loose)

    def _wider(self, kind: str, name: str, origin: Origin) -> dict[bytes, BackOff]:
        """Return the limits of one account in the wider networks of an address."""
        site, provider = origin.wider_networks
        return {
            self._key(f"{kind} of site", name, str(site)): SITE,
            self._key(f"{kind} of provider", name, str(provider)): PROVIDER,
        }

    async def seconds_to_wait(self, attempt: Attempt) -> int:
        """Return the seconds until the attempt may be made; 0 means now."""
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


def _attempt(pair: bytes, last_login: datetime | None, loose: Mapping[bytes, BackOff]) -> Attempt:
    """Return an attempt that all keys count. At a known network, only the pair limits it."""
    leaks = {key: back_off.leak for key, back_off in loose.items()}
    limits = {pair: PAIR} if last_login else {pair: PAIR, **loose}
    return Attempt(Counters(pair, last_login, leaks), limits)
