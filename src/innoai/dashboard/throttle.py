"""Attempts at signing in, throttled per address and per email or member.

Counted by each process. Attempts that succeed are given back, so that who signs in often is not in the way
of oneself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from innoai.access.limits import PERIOD_NS, take
from innoai.errors import InnoError

if TYPE_CHECKING:
    from collections.abc import Callable

STRETCH = 15
"""How much slower than a rate limit's this clock goes: so many attempts a quarter of an hour."""

SWEEP_SIZE = 50_000


class Bucket(NamedTuple):
    """What attempts are counted for, and how many there may be in a quarter of an hour."""

    name: str
    limit: int


class Throttle:
    """The buckets of this process."""

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._arrivals: dict[str, int] = {}

    def attempt(self, *buckets: Bucket) -> None:
        """Count an attempt in each of the buckets, or in none.

        Raises:
            InnoError: rate_limit_exceeded, with the seconds until the next attempt.
        """
        now = self._clock_ns() // STRETCH
        outcomes = [take(self._arrivals.get(bucket.name, 0), now, bucket.limit) for bucket in buckets]
        refused = [outcome for outcome in outcomes if not outcome.allowed]
        if refused:
            wait = max(outcome.retry_after for outcome in refused) * STRETCH
            minutes = -(-wait // 60)
            raise InnoError(
                "rate_limit_exceeded",
                f"Too many attempts. Try again in {minutes} minute{'s' if minutes > 1 else ''}.",
                retry_after=wait,
            )
        for bucket, outcome in zip(buckets, outcomes, strict=True):
            self._arrivals[bucket.name] = outcome.tat
        if len(self._arrivals) > SWEEP_SIZE:
            self._arrivals = {name: tat for name, tat in self._arrivals.items() if tat > now}

    def give_back(self, *buckets: Bucket) -> None:
        """The attempt succeeded: it does not count."""
        for bucket in buckets:
            if bucket.name in self._arrivals:
                self._arrivals[bucket.name] -= -(-PERIOD_NS // bucket.limit)
