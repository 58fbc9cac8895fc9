from __future__ import annotations

from decimal import Decimal

import pytest

from innoai.dashboard.rendering import amount, distance, duration


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("0", "0.00"),
        ("20.5", "20.50"),
        ("7.4394", "7.4394"),
        ("1020", "1,020.00"),
        (Decimal("0.000001"), "0.000001"),
        (0.1 + 0.2, "0.30"),
        (0.0, "0.00"),
        (1e-9, "0.000000001"),
        (500.0, "500.00"),
    ],
)
def test_an_amount_is_exact_and_looks_like_money(value: str | float | Decimal, shown: str) -> None:
    assert amount(value) == shown


@pytest.mark.parametrize(
    ("seconds", "told", "lasts"),
    [
        (-7200, "2 hours ago", "2 hours"),
        (-1, "just now", "less than a minute"),
        (0, "just now", "less than a minute"),
        (30, "in less than a minute", "less than a minute"),
        (90_000, "in 1 day", "1 day"),
    ],
)
def test_a_distance_has_a_direction_and_a_duration_has_none(seconds: float, told: str, lasts: str) -> None:
    assert distance(seconds) == told
    assert duration(abs(seconds)) == lasts
