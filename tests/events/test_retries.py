from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innoai.events.retries import DELAYS, JITTER, MAX_RETRY_AFTER, asked_for, next_attempt

NOW = 1_795_000_000.0
MADE = st.integers(1, len(DELAYS))
CHANCE = st.floats(0, 1)


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    hours = [5 / 3600, 5 / 60, 0.5, 2, 5, 10, 14, 20, 24]
    due = [next_attempt(made, NOW, 0.0) for made in range(1, len(hours) + 1)]
    assert due == [pytest.approx(NOW + each * 3600) for each in hours]


def test_after_the_last_attempt_there_is_none() -> None:
    assert next_attempt(len(DELAYS) + 1, NOW, 0.0) is None


@given(MADE, CHANCE)
def test_jitter_only_lengthens_a_delay_and_by_a_tenth_at_most(made: int, chance: float) -> None:
    due = next_attempt(made, NOW, chance)
    assert due is not None
    assert NOW + DELAYS[made - 1] <= due <= NOW + DELAYS[made - 1] * (1 + JITTER)


def test_delays_grow() -> None:
    assert all(shorter < longer for shorter, longer in pairwise(DELAYS))


@given(MADE, CHANCE, st.floats(0, 1e9))
def test_an_attempt_is_never_earlier_than_asked_within_a_day(made: int, chance: float, asked: float) -> None:
    due = next_attempt(made, NOW, chance, asked)
    assert due is not None
    assert NOW + min(asked, MAX_RETRY_AFTER) <= due <= NOW + max(MAX_RETRY_AFTER, DELAYS[-1]) * (1 + JITTER)


@pytest.mark.parametrize(
    ("status", "text", "seconds"),
    [
        (503, "120", 120),
        (429, " 120 ", 120),
        (500, "120", 0),
        (None, "120", 0),
        (503, "", 0),
        (503, "-5", 0),
        (503, "soon", 0),
        (503, "١٢", 0),
        (503, "Thu, 01 Jan 1970 00:00:00 GMT", 0),
        (503, "Wed, 18 Nov 2026 11:08:20 GMT", 100),
        (503, "Wed, 18 Nov 99999 11:08:20 GMT", 0),
    ],
)
def test_retry_after_is_read_in_both_forms_and_only_where_it_counts(
    status: int | None, text: str, seconds: float
) -> None:
    asked = asked_for(status, {"retry-after": text}, 1_795_000_000.0)
    assert asked == pytest.approx(seconds, abs=1)


def test_no_retry_after_asks_for_nothing() -> None:
    assert asked_for(503, {}, NOW) == 0
