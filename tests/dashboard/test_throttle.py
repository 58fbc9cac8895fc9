from __future__ import annotations

import pytest

from innoai.dashboard.throttle import SWEEP_SIZE, Bucket, Throttle
from innoai.errors import InnoError

SECOND = 1_000_000_000
QUARTER = 900


class Clock:
    def __init__(self) -> None:
        self.now = 10**15

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(clock)


ANA = Bucket("ana", 5)


def passes(throttle: Throttle, *buckets: Bucket) -> bool:
    try:
        throttle.attempt(*buckets)
    except InnoError:
        return False
    return True


def test_exactly_so_many_attempts_pass_in_a_quarter_of_an_hour(throttle: Throttle, clock: Clock) -> None:
    assert [passes(throttle, ANA) for _ in range(7)] == [True] * 5 + [False] * 2
    clock.now += QUARTER * SECOND
    assert [passes(throttle, ANA) for _ in range(6)] == [True] * 5 + [False]


def test_whoever_waits_as_told_may_try_again(throttle: Throttle, clock: Clock) -> None:
    for _ in range(5):
        throttle.attempt(ANA)
    with pytest.raises(InnoError) as caught:
        throttle.attempt(ANA)
    wait = caught.value.refusal.details["retry_after"]
    assert 0 < int(wait) <= QUARTER // 5 + 15
    assert "Try again in 3 minutes" in caught.value.refusal.message
    clock.now += int(wait) * SECOND
    assert passes(throttle, ANA)


def test_an_attempt_that_one_bucket_refuses_counts_in_none(throttle: Throttle) -> None:
    small, large = Bucket("small", 1), Bucket("large", 2)
    assert passes(throttle, small, large)
    assert not passes(throttle, small, large)
    assert passes(throttle, large)


def test_attempts_that_succeed_do_not_count(throttle: Throttle) -> None:
    for _ in range(50):
        throttle.attempt(ANA)
        throttle.give_back(ANA)
    assert [passes(throttle, ANA) for _ in range(6)] == [True] * 5 + [False]


def test_what_nobody_took_is_not_given_back(throttle: Throttle) -> None:
    throttle.give_back(ANA)
    assert [passes(throttle, ANA) for _ in range(6)] == [True] * 5 + [False]


def test_buckets_that_are_full_again_are_forgotten(throttle: Throttle, clock: Clock) -> None:
    for number in range(SWEEP_SIZE):
        throttle.attempt(Bucket(str(number), 5))
    clock.now += QUARTER * SECOND
    throttle.attempt(ANA)
    assert len(throttle._arrivals) == 1
