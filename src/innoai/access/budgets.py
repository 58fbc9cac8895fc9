"""Budgets: how much may be spent, in which period. Amounts are billionths of the account's currency."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from innoai.errors import Refusal, refusal

Period = Literal["monthly", "total"]
MONTHLY = "monthly"
TOTAL = "total"
DEFAULT_CURRENCY = "USD"

_OWNERS = {"acc": "account", "cus": "customer", "key": "key"}


class Budget(Struct, frozen=True):
    """What `subject`, the id of an account, a customer or a key, may spend in a period."""

    subject: str
    period: Period
    amount: int

    @property
    def owner(self) -> str:
        """Whose it is, in a word."""
        return _OWNERS[self.subject.partition("_")[0]]


class Pot(Struct, frozen=True):
    """One period of a budget: what is spent and set aside is counted by it. `2026-11`, or `total`."""

    subject: str
    period: str


class Quote(Struct, frozen=True):
    """What a request may cost: `most` with the longest answer, `least` with the shortest worth having."""

    least: int
    most: int


class Reservation(Struct, frozen=True):
    """What is set aside for one request, of each pot, since the instant `at` (Unix seconds)."""

    pots: tuple[Pot, ...]
    amount: int
    at: float


class Shortfall(Struct, frozen=True):
    """A budget that does not cover what a request may cost."""

    budget: Budget

    def refusal(self) -> Refusal:
        """What the caller is told: whose budget, and what to do; how much may be others' business."""
        if self.budget.period == TOTAL:
            remedy = "Raise it"
        else:
            remedy = "Raise it, or wait for the first of next month (UTC)"
        message = (
            f"The {self.budget.period} budget of this {self.budget.owner} does not cover the request. "
            f"{remedy}; a smaller max_tokens needs less."
        )
        return refusal("insufficient_quota", message)


def pot_of(budget: Budget, at: float) -> Pot:
    """The pot of the period that the instant `at` (Unix seconds) falls into."""
    return Pot(budget.subject, TOTAL if budget.period == TOTAL else month_of(at))


def month_of(at: float) -> str:
    """The calendar month in UTC of an instant in Unix seconds, as `2026-11`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m")
