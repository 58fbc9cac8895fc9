"""Where the state of rate limits lives: in this process, or in Redis or Valkey for several replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import RedisError

from innoai.access.limits import PERIOD_NS, RateOutcome, rescaled, take
from innoai.errors import InnoError

if TYPE_CHECKING:
    from collections.abc import Callable

SWEEP_SIZE = 100_000
"""Buckets in memory above which the full ones, which remember nothing, are let go."""

CONNECTIONS = 32
PATIENCE = 5.0
"""Seconds to wait for a connection, and for each answer, before the limits count as out of reach."""

_LIMIT_BITS = 32
_LIMIT_MASK = (1 << _LIMIT_BITS) - 1

_TAKE_SCRIPT = """
local now = redis.call('TIME')
local now_us = now[1] * 1000000 + now[2]
local allowed, used = 1, {}
for number, key in ipairs(KEYS) do
  local interval, burst = tonumber(ARGV[2 * number]), tonumber(ARGV[2 * number + 1])
  local ends, per = string.match(redis.call('GET', key) or '', '^(%d+) (%d+)$')
  used[number] = math.max(tonumber(ends or now_us) - now_us, 0)
  if used[number] > 0 and tonumber(per) ~= interval then
    used[number] = math.min(math.ceil(used[number] * interval / tonumber(per)), burst)
  end
  if used[number] + interval > burst then allowed = 0 end
end
if allowed == 1 then
  for number, key in ipairs(KEYS) do
    used[number] = used[number] + tonumber(ARGV[2 * number])
    if ARGV[1] == 'take' then
      local ends = string.format('%.0f %s', now_us + used[number], ARGV[2 * number])
      redis.call('SET', key, ends, 'PX', math.ceil(used[number] / 1000) + 1)
    end
  end
end
return {allowed, unpack(used)}
"""
"""access.limits.take and rescaled in microseconds, on the server's clock: replicas' clocks do not matter.

