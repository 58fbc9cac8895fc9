"""Passwords: argon2id, worked out beside the event loop, and the rules of NIST SP 800-63B for choosing one.

Length counts, and nothing is asked of what it consists of. What everybody would try first is refused.
"""

from __future__ import annotations

import asyncio
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from innoai.errors import InnoError

MIN_LENGTH = 15
"""Characters, where the password alone may open the door (SP 800-63B-4 §3.1.1.2)."""

MAX_LENGTH = 256
_AT_ONCE = 2
"""Each takes 64 MiB while it lasts."""

_MIN_DIFFERENT = 5
_WELL_KNOWN = (
    "password",
    "passwort",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "1234567890",
    "0123456789",
    "abcdefghijklmnopqrstuvwxyz",
    "letmein",
    "welcome",
    "iloveyou",
    "changeme",
    "innoai",
    "admin",
    "dashboard",
    "secret",
    "correcthorsebatterystaple",
)


class Passwords:
    """Hashes and compares them."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._turn = asyncio.Semaphore(_AT_ONCE)
        # Compared with for an email that nobody has, so that the answer takes as long.
        self._nobodys = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """What the store keeps."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, normal(password))

    async def verify(self, password: str, kept: str | None) -> bool:
        """Whether it is the password of this hash; without a hash it takes as long, and is not."""
        async with self._turn:
            same = await asyncio.to_thread(self._verify, password, kept or self._nobodys)
        return same and kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    def _verify(self, password: str, kept: str) -> bool:
        if len(password) > MAX_LENGTH:
            password = password[:MAX_LENGTH] + "\0"
        try:
            return self._hasher.verify(kept, normal(password))
        except (VerificationError, InvalidHashError):
            return False


def normal(password: str) -> str:
    """One spelling of what can be typed in several (SP 800-63B-4 §3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def check_choice(password: str, *about: str | None) -> None:
    """See that a password may be chosen; `about`: what others know of its owner.

    Raises:
        InnoError: invalid_request with the param `password`.
    """
    length = len(normal(password))
    if length < MIN_LENGTH:
        raise _refusal(
            f"Use at least {MIN_LENGTH} characters; a few words in a row are easy to keep in mind."
        )
    if length > MAX_LENGTH:
        raise _refusal(f"Use at most {MAX_LENGTH} characters.")
    left = normal(password).casefold()
    if len(set(left)) < _MIN_DIFFERENT:
        raise _refusal("That repeats a few characters. Choose one that is harder to guess.")
    known = [*_WELL_KNOWN, *(part for text in about for part in _parts(text))]
    for word in sorted(known, key=len, reverse=True):
        left = left.replace(word, "")
    if len(set(left)) < _MIN_DIFFERENT:
        raise _refusal("That is made of what others would try first. Choose one that is harder to guess.")


def _parts(text: str | None) -> list[str]:
    words = "".join(
        character if character.isalnum() else " " for character in (text or "").casefold()
    ).split()
    return [word for word in words if len(word) > 2]


def _refusal(message: str) -> InnoError:
    return InnoError("invalid_request", message, param="password")
