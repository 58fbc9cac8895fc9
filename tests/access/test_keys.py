from __future__ import annotations

import hashlib
import hmac
import string
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innoai.access.keys import PREFIX, SECRET_BYTES, digest, find, is_well_formed, mint
from innoai.ids import base62

RANDOMNESS = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)
KEYS = RANDOMNESS.map(mint)
KEY = mint(bytes(range(SECRET_BYTES)))


def checked(body: str) -> str:
    return body + base62(zlib.crc32(body.encode()), 6)


@given(RANDOMNESS)
def test_a_minted_key_is_well_formed(randomness):
    key = mint(randomness)
    assert is_well_formed(key)
    assert key.startswith("sk-inno-")
    assert len(key) == len("sk-inno-") + 43 + 6


@given(RANDOMNESS, RANDOMNESS)
def test_two_secrets_give_two_keys(first, second):
    assert (mint(first) == mint(second)) == (first == second)


def test_the_checksum_is_a_crc32_over_all_that_precedes():
    value = 0
    for digit in KEY[-6:]:
        value = value * 62 + (string.digits + string.ascii_uppercase + string.ascii_lowercase).index(digit)
    assert value == zlib.crc32(KEY[:-6].encode())


@given(KEYS, st.data())
def test_every_change_of_one_character_is_told_offline(key, data):
    position = data.draw(st.integers(0, len(key) - 1))
    character = data.draw(
        st.one_of(st.sampled_from(string.ascii_letters + string.digits + "-_"), st.characters())
    )
    changed = key[:position] + character + key[position + 1 :]
    assert is_well_formed(changed) == (changed == key)


def test_every_other_base62_character_anywhere_in_one_key_is_told_offline():
    changed = {
        KEY[:position] + character + KEY[position + 1 :]
        for position in range(len(KEY))
        for character in string.ascii_letters + string.digits
    } - {KEY}
    assert len(changed) > 61 * 49
    assert not any(map(is_well_formed, changed))


@given(KEYS, st.integers(len(PREFIX), len(PREFIX) + 43 + 4))
def test_two_swapped_neighbours_are_told_offline(key, position):
    swapped = key[:position] + key[position + 1] + key[position] + key[position + 2 :]
    assert is_well_formed(swapped) == (swapped == key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sk-inno-",
        KEY[:-1],
        KEY + "0",
        KEY + "\n",
        " " + KEY,
        KEY + "\x00",
        KEY.upper(),
        KEY.removeprefix("sk-inno-"),
        "sk-inno-" + "é" * 49,
        "sk-inno-" + "٣" * 49,
        "sk-oldkey...",
        KEY * 20_000,
    ],
    ids=lambda text: repr(text[:12]) + str(len(text)),
)
def test_what_is_no_key_is_not_well_formed(text):
    assert not is_well_formed(text)


@pytest.mark.parametrize("body", [KEY[:-7], KEY[:-6] + "0", KEY, "sk-0000-" + KEY[8:-6], KEY[:-7] + "-"])
def test_a_right_checksum_does_not_make_a_key_of_another_shape(body):
    assert is_well_formed(checked(KEY[:-6]))
    assert not is_well_formed(checked(body))


@given(st.text())
def test_any_text_can_be_asked_about(text):
    assert not is_well_formed(text)


def test_a_digest_is_a_keyed_sha256_of_the_whole_key():
    assert digest(KEY, b"pepper") == hmac.new(b"pepper", KEY.encode(), hashlib.sha256).digest()


@given(KEYS, KEYS, st.binary(min_size=1, max_size=32), st.binary(min_size=1, max_size=32))
def test_a_digest_depends_on_key_and_pepper(first_key, second_key, first_pepper, second_pepper):
    same = (first_key, first_pepper.rstrip(b"\0")) == (second_key, second_pepper.rstrip(b"\0"))
    assert (digest(first_key, first_pepper) == digest(second_key, second_pepper)) == same


def test_keys_are_found_in_a_text_whatever_stands_around_them() -> None:
    one, other = mint(bytes(32)), mint(bytes(range(32)))
    text = f'"Bearer {one}", again {one}\nKEY={other};{other[:-1]}x {one[:-1]} sk-inno- sk-other'
    assert find(text) == [one, other]
    assert find("nothing") == []