Of several buckets it takes from all or from none. A bucket is when it is full again, and what one took of it.
"""


class Bucket(NamedTuple):
    """A bucket that allows `limit` requests a minute."""

    name: str
    limit: int


class Limiter(Protocol):
    """Takes one request from a bucket, or from two at once, of which `outer` holds the inner ones of many.

    The outcome is that of the bucket with less room.
    """

    def take_now(self, bucket: str, limit: int, outer: Bucket | None = None) -> RateOutcome | None:
        """The outcome, or None when it has to be awaited."""

    async def take(self, bucket: str, limit: int, outer: Bucket | None = None) -> RateOutcome:
        """The outcome. InnoError service_unavailable when the buckets cannot be reached."""

    async def peek(self, bucket: str, limit: int, outer: Bucket | None = None) -> RateOutcome:
        """What `take` would say, without taking."""

    async def close(self) -> None:
        """Let connections go."""


class MemoryLimiter:
    """Buckets of this process."""

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        # The theoretical arrival time, and in the low bits the limit that it was made with: one of many.
        self._states: dict[str, int] = {}
        self._sweep_at = SWEEP_SIZE

    def take_now(self, bucket: str, limit: int, outer: Bucket | None = None) -> RateOutcome:
        """Take one request; never waits."""
        now = self._clock_ns()
        outcome = tighter = take(self._tat(bucket, now, limit), now, limit)
        if outer is not None:
            beside = take(self._tat(outer.name, now, outer.limit), now, outer.limit)
            tighter = _tighter(outcome, beside)
            if tighter.allowed:
                self._states[outer.name] = beside.tat << _LIMIT_BITS | outer.limit
        if tighter.allowed:
            self._states[bucket] = outcome.tat << _LIMIT_BITS | limit
            if len(self._states) > self._sweep_at:
                self._sweep(now)
        return tighter

    def peek_now(self, bucket: str, limit: int, outer: Bucket | None = None) -> RateOutcome:
        """What take_now would say, without taking."""
        now = self._clock_ns()
        outcome = take(self._tat(bucket, now, limit), now, limit)
        if outer is None:
            return outcome
        return _tighter(outcome, take(self._tat(outer.name, now, outer.limit), now, outer.limit))

    async def take(self, bucket: str, limit: int, outer: Bucket | None = None) -> RateOutcome:
        """Take one request."""
        return self.take_now(bucket, limit, outer)

    async def peek(self, bucket: str, limit: int, outer: Bucket | None = None) -> RateOutcome:
        """What `take` would say, without taking."""
        return self.peek_now(bucket, limit, outer)

    async def close(self) -> None:
        """Nothing is held."""

    def _tat(self, bucket: str, now: int, limit: int) -> int:
        state = self._states.get(bucket, limit)
        before = state & _LIMIT_MASK
        tat = state >> _LIMIT_BITS
        return tat if before == limit else rescaled(tat, now, before, limit)

    def _sweep(self, now: int) -> None:
        """Let full buckets go. The next time is when as many again have come, so that a take stays cheap."""
        self._states = {name: state for name, state in self._states.items() if state >> _LIMIT_BITS > now}
        self._sweep_at = max(SWEEP_SIZE, 2 * len(self._states))


class RedisLimiter:
    """Buckets in Redis or Valkey, shared by all replicas; each take is one atomic script."""

    def __init__(self, url: str) -> None:
        # Requests wait for one of few connections; the usual pool refuses what comes beyond its size.
        pool = BlockingConnectionPool.from_url(
            "redis" + url.removeprefix("redis").removeprefix("valkey"),
            max_connections=CONNECTIONS,
            timeout=PATIENCE,
            socket_timeout=PATIENCE,
            # At a server that has started anew. What is taken twice errs on the side of refusing.
            retry=Retry(NoBackoff(), 1, (LostConnectionError,)),
        )
        self._redis = Redis.from_pool(pool)
        self._script = self._redis.register_script(_TAKE_SCRIPT)

    def take_now(self, _bucket: str, _limit: int, _outer: Bucket | None = None) -> None:
        """Always has to be awaited."""
        return

    async def take(self, bucket: str, limit: int, outer: Bucket | None = None) -> RateOutcome:
        """Take one request from the shared bucket."""
        return await self._run("take", Bucket(bucket, limit), outer)

    async def peek(self, bucket: str, limit: int, outer: Bucket | None = None) -> RateOutcome:
        """What `take` would say, without taking."""
        return await self._run("peek", Bucket(bucket, limit), outer)

    async def _run(self, action: str, bucket: Bucket, outer: Bucket | None) -> RateOutcome:
        buckets = [bucket] if outer is None else [bucket, outer]
        keys = [f"innoai:bucket:{bucket.name}" for bucket in buckets]
        bounds = [bound for bucket in buckets for bound in _bounds(bucket.limit)]
        try:
            allowed, *used = await self._script(keys=keys, args=[action, *bounds])
        except RedisError as error:
            raise InnoError(
                "service_unavailable", "The rate limits cannot be checked right now. Try again shortly."
            ) from error
        first = _outcome(bucket.limit, used[0], taken=bool(allowed))
        return (
            first if outer is None else _tighter(first, _outcome(outer.limit, used[1], taken=bool(allowed)))
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def _bounds(limit: int) -> tuple[int, int]:
    """Microseconds that one request takes of a bucket, and that the bucket holds."""
    interval = -(-PERIOD_NS // (limit * 1000))
    return interval, interval * limit


def _outcome(limit: int, used: int, *, taken: bool) -> RateOutcome:
    interval, burst = _bounds(limit)
    if taken:
        return RateOutcome(True, limit, (burst - used) // interval, used * 1000, 0, 0)
    missing = used + interval - burst
    if missing > 0:
        return RateOutcome(False, limit, 0, used * 1000, missing * 1000, 0)
    # The other bucket refused, so this one was only looked at.
    return RateOutcome(True, limit, -missing // interval, used * 1000, 0, 0)


def _tighter(one: RateOutcome, other: RateOutcome) -> RateOutcome:
    """The outcome that says when the next request passes both."""
    if one.allowed and other.allowed:
        return one if one.remaining <= other.remaining else other
    return one if one.retry_ns >= other.retry_ns else other


def open_limiter(url: str, clock_ns: Callable[[], int]) -> Limiter:
    """The limiter of a `[limits] url`."""
    return MemoryLimiter(clock_ns) if url == "memory:" else RedisLimiter(url)
