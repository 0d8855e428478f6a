"""How results lie in Redis.

A result is stored behind the versions that its tags had before it was computed, and counts only
while they are still those. So forgetting everything with a tag is deleting one key: nothing has to
be found, and what was computed from older data can be stored late, but is never read. A version
that Redis evicts comes back as another one.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, cast

from app.core.cache import EVERYTHING, MAX_TTL
from app.redis.client import OptionalRedis, RedisAwayError

LOCK_SECONDS = 10
"""After so long, whoever computes a result is taken for dead: what it returns is not kept."""

MAX_OWED = 10_000
"""Keys to delete that are remembered while Redis is away; beyond, everything is forgotten."""

# KEYS: the result, its lock, its tags. ARGV: a random version, which also signs the lock; how long
# a lock lasts, in milliseconds; how long a tag does, in seconds. Returns what to do, and with what.
_CLAIM = """
local versions = ''
for i = 3, #KEYS do
  redis.call('SET', KEYS[i], ARGV[1], 'NX')
  redis.call('EXPIRE', KEYS[i], ARGV[3])
  versions = versions .. redis.call('GET', KEYS[i])
end
local stored = redis.call('GET', KEYS[1])
if stored and string.sub(stored, 1, #versions) == versions then
  return {'use', string.sub(stored, #versions + 1)}
end
-- A claim that is sent again, because its answer was lost, finds its own lock.
if redis.call('GET', KEYS[2]) == ARGV[1]
    or redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return {'compute', versions}
end
return {'wait', ''}
"""

# KEYS: the result, its lock. ARGV: who we are; the result; how long it lives, in milliseconds.
# Whoever lost the lock, or had the key invalidated, stores nothing.
_STORE = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""

_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


@dataclass(frozen=True, slots=True)
class Claim:
    """What was found: a result, or the right to compute it, or neither, while another does."""

    found: bytes | None = None
    versions: bytes | None = None
    holder: str = ""


class CacheStore:
    """Results in Redis. Every method but `forget` raises `RedisAwayError` when Redis is away."""

    def __init__(self, redis: OptionalRedis, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._claim_script = redis.client.register_script(_CLAIM)
        self._store_script = redis.client.register_script(_STORE)
        self._release_script = redis.client.register_script(_RELEASE)
        self._owed: dict[str, object] = {}

    async def look_up(self, key: str, tags: Sequence[str]) -> bytes | None:
        """Return the result, None when there is none that counts."""
        await self._settle()
        keys = [self._result(key), *map(self._tag, tags)]
        stored, *versions = await self._run(lambda: self._redis.client.mget(keys))
        if stored is None or None in versions:
            return None
        header = b"".join(versions)
        return cast("bytes", stored[len(header) :]) if stored.startswith(header) else None

    async def claim(self, key: str, tags: Sequence[str]) -> Claim:
        """Return the result or, to one caller at a time, the right to compute it."""
        await self._settle()
        keys = [self._result(key), self._lock(key), *map(self._tag, tags)]
        holder = token_hex(8)
        args: list[str | int] = [holder, LOCK_SECONDS * 1000, 2 * MAX_TTL]
        wanted = True

        async def claim() -> Any:
            answer = await self._claim_script(keys, args)
            if not wanted:  # it came too late: somebody else may compute
                await self._release_script(keys[1:2], [holder])
            return answer

        try:
            verdict, value = await self._run(claim)
        except BaseException:
            wanted = False
            raise
        if verdict == b"use":
            return Claim(found=value)
        return Claim(versions=value, holder=holder) if verdict == b"compute" else Claim()

    async def store(self, key: str, claim: Claim, result: bytes, ttl: float) -> None:
        """Keep the result of a claim for `ttl` seconds."""
        keys = [self._result(key), self._lock(key)]
        stored = (claim.versions or b"") + result
        args: list[str | bytes | int] = [claim.holder, stored, round(ttl * 1000)]
        await self._run(lambda: self._store_script(keys, args))

    async def release(self, key: str, claim: Claim) -> None:
        """Give the right to compute back."""
        await self._run(lambda: self._release_script([self._lock(key)], [claim.holder]))

    async def forget(self, *, keys: Iterable[str] = (), tags: Iterable[str] = ()) -> None:
        """Let these results no longer count, here at once and for others as soon as Redis can."""
        # Marked as owed by this call: the end of an older deletion must not settle it.
        mark = object()
        self._owed |= dict.fromkeys(
            (f(key) for key in keys for f in (self._result, self._lock)), mark
        )
        self._owed |= dict.fromkeys(map(self._tag, tags), mark)
        if len(self._owed) > MAX_OWED:
            self._owed = {self._tag(EVERYTHING): mark}
        with suppress(RedisAwayError):  # whoever comes next tries again, and reads nothing before
            await self._settle()

    async def _settle(self) -> None:
        """Delete what is owed."""
        if owed := dict(self._owed):
            await self._run(lambda: self._redis.client.unlink(*owed))
            for key, mark in owed.items():
                if self._owed.get(key) is mark:
                    del self._owed[key]

    async def _run(self, command: Any) -> Any:
        # redis-py types answers by what a command may return in any mode.
        return await self._redis.use(command)

    def _result(self, key: str) -> str:
        return f"{self._prefix}:cache:{key}"

    def _lock(self, key: str) -> str:
        return f"{self._prefix}:lock:{key}"

    def _tag(self, tag: str) -> str:
        return f"{self._prefix}:tag:{tag}"
