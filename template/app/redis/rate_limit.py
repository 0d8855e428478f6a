"""The rate limit that all processes share."""

import asyncio
from collections.abc import Sequence
from hashlib import sha1

from redis.exceptions import NoScriptError

from app.redis.client import OptionalRedis, RedisAwayError
from app.server.rate_limit import Count, Decision, RateLimiter, decisive

# A key of an exact limit has the times of one client's requests in milliseconds. A key of a larger
# one has a number in microseconds: the time from which the whole burst is allowed again (GCRA).
# These are times of the server's clock, which all processes share. If it was set back, requests in
# the future are removed, and a number too far ahead allows one request, which replaces it.
# ARGV[1]: for each key the burst of its limit, its window in milliseconds, its interval in
# microseconds or 0 if it is exact, and the number of keys of its request, which follow each other.
# A request that does not fit all its limits counts towards none.
# This and the result are one string each, because redis-py is slow with lists.
_SCRIPT = """
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local numbers = {}
for number in string.gmatch(ARGV[1], '%d+') do table.insert(numbers, tonumber(number)) end
local decisions = {}
local first = 1
while first <= #KEYS do
  local last = first + numbers[4 * first] - 1
  local left, ahead, allowed = {}, {}, true
  for i = first, last do
    local burst, window, interval = numbers[4 * i - 3], numbers[4 * i - 2], numbers[4 * i - 1]
    if interval == 0 then
      redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - window)
      redis.call('ZREMRANGEBYSCORE', KEYS[i], now + 1, '+inf')
      left[i] = math.max(0, burst - redis.call('ZCARD', KEYS[i]))
    else
      ahead[i] = math.max(0, (redis.call('GET', KEYS[i]) or 0) - micros)
      if ahead[i] > burst * interval then ahead[i] = (burst - 1) * interval end
      left[i] = burst - math.ceil(ahead[i] / interval)
    end
    allowed = allowed and left[i] > 0
  end
  for i = first, last do
    local burst, window, interval = numbers[4 * i - 3], numbers[4 * i - 2], numbers[4 * i - 1]
    local reset
    table.insert(decisions, left[i] > 0 and 1 or 0)
    if interval == 0 then
      if allowed then
        redis.call('ZADD', KEYS[i], now, now .. '-' .. burst - left[i])
        redis.call('PEXPIRE', KEYS[i], window)
      end
      local oldest = redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')[2]
      reset = oldest and oldest + window - now or 0
    else
      if allowed then
        ahead[i] = ahead[i] + interval
        local arrival = string.format('%.0f', micros + ahead[i])
        redis.call('SET', KEYS[i], arrival, 'PX', math.ceil(ahead[i] / 1000))
      end
      reset = math.ceil(((ahead[i] - 1) % interval + 1) / 1000)
    end
    table.insert(decisions, allowed and left[i] - 1 or left[i])
    table.insert(decisions, reset)
  end
  first = last + 1
end
return table.concat(decisions, ' ')
"""

_SCRIPT_HASH = sha1(_SCRIPT.encode()).hexdigest()  # noqa: S324  # Redis names scripts by it


class RedisRateLimiter:
    """Counts in Redis: one atomic script, and one round trip for all concurrent requests.

    While Redis is down, `fallback` counts.
    """

    def __init__(self, redis: OptionalRedis, *, prefix: str, fallback: RateLimiter) -> None:
        self._redis = redis
        self._prefix = prefix
        self._fallback = fallback
        self._waiting: list[tuple[Sequence[Count], asyncio.Future[Decision]]] = []
        self._trips: set[asyncio.Task[None]] = set()

    async def hit(self, counts: Sequence[Count]) -> Decision:
        """Count a request towards all of its limits, or towards none if one refuses it."""
        decision: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._waiting.append((counts, decision))
        if len(self._waiting) == 1:
            # A task of its own: if the first caller is cancelled, the others still wait.
            trip = asyncio.create_task(self._decide())
            self._trips.add(trip)
            trip.add_done_callback(self._trips.discard)
        return await decision

    async def _decide(self) -> None:
        """Decide for all callers so far."""
        asked, self._waiting = self._waiting, []
        try:
            decisions = await self._ask_redis([counts for counts, _ in asked])
        except RedisAwayError:
            decisions = [await self._fallback.hit(counts) for counts, _ in asked]
        except Exception as error:  # noqa: BLE001  # all callers get it
            for _, waiting in asked:
                if not waiting.done():
                    waiting.set_exception(error)
            return
        for (_, waiting), decision in zip(asked, decisions, strict=True):
            if not waiting.done():  # a caller may have been cancelled
                waiting.set_result(decision)

    async def _ask_redis(self, asked: list[Sequence[Count]]) -> list[Decision]:
        keys = [
            f"{self._prefix}:{'limit' if limit.exact else 'pace'}:{limit.name}:{client}"
            for counts in asked
            for limit, client in counts
        ]
        numbers = " ".join(
            f"{limit.burst} {limit.seconds * 1000} {0 if limit.exact else limit.interval}"
            f" {len(counts)}"
            for counts in asked
            for limit, _ in counts
        )
        try:
            answer = await self._redis.execute("EVALSHA", _SCRIPT_HASH, len(keys), *keys, numbers)
        except NoScriptError:  # the server is new
            answer = await self._redis.execute("EVAL", _SCRIPT, len(keys), *keys, numbers)
        found = map(int, answer.split())
        return [
            decisive(
                [
                    Decision(limit, next(found) == 1, next(found), next(found) / 1000)
                    for limit, _ in counts
                ]
            )
            for counts in asked
        ]
