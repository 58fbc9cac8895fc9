from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from innoai.ids import BASE62, RANDOM_BYTES, RequestIds, base62, new_id

MILLISECONDS = st.integers(0, 2**48 - 1)
RANDOMNESS = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)

untimed = settings(deadline=None)


def number(digits: str) -> int:
    value = 0
    for digit in digits:
        value = value * 62 + BASE62.index(digit)
    return value


@untimed
@given(st.integers(0, 62**22 - 1))
def test_base62_can_be_read_back(value):
    digits = base62(value, 22)
    assert len(digits) == 22
    assert number(digits) == value


def test_base62_pads_with_zeros():
    assert base62(61, 3) == "00z"


@untimed
@given(MILLISECONDS, RANDOMNESS)
def test_an_id_is_its_prefix_and_22_base62_characters(now_ms, randomness):
    assert re.fullmatch(r"key_[0-9A-Za-z]{22}", new_id("key", now_ms, randomness), re.ASCII)


@untimed
@given(MILLISECONDS, MILLISECONDS, RANDOMNESS, RANDOMNESS)
def test_ids_sort_by_the_time_of_their_creation(first_ms, second_ms, first_random, second_random):
    first = new_id("cus", first_ms, first_random)
    second = new_id("cus", second_ms, second_random)
    if first_ms != second_ms:
        assert (first < second) == (first_ms < second_ms)


@untimed
@given(MILLISECONDS, RANDOMNESS, RANDOMNESS)
def test_ids_of_one_millisecond_differ_with_their_randomness(now_ms, first, second):
    assert (new_id("key", now_ms, first) == new_id("key", now_ms, second)) == (first == second)


@untimed
@given(MILLISECONDS, RANDOMNESS)
def test_an_id_holds_all_its_bits(now_ms, randomness):
    value = number(new_id("req", now_ms, randomness).removeprefix("req_"))
    assert value >> 80 == now_ms
    assert (value & (2**80 - 1)).to_bytes(RANDOM_BYTES) == randomness


@untimed
@given(st.integers(0, 2**43), st.binary(min_size=5, max_size=5), st.integers(1, 200))
def test_the_request_ids_of_a_process_are_as_long_as_others_and_sort_by_their_creation(
    now_ms, randomness, count
):
    ids = RequestIds(now_ms, randomness)
    made = [ids.new() for _ in range(count)]
    assert all(re.fullmatch(r"req_[0-9A-Za-z]{22}", one, re.ASCII) for one in made)
    assert made == sorted(set(made))


def test_request_ids_go_on_beyond_each_power_of_the_base():
    ids = RequestIds(1_795_000_000_000, b"12345")
    made = [ids.new() for _ in range(62 * 62 + 2)]
    assert [number(one[-8:]) for one in made] == list(range(62 * 62 + 2))


@untimed
@given(st.tuples(st.integers(0, 2**43), st.binary(min_size=5, max_size=5)), st.data())
def test_two_processes_never_make_the_same_request_id(first, data):
    second = data.draw(st.tuples(st.integers(0, 2**43), st.binary(min_size=5, max_size=5)))
    assert (RequestIds(*first).new() == RequestIds(*second).new()) == (first == second)
