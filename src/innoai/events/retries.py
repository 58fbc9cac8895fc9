"""When a delivery that failed is tried again: the schedule of Standard Webhooks, with jitter."""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTE = 60.0
HOUR = 3600.0
DELAYS = (
    5.0,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
)
"""Seconds between an attempt and the next; the first attempt is made at once."""

JITTER = 0.1
"""The part of a delay by which it may be longer, so that retries of one outage do not come all at once."""

MAX_RETRY_AFTER = 24 * HOUR
ASKING = (429, 503)
"""The statuses whose Retry-After counts."""


def next_attempt(made: int, now: float, chance: float, retry_after: float = 0.0) -> float | None:
    """When the next attempt is due after `made` of them, in Unix seconds; None when that was the last.

    `chance` is a random number from 0 to 1. `retry_after`: seconds that the receiver asks for.
    """
    if made > len(DELAYS):
        return None
    delay = max(DELAYS[made - 1], min(retry_after, MAX_RETRY_AFTER))
    return now + delay * (1 + JITTER * chance)


def asked_for(status: int | None, headers: Mapping[str, str], now: float) -> float:
    """The seconds of a Retry-After (RFC 9110 §10.2.3), 0 where there is none that counts."""
    text = headers.get("retry-after", "").strip()
    if status not in ASKING or not text:
        return 0.0
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        asked = parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError):
        return 0.0
    return max(asked, 0.0) if math.isfinite(asked) else 0.0
