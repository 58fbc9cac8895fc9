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


class RequestIds:
    """Request ids of one process: as long and as sortable as the others, and made in a fraction of a µs.

    They need not be secret, so a counter follows what is unique to the process. `randomness` of 5 bytes.
    """

    __slots__ = ("_block", "_count", "_process")

    def __init__(self, now_ms: int, randomness: bytes) -> None:
        self._process = base62((now_ms << 40) | int.from_bytes(randomness), 14)
        self._count = 0
        self._block = ""

    def new(self) -> str:
        """The next `req_…`."""
        block, last = divmod(self._count, 62)
        if last == 0:
            self._block = f"req_{self._process}{base62(block, 7)}"
        self._count += 1
        return self._block + BASE62[last]
