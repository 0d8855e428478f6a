"""The rate limit that all processes share."""

import asyncio
from typing import cast

from app.redis.client import OptionalRedis, RedisAwayError
from app.server.rate_limit import Decision, Limit, RateLimiter

# Each key has the times of one client's requests in milliseconds, by the server's clock, which all
# processes share. If the clock was set back, times in the future are removed.
# ARGV: for each key its limit, and its window in milliseconds. The result is one string, because
# redis-py is slow with lists.
_SLIDING_WINDOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local decisions = {}
for i, key in ipairs(KEYS) do
  local limit, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
  redis.call('ZREMRANGEBYSCORE', key, now + 1, '+inf')
  local count = redis.call('ZCARD', key)
  local allowed = count < limit
  if allowed then
    redis.call('ZADD', key, now, now .. '-' .. count)
    redis.call('PEXPIRE', key, window)
    count = count + 1
  end
  local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
  table.insert(decisions, allowed and 1 or 0)
  table.insert(decisions, math.max(0, limit - count))
  table.insert(decisions, oldest + window - now)
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
        self._waiting: list[tuple[Limit, str, asyncio.Future[Decision]]] = []
        self._trips: set[asyncio.Task[None]] = set()

    async def hit(self, limit: Limit, client: str) -> Decision:
        """Count a request of `client`. A refused request does not count."""
        decision: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._waiting.append((limit, client, decision))
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
            decisions = await self._ask_redis([(limit, client) for limit, client, _ in asked])
        except RedisAwayError:
            decisions = [await self._fallback.hit(limit, client) for limit, client, _ in asked]
        except Exception as error:  # noqa: BLE001  # all callers get it
            for _, _, waiting in asked:
                if not waiting.done():
                    waiting.set_exception(error)
            return
        for (_, _, waiting), decision in zip(asked, decisions, strict=True):
            if not waiting.done():  # a caller may have been cancelled
                waiting.set_result(decision)

    async def _ask_redis(self, asked: list[tuple[Limit, str]]) -> list[Decision]:
        keys = [f"{self._prefix}:limit:{limit.name}:{client}" for limit, client in asked]
        args = [n for limit, _ in asked for n in (limit.requests, limit.seconds * 1000)]
        answer = cast("bytes", await self._redis.use(lambda: self._script(keys, args)))
        numbers = map(int, answer.split())
        return [
            Decision(allowed == 1, remaining, reset / 1000)
            for allowed, remaining, reset in zip(numbers, numbers, numbers, strict=True)
        ]
