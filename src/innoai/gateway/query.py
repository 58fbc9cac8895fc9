"""What of a caller's query goes on to a model server: neither credentials nor what the operator has set."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from innoai.gateway.headers import holds_credential

_CREDENTIAL_NAME = re.compile(
    rb"code|(?:.*)(?:key|token|secret|passw(?:or)?d|auth|authorization|credentials?|jwt|bearer|assertion"
    rb"|sig|signature|session|sessionid)",
    re.DOTALL,
)
_PART = re.compile(rb"[&;]")


def joined(own: bytes, callers: bytes) -> bytes:
    """The operator's query, and of the caller's what may stand beside it, in the bytes that it came in.

    A name is compared as loosely as the loosest server may read it: whatever its case, its hyphens and how it
    is encoded, and with `;` for a separator, too.
    """
    if not callers:
        return own
    taken = {_plain(part) for part in _PART.split(own)} - {b""}
    kept = [
        piece
        for piece in callers.split(b"&")
        if piece and not any(_stays(part, taken) for part in _PART.split(piece))
    ]
    return b"&".join(filter(None, (own, *kept)))


def _stays(part: bytes, taken: set[bytes]) -> bool:
    name = _plain(part)
    if name in taken or _CREDENTIAL_NAME.fullmatch(name) is not None:
        return True
    return holds_credential(unquote_to_bytes(part.replace(b"+", b" ")))


def _plain(part: bytes) -> bytes:
    """The name of a parameter, without what servers disagree about."""
    name = unquote_to_bytes(part.partition(b"=")[0].replace(b"+", b" "))
    # PHP and its like read `name[0]` as one of several of that name.
    return name.partition(b"[")[0].translate(None, b" -_.\0\t\r\n").lower()
