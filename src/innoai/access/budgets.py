"""Budgets: how much may be spent, in which period. Amounts are billionths of the account's currency."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

Period = Literal["monthly", "total"]
TOTAL = "total"
DEFAULT_CURRENCY = "USD"


class Budget(Struct, frozen=True):
    """What `subject`, the id of an account, a customer or a key, may spend in a period."""

    subject: str
    period: Period
    amount: int


def period_of(period: Period, at: float) -> str:
    """The name of the period that the instant `at` (Unix seconds) falls into: `2026-11` (UTC), or `total`."""
    return TOTAL if period == TOTAL else month_of(at)


def month_of(at: float) -> str:
    """The calendar month in UTC of an instant in Unix seconds, as `2026-11`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m")
