"""Money: whole billionths of a currency inside, decimal text outside, never a float."""

from __future__ import annotations

from decimal import Decimal

NANO = 1_000_000_000
"""Units of one of the currency: an amount of 1 means a billionth."""

PLACES = 9
MAX_AMOUNT = 1_000_000_000 * NANO
"""A billion of the currency, the most that a budget may be: nine of them still fit a column of 64 bits."""

AMOUNT_PATTERN = r"^((0|[1-9][0-9]{0,8})(\.[0-9]{1,9})?|1000000000(\.0{1,9})?)$(?!\n)"
"""How an amount up to MAX_AMOUNT is written: digits, and at most nine behind the point."""


def parse(text: str) -> int:
    """An amount that fits AMOUNT_PATTERN, in billionths."""
    return int(Decimal(text).scaleb(PLACES))


def show(amount: int) -> str:
    """Billionths as decimal text without needless zeros: `0.0125`, `-3`, `0`."""
    sign = "-" if amount < 0 else ""
    whole, rest = divmod(abs(amount), NANO)
    return f"{sign}{whole}" if rest == 0 else f"{sign}{whole}." + f"{rest:09}".rstrip("0")
