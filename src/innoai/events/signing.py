"""Signing deliveries: one secret, two signatures, so that receivers of either kind can verify.

`x-innoai-signature` is the hex HMAC-SHA256 of the body, with the whole secret as its key. The headers of
Standard Webhooks 1.0 sign id, time and body with the secret's decoded bytes, which stops replays too.
"""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32


def mint(randomness: bytes) -> str:
    """A new secret from SECRET_BYTES random bytes."""
    return PREFIX + base64.b64encode(randomness).decode()


def signed_headers(event_id: str, body: bytes, timestamp: int, secrets: Sequence[str]) -> dict[str, str]:
    """The headers that prove a delivery at `timestamp`, Unix seconds.

    During a rotation there are two secrets, and webhook-signature carries the signatures of both.
    x-innoai-signature has room for one, which is the first secret's.
    """
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_standard(event_id, body, timestamp, secret) for secret in secrets),
        "x-innoai-signature": hmac.digest(secrets[0].encode(), body, "sha256").hex(),
    }


def _standard(event_id: str, body: bytes, timestamp: int, secret: str) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    digest = hmac.digest(key, b"%s.%d.%s" % (event_id.encode(), timestamp, body), "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"
