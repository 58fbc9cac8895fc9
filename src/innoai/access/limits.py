"""Rate limits by the generic cell rate algorithm (ITU-T I.371), in whole nanoseconds.

Of any burst exactly `limit` requests pass, and one more each 60/limit seconds after that. A
bucket's whole memory is one number, the theoretical arrival time (TAT). Integers, since the sum
of a thousand float intervals is not sixty seconds.
"""

from __future__ import annotations

from msgspec import Struct

NANOSECONDS = 1_000_000_000
PERIOD_NS = 60 * NANOSECONDS


class RateOutcome(Struct, frozen=True):
    """What the limit said of one request.

    `remaining` requests could follow at once; the bucket is full again `reset_ns` nanoseconds from
    now; a refused caller may try again after `retry_ns`; `tat` is the bucket's next state.
    """

    allowed: bool
    limit: int
    remaining: int
    reset_ns: int
    retry_ns: int
    tat: int

    @property
    def retry_after(self) -> int:
        """Whole seconds for Retry-After, at least 1."""
        return max(1, -(-self.retry_ns // NANOSECONDS))


def take(tat: int, now_ns: int, limit: int) -> RateOutcome:
    """Ask for one request of a bucket that allows `limit` a minute. A refusal costs the caller nothing."""
    interval = -(-PERIOD_NS // limit)
    burst = interval * limit
    used = max(tat - now_ns, 0)
    if used + interval > burst:
        return RateOutcome(False, limit, 0, used, used + interval - burst, tat)
    used += interval
    return RateOutcome(True, limit, (burst - used) // interval, used, 0, now_ns + used)


def rescaled(tat: int, now_ns: int, before: int, limit: int) -> int:
    """The state of a bucket whose limit was `before`: as many requests are used up as were."""
    used, interval = max(tat - now_ns, 0), -(-PERIOD_NS // limit)
    return now_ns + min(-(-used * interval // -(-PERIOD_NS // before)), interval * limit)


def as_duration(nanoseconds: int) -> str:
    """A duration as OpenAI's x-ratelimit-reset-* headers write it: `12ms`, `1.5s`, `6m0s`."""
    milliseconds = -(-nanoseconds // 1_000_000)
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    seconds = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    return f"{minutes}m{seconds}" if minutes else seconds
