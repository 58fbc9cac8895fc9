"""Is this webhook from our server? Two signatures of the same secret; either alone proves the sender.

`verify` checks `x-innoai-signature`; `verify_standard` the Standard Webhooks headers, which stop replays too.
Both take the body's exact bytes and answer with a bool. `sign` and `sign_standard` make what they check, for
tests of a receiver. None needs openai.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECRET_PREFIX = "whsec_"
_SCHEME = "v1"
DEFAULT_TOLERANCE = 300
"""Seconds that a delivery's timestamp may differ from the receiver's clock."""


def verify(payload: bytes | str, signature: str | None, secret: str) -> bool:
    """Whether `signature` is the lower-case hex HMAC-SHA256 of the payload; compared in constant time.

    None, as from a request without the header, is no signature. Raises ValueError on an empty secret, with
    which anyone could sign.
    """
    expected = sign(payload, secret).encode()
    return signature is not None and hmac.compare_digest(_bytes(signature), expected)


def sign(payload: bytes | str, secret: str) -> str:
    """The payload's `x-innoai-signature`. Raises ValueError on an empty secret."""
    _require(secret)
    return hmac.digest(secret.encode(), _bytes(payload), "sha256").hex()


def verify_standard(
    payload: bytes | str,
    headers: Mapping[str, str],
    secret: str,
    tolerance: float = DEFAULT_TOLERANCE,
    *,
    now: float | None = None,
) -> bool:
    """Whether webhook-id, webhook-timestamp and webhook-signature fit the payload (Standard Webhooks 1.0).

    secret: base64, with or without `whsec_`. tolerance: seconds that the timestamp may lie off `now`.
    now: seconds since the epoch, the clock's by default. One good signature of several is enough, so that a
    secret can be changed. Raises ValueError on a secret that is not base64 or empty.
    """
    _standard_key(secret)
    fields = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp = fields["webhook-id"], fields["webhook-timestamp"]
        signatures = fields["webhook-signature"].split(" ")
        age = (time.time() if now is None else now) - int(timestamp)
    except (KeyError, ValueError, OverflowError):
        return False
    if abs(age) > tolerance:
        return False
    expected = sign_standard(payload, message_id, timestamp, secret).encode()
    return any(hmac.compare_digest(_bytes(signature), expected) for signature in signatures)


def sign_standard(payload: bytes | str, message_id: str, timestamp: str, secret: str) -> str:
    """The `webhook-signature` of a payload beside that webhook-id and webhook-timestamp (Unix seconds).

    Raises ValueError on a secret that is not base64 or empty.
    """
    signed = b".".join((_bytes(message_id), _bytes(timestamp), _bytes(payload)))
    digest = hmac.digest(_standard_key(secret), signed, "sha256")
    return f"{_SCHEME},{base64.b64encode(digest).decode()}"


def _standard_key(secret: str) -> bytes:
    _require(secret)
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the webhook secret is not base64: pass it as the server showed it") from None
    _require(key)
    return key


def _require(secret: str | bytes) -> None:
    if not secret:
        raise ValueError("the webhook secret is empty: pass the endpoint's secret")


def _bytes(text: bytes | str) -> bytes:
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
