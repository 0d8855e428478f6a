"""The rate limit that all processes share."""

from typing import cast

from app.core.rate_limit import Decision, Limit, RateLimiter
from app.core.redis import OptionalRedis, RedisAwayError

# KEYS[1] holds the times of one client's requests in milliseconds, by the server's clock, which
# all processes share. Should it have been set back, what seems to come from the future goes.
_SLIDING_WINDOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + 1, '+inf')
local count = redis.call('ZCARD', KEYS[1])
local allowed = count < limit
if allowed then
  redis.call('ZADD', KEYS[1], now, now .. '-' .. count)
  redis.call('PEXPIRE', KEYS[1], window)
  count = count + 1
end
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
return {allowed and 1 or 0, math.max(0, limit - count), oldest + window - now}
"""


class RedisRateLimiter:
    """Counts in Redis: one script, one round trip. While Redis is away, `fallback` counts."""

    def __init__(self, redis: OptionalRedis, *, prefix: str, fallback: RateLimiter) -> None:
        self._redis = redis
        self._prefix = prefix
        self._fallback = fallback
        self._script = redis.client.register_script(_SLIDING_WINDOW)

    async def hit(self, limit: Limit, client: str) -> Decision:
        """Count a request of `client`, unless it is refused: those do not count."""
        keys = [f"{self._prefix}:limit:{limit.name}:{client}"]
        args = [limit.requests, limit.seconds * 1000]
        try:
            answer = await self._redis.use(lambda: self._script(keys, args))
        except RedisAwayError:
            return await self._fallback.hit(limit, client)
        allowed, remaining, reset = cast("list[int]", answer)
        return Decision(allowed == 1, remaining, reset / 1000)
