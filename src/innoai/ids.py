"""Identifiers: a prefix that says what it names, then 22 base62 characters that sort by time.

48 bits of Unix milliseconds and 80 random bits, so that a cursor over ids is a cursor over
creation order, and so that ids cannot be guessed.
"""

from __future__ import annotations

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_BYTES = 10
_LENGTH = 22


def base62(number: int, length: int) -> str:
    """`number` in base 62, most significant digit first, left-padded with zeros to `length`."""
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(BASE62[digit])
    return "".join(reversed(digits))


def new_id(prefix: str, now_ms: int, randomness: bytes) -> str:
    """An id such as `key_0Uy…`; `now_ms` in Unix milliseconds, `randomness` of 10 bytes."""
    return f"{prefix}_{base62((now_ms << 80) | int.from_bytes(randomness), _LENGTH)}"
