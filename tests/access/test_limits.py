from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from innoai.access.limits import NANOSECONDS, PERIOD_NS, RateOutcome, as_duration, rescaled, take

LIMITS = st.one_of(st.integers(1, 200), st.sampled_from([1000, 59_999, 1_000_000, 100_000_000]))
MOMENTS = st.integers(0, 2**63)
MS = 1_000_000


def interval_of(limit: int) -> int:
    """Nanoseconds after which one more request may follow, rounded so that no minute has one too many."""
    return -(-PERIOD_NS // limit)


def pass_at_once(tat: int, now: int, limit: int, count: int) -> tuple[int, RateOutcome]:
    """How many of `count` requests at one moment pass, and what the last was told."""
    passed = 0
    outcome = take(tat, now, limit)
    for _ in range(count):
        outcome = take(tat, now, limit)
        passed += outcome.allowed
        tat = outcome.tat
    return passed, outcome


class Bucket(RuleBasedStateMachine):
    """One bucket against its promise, read literally off the history of all that it let pass.

    A request may pass exactly when no window that ends with it then holds more than
    limit + floor(window / interval) requests.
    """

    @initialize(limit=st.integers(1, 30), now=MOMENTS)
    def make(self, limit: int, now: int) -> None:
        self.limit = limit
        self.interval = interval_of(limit)
        self.now = now
        self.tat = 0
        self.passed: list[tuple[int, int]] = []
        self.refused: RateOutcome | None = None

    def may_pass(self) -> bool:
        window_count = 1
        for moment, count in reversed(self.passed):
            window_count += count
            if window_count > self.limit + (self.now - moment) // self.interval:
                return False
        return True

    def remember_pass(self) -> None:
        if self.passed and self.passed[-1][0] == self.now:
            self.passed[-1] = (self.now, self.passed[-1][1] + 1)
        else:
            self.passed.append((self.now, 1))

    @rule()
    def ask(self) -> None:
        expected = self.may_pass()
        outcome = take(self.tat, self.now, self.limit)
        assert outcome.allowed == expected
        assert outcome.limit == self.limit
        self.refused = None if outcome.allowed else outcome
        if outcome.allowed:
            self.remember_pass()
        else:
            assert outcome.tat == self.tat
        self.tat = outcome.tat

    @rule(more=st.integers(0, 5))
    def burst(self, more: int) -> None:
        for _ in range(self.limit + more):
            self.ask()

    @rule(intervals=st.integers(0, 40), off=st.integers(-1, 1))
    def wait_about_some_intervals(self, intervals: int, off: int) -> None:
        self.wait(max(0, intervals * self.interval + off))

    @rule(nanoseconds=st.integers(0, 2 * PERIOD_NS))
    def wait(self, nanoseconds: int) -> None:
        self.now += nanoseconds
        self.refused = None

    @precondition(lambda self: self.refused is not None)
    @rule()
    def wait_as_told(self) -> None:
        assert self.refused is not None
        self.wait(self.refused.retry_ns)
        assert self.may_pass()
        self.ask()

    @invariant()
    def a_refusal_tells_the_exact_moment(self) -> None:
        if getattr(self, "refused", None) is None:
            return
        assert self.refused is not None
        assert not take(self.tat, self.now + self.refused.retry_ns - 1, self.limit).allowed
        assert take(self.tat, self.now + self.refused.retry_ns, self.limit).allowed

    @invariant()
    def no_window_holds_too_many(self) -> None:
        """Over all pairs of moments: said again without the model's own bookkeeping of one request."""
        for first, (start, _) in enumerate(getattr(self, "passed", ())):
            count = 0
            for moment, passed in self.passed[first:]:
                count += passed
                assert count <= self.limit + (moment - start) // self.interval


TestBucket = Bucket.TestCase


@given(LIMITS.filter(lambda limit: limit <= 1000), MOMENTS)
def test_of_any_burst_exactly_the_limit_passes(limit, now):
    passed, last = pass_at_once(0, now, limit, limit + 3)
    assert passed == limit
    assert not last.allowed
    assert last.remaining == 0


@given(LIMITS, MOMENTS, MOMENTS)
def test_remaining_is_how_many_may_follow_at_once(limit, tat, now):
    outcome = take(tat, now, limit)
    if outcome.remaining <= 2000:
        passed, last = pass_at_once(outcome.tat, now, limit, outcome.remaining + 1)
        assert passed == outcome.remaining
        assert not last.allowed


@given(LIMITS, st.integers(0, 2 * PERIOD_NS), MOMENTS)
def test_after_reset_the_bucket_is_full_and_not_sooner(limit, ahead, now):
    outcome = take(now + ahead, now, limit)
    full = take(outcome.tat, now + outcome.reset_ns, limit)
    assert full.allowed
    assert full.remaining == limit - 1
    assert outcome.tat == now + outcome.reset_ns


@given(LIMITS, st.integers(0, 2 * PERIOD_NS), MOMENTS)
def test_a_refusal_costs_nothing_and_names_the_exact_moment(limit, ahead, now):
    tat = now + ahead
    outcome = take(tat, now, limit)
    if outcome.allowed:
        assert outcome.retry_ns == 0
        return
    assert outcome.tat == tat
    assert not take(tat, now + outcome.retry_ns - 1, limit).allowed
    assert take(tat, now + outcome.retry_ns, limit).allowed


@given(LIMITS, st.integers(1, 2 * PERIOD_NS), MOMENTS)
def test_who_waits_the_whole_seconds_of_retry_after_passes(limit, ahead, now):
    tat = now + ahead
    outcome = take(tat, now, limit)
    assert outcome.retry_after >= 1
    assert take(tat, now + outcome.retry_after * NANOSECONDS, limit).allowed
    if outcome.retry_after > 1:
        assert not take(tat, now + (outcome.retry_after - 1) * NANOSECONDS, limit).allowed


def test_a_limit_of_one_a_minute_says_to_come_back_in_a_minute():
    first = take(0, 0, 1)
    assert first == RateOutcome(True, 1, 0, PERIOD_NS, 0, PERIOD_NS)
    second = take(first.tat, 0, 1)
    assert not second.allowed
    assert second.retry_after == 60


@given(st.integers(1, 200), MOMENTS)
def test_a_whole_minute_of_waiting_gives_a_whole_burst_again_and_no_more(limit, now):
    _, last = pass_at_once(0, now, limit, limit)
    passed, _ = pass_at_once(last.tat, now + limit * interval_of(limit), limit, limit + 3)
    assert passed == limit


@given(st.integers(1, 200), MOMENTS)
def test_no_minute_after_the_burst_has_more_than_the_limit(limit, now):
    """A caller who asks at the first moment that each refusal names."""
    _, last = pass_at_once(0, now, limit, limit + 1)
    tat, moment, passed = last.tat, now, 0
    while True:
        outcome = take(tat, moment, limit)
        moment += outcome.retry_ns
        if moment > now + PERIOD_NS:
            break
        passed += outcome.allowed
        tat = outcome.tat
    assert passed <= limit


@given(LIMITS, LIMITS, st.integers(0, 300), MOMENTS)
def test_a_changed_limit_holds_from_the_next_request(before, after, used, now):
    _, last = pass_at_once(0, now, before, used + 1)
    outcome = take(last.tat, now, after)
    assert outcome.remaining < after
    assert outcome.retry_ns <= interval_of(after) + interval_of(before) * before - PERIOD_NS


@given(LIMITS, LIMITS, st.integers(0, 300), MOMENTS)
def test_a_bucket_whose_limit_changes_has_as_many_used_up_as_before(before, after, asked, now):
    used, last = pass_at_once(0, now, before, asked + 1)
    outcome = take(rescaled(last.tat, now, before, after), now, after)
    assert outcome.allowed == (used < after)
    assert outcome.remaining == max(after - used - 1, 0)
    assert outcome.retry_ns <= interval_of(after)


@given(LIMITS, LIMITS, MOMENTS)
def test_a_full_bucket_is_full_whatever_its_limit(before, after, now):
    assert rescaled(max(now - 1, 0), now, before, after) == now


@given(LIMITS, st.integers(0, PERIOD_NS), MOMENTS)
def test_a_clock_that_runs_backwards_never_lets_more_pass(limit, back, now):
    outcome = take(0, now, limit)
    earlier = take(outcome.tat, max(0, now - back), limit)
    assert earlier.remaining <= take(outcome.tat, now, limit).remaining


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0ms"),
        (1, "1ms"),
        (MS, "1ms"),
        (12 * MS, "12ms"),
        (999 * MS, "999ms"),
        (999 * MS + 1, "1s"),
        (1000 * MS, "1s"),
        (1500 * MS, "1.5s"),
        (1050 * MS, "1.05s"),
        (10_000 * MS, "10s"),
        (59_999 * MS + 1, "1m0s"),
        (PERIOD_NS, "1m0s"),
        (61_001 * MS, "1m1.001s"),
        (6 * PERIOD_NS, "6m0s"),
        (100 * PERIOD_NS, "100m0s"),
    ],
)
def test_a_duration_reads_as_openais_headers_do(nanoseconds, text):
    assert as_duration(nanoseconds) == text


@given(st.integers(0, 10 * PERIOD_NS))
def test_a_duration_is_never_shorter_than_what_it_tells_of(nanoseconds):
    text = as_duration(nanoseconds)
    parts = re.fullmatch(r"(?:(?P<ms>\d+)ms|(?:(?P<m>\d+)m)?(?P<s>\d+)(?:\.(?P<f>\d{1,3}))?s)", text)
    assert parts is not None
    milliseconds = (
        int(parts["ms"])
        if parts["ms"]
        else int(parts["m"] or 0) * 60_000 + int(parts["s"]) * 1000 + int((parts["f"] or "").ljust(3, "0"))
    )
    assert 0 <= milliseconds * MS - nanoseconds < MS
