"""The rate limit that all processes share."""

import asyncio
from collections.abc import Sequence
from typing import cast

from app.redis.client import OptionalRedis, RedisAwayError
from app.server.rate_limit import Count, Decision, RateLimiter, decisive

# Each key has the times of one client's requests in milliseconds, by the server's clock, which all
# processes share. If the clock was set back, times in the future are removed.
# ARGV[1]: for each key its limit, its window in milliseconds, and the number of keys of its
# request, which follow each other. A request that does not fit all its limits counts towards none.
# This and the result are one string each, because redis-py is slow with lists.
_SLIDING_WINDOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local numbers = {}
for number in string.gmatch(ARGV[1], '%d+') do table.insert(numbers, tonumber(number)) end
local decisions = {}
local first = 1
while first <= #KEYS do
  local last = first + numbers[3 * first] - 1
  local counts, allowed = {}, true
  for i = first, last do
    redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - numbers[3 * i - 1])
    redis.call('ZREMRANGEBYSCORE', KEYS[i], now + 1, '+inf')
    counts[i] = redis.call('ZCARD', KEYS[i])
    allowed = allowed and counts[i] < numbers[3 * i - 2]
  end
  for i = first, last do
    local limit, window, count = numbers[3 * i - 2], numbers[3 * i - 1], counts[i]
    table.insert(decisions, count < limit and 1 or 0)
    if allowed then
      redis.call('ZADD', KEYS[i], now, now .. '-' .. count)
      redis.call('PEXPIRE', KEYS[i], window)
      count = count + 1
    end
    local oldest = redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')[2]
    table.insert(decisions, math.max(0, limit - count))
    table.insert(decisions, oldest and oldest + window - now or 0)
  end
  first = last + 1
end
return table.concat(decisions, ' ')
"""


class RedisRateLimiter:
    """Counts in Redis: one atomic script, and one round trip for all concurrent requests.

    While Redis is down, `fallback` counts.
    """

    def __init__(self, redis: OptionalRedis, *, prefix: str, fallback: RateLimiter) -> None:
        self._redis = redis
        self._prefix = prefix
        self._fallback = fallback
        self._script = redis.client.register_script(_SLIDING_WINDOW)
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
            f"{self._prefix}:limit:{limit.name}:{client}"
            for counts in asked
            for limit, client in counts
        ]
        numbers = " ".join(
            f"{limit.requests} {limit.seconds * 1000} {len(counts)}"
            for counts in asked
            for limit, _ in counts
        )
        answer = cast("bytes", await self._redis.use(lambda: self._script(keys, [numbers])))
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
