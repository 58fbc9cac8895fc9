"""API keys: `sk-inno-`, 43 base62 characters of 256 random bits, 6 of a CRC-32 over all that precedes.

The checksum tells a typo, or a secret scanner's false hit, without asking the store. The store
holds a keyed digest alone; the prefix and the last four characters are kept for people.
"""

from __future__ import annotations

import hmac
import re
import zlib

from innoai.ids import base62

PREFIX = "sk-inno-"
SECRET_BYTES = 32
_SECRET_LENGTH = 43
_CHECKSUM_LENGTH = 6
_SHAPE = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_SECRET_LENGTH + _CHECKSUM_LENGTH}}}", re.ASCII)


def mint(randomness: bytes) -> str:
    """A new key from 32 random bytes."""
    body = PREFIX + base62(int.from_bytes(randomness), _SECRET_LENGTH)
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Whether `key` has the shape and checksum of a key; says nothing about whether it was ever issued."""
    if _SHAPE.fullmatch(key) is None:
        return False
    return key[-_CHECKSUM_LENGTH:] == _checksum(key[:-_CHECKSUM_LENGTH])


def find(text: str) -> list[str]:
    """The keys that stand in a text, each once, in the order of their first appearance."""
    return [key for key in dict.fromkeys(_SHAPE.findall(text)) if is_well_formed(key)]


def digest(key: str, pepper: bytes) -> bytes:
    """What the store keeps and looks up: HMAC-SHA256 under the installation's pepper, 32 bytes."""
    return hmac.digest(pepper, key.encode(), "sha256")


def _checksum(body: str) -> str:
    return base62(zlib.crc32(body.encode()), _CHECKSUM_LENGTH)
