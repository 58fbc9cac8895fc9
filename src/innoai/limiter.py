"""Where the state of rate limits lives: in this process, or in Redis or Valkey for several replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from innoai.access.limits import PERIOD_NS, RateOutcome, take
from innoai.errors import InnoError

if TYPE_CHECKING:
    from collections.abc import Callable

SWEEP_SIZE = 100_000
"""Buckets in memory above which the full ones, which remember nothing, are let go."""

CONNECTIONS = 32
PATIENCE = 5.0
"""Seconds to wait for a connection before the limits count as out of reach."""

_TAKE_SCRIPT = """
local now = redis.call('TIME')
local now_us = now[1] * 1000000 + now[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local used = math.max(tonumber(redis.call('GET', KEYS[1]) or now_us) - now_us, 0)
if used + interval > burst then return {0, used} end
used = used + interval
if ARGV[3] == 'peek' then return {1, used} end
redis.call('SET', KEYS[1], string.format('%.0f', now_us + used), 'PX', math.ceil(used / 1000) + 1)
return {1, used}
"""
"""access.limits.take in microseconds, on the server's clock, so that replicas' clocks do not matter."""


class Limiter(Protocol):
    """Takes one request from a bucket that allows `limit` a minute."""

    def take_now(self, bucket: str, limit: int) -> RateOutcome | None:
        """The outcome, or None when it has to be awaited."""

    async def take(self, bucket: str, limit: int) -> RateOutcome:
        """The outcome. InnoError service_unavailable when the buckets cannot be reached."""

    async def peek(self, bucket: str, limit: int) -> RateOutcome:
        """What `take` would say, without taking."""

    async def close(self) -> None:
        """Let connections go."""


class MemoryLimiter:
    """Buckets of this process."""

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._arrivals: dict[str, int] = {}
        self._sweep_at = SWEEP_SIZE

    def take_now(self, bucket: str, limit: int) -> RateOutcome:
        """Take one request; never waits."""
        now = self._clock_ns()
        outcome = take(self._arrivals.get(bucket, 0), now, limit)
        if outcome.allowed:
            self._arrivals[bucket] = outcome.tat
            if len(self._arrivals) > self._sweep_at:
                self._sweep(now)
        return outcome

    def peek_now(self, bucket: str, limit: int) -> RateOutcome:
        """What take_now would say, without taking."""
        return take(self._arrivals.get(bucket, 0), self._clock_ns(), limit)

    async def take(self, bucket: str, limit: int) -> RateOutcome:
        """Take one request."""
        return self.take_now(bucket, limit)

    async def peek(self, bucket: str, limit: int) -> RateOutcome:
        """What `take` would say, without taking."""
        return self.peek_now(bucket, limit)

    async def close(self) -> None:
        """Nothing is held."""

    def _sweep(self, now: int) -> None:
        """Let full buckets go. The next time is when as many again have come, so that a take stays cheap."""
        self._arrivals = {name: tat for name, tat in self._arrivals.items() if tat > now}
        self._sweep_at = max(SWEEP_SIZE, 2 * len(self._arrivals))


class RedisLimiter:
    """Buckets in Redis or Valkey, shared by all replicas; each take is one atomic script."""

    def __init__(self, url: str) -> None:
        # Requests wait for one of few connections; the usual pool refuses what comes beyond its size.
        pool = BlockingConnectionPool.from_url(
            "redis" + url.removeprefix("redis").removeprefix("valkey"),
            max_connections=CONNECTIONS,
            timeout=PATIENCE,
        )
        self._redis = Redis.from_pool(pool)
        self._script = self._redis.register_script(_TAKE_SCRIPT)

    def take_now(self, _bucket: str, _limit: int) -> None:
        """Always has to be awaited."""
        return

    async def take(self, bucket: str, limit: int) -> RateOutcome:
        """Take one request from the shared bucket."""
        return await self._run(bucket, limit, "take")

    async def peek(self, bucket: str, limit: int) -> RateOutcome:
        """What `take` would say, without taking."""
        return await self._run(bucket, limit, "peek")

    async def _run(self, bucket: str, limit: int, action: str) -> RateOutcome:
        interval = -(-PERIOD_NS // (limit * 1000))
        burst = interval * limit
        try:
            allowed, used = await self._script(
                keys=[f"innoai:limit:{bucket}"], args=[interval, burst, action]
            )
        except RedisError as error:
            raise InnoError(
                "service_unavailable", "The rate limits cannot be checked right now. Try again shortly."
            ) from error
        remaining = (burst - used) // interval if allowed else 0
        retry = 0 if allowed else used + interval - burst
        return RateOutcome(bool(allowed), limit, remaining, used * 1000, retry * 1000, 0)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def open_limiter(url: str, clock_ns: Callable[[], int]) -> Limiter:
    """The limiter of a `[limits] url`."""
    return MemoryLimiter(clock_ns) if url == "memory:" else RedisLimiter(url)
