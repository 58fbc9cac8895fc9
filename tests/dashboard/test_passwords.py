from __future__ import annotations

import pytest

from innoai.dashboard.passwords import MAX_LENGTH, MIN_LENGTH, Passwords, check_choice
from innoai.errors import InnoError

GOOD = "four lamps over the water"


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return Passwords()


async def test_a_password_is_recognised_and_another_is_not(passwords: Passwords) -> None:
    kept = await passwords.hash(GOOD)
    assert kept.startswith("$argon2id$")
    assert GOOD not in kept
    assert await passwords.verify(GOOD, kept)
    assert not await passwords.verify(f"{GOOD} ", kept)
    assert not passwords.is_outdated(kept)


async def test_one_password_in_two_spellings_is_one(passwords: Passwords) -> None:
    kept = await passwords.hash("caf\u00e9 noir pour quatre")
    assert await passwords.verify("cafe\u0301 noir pour quatre", kept)


async def test_without_a_hash_nothing_is_right(passwords: Passwords) -> None:
    assert not await passwords.verify("nobody has this password", None)


@pytest.mark.parametrize("kept", ["", "x", "$argon2id$v=19$broken", "$2b$12$abcdefghijklmnopqrstuv"])
async def test_a_hash_that_is_none_is_nobodys(passwords: Passwords, kept: str) -> None:
    assert not await passwords.verify(GOOD, kept)


async def test_what_is_longer_than_may_be_chosen_is_not_right(passwords: Passwords) -> None:
    longest = "ab12 " * (MAX_LENGTH // 5)
    kept = await passwords.hash(longest)
    assert await passwords.verify(longest, kept)
    assert not await passwords.verify(longest.ljust(MAX_LENGTH) + "x" * 100_000, kept)


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "correct horse of a battery",
        "пять синих стульев",
        "!?#/%&()=+*~-_.:,;<>",
        "x7Kq" * 4 + "vB2",
        " leading and trailing ",
    ],
)
def test_what_is_long_enough_and_not_well_known_may_be_chosen(password: str) -> None:
    check_choice(password, "ana@example.com", "Ana")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("x" * (MIN_LENGTH - 1), "at least"),
        ("", "at least"),
        ("four lamps " * 100, "at most"),
        ("aaaaaaaaaaaaaaaaaaaa", "repeats"),
        ("abababababababababab", "repeats"),
        ("password1234567890", "others would try"),
        ("PasswordPassword", "others would try"),
        ("qwertyuiop1234567890", "others would try"),
        ("innoai admin dashboard", "others would try"),
        ("ana.example.com ana example", "others would try"),
        ("Annabel Brightwater", "others would try"),
    ],
)
def test_what_is_short_or_well_known_is_refused_with_the_reason(password: str, why: str) -> None:
    with pytest.raises(InnoError) as caught:
        check_choice(password, "ana@example.com", "Annabel Brightwater")
    assert caught.value.refusal.details["param"] == "password"
    assert why in caught.value.refusal.message
