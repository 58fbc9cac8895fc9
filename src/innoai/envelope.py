"""What every answer of ours carries: the error envelope and the headers around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from innoai.access.limits import as_duration
from innoai.errors import NO_CREDENTIAL

if TYPE_CHECKING:
    from innoai.access.limits import RateOutcome
    from innoai.errors import Refusal

REALM = "innoai"
REQUEST_ID_KEY = "innoai.request_id"
"""Where the ASGI scope holds the id of the request: of the visitor's, in what a page asks for it."""


def refusal_body(refusal: Refusal, request_id: str) -> bytes:
    """The JSON envelope."""
    return msgspec.json.encode(refusal.envelope(request_id))


def refusal_headers(refusal: Refusal, request_id: str) -> list[tuple[bytes, bytes]]:
    """The headers that go with a refusal: Retry-After, WWW-Authenticate (RFC 6750 §3), no caching."""
    headers = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
        (b"x-request-id", request_id.encode()),
    ]
    retry_after = refusal.details.get("retry_after")
    if retry_after is not None:
        headers.append((b"retry-after", str(retry_after).encode()))
    challenge = _challenge(refusal)
    if challenge is not None:
        headers.append((b"www-authenticate", challenge.encode()))
    return headers


def rate_headers(rate: RateOutcome) -> list[tuple[bytes, bytes]]:
    """The rate limit's state as OpenAI's clients read it."""
    return [
        (b"x-ratelimit-limit-requests", b"%d" % rate.limit),
        (b"x-ratelimit-remaining-requests", b"%d" % rate.remaining),
        (b"x-ratelimit-reset-requests", as_duration(rate.reset_ns).encode()),
    ]


def _challenge(refusal: Refusal) -> str | None:
    if refusal == NO_CREDENTIAL:
        # RFC 6750 §3.1: who has sent none made no mistake yet.
        return f'Bearer realm="{REALM}"'
    if refusal.kind.status == 401:
        return f'Bearer realm="{REALM}", error="invalid_token", error_description="{refusal.message}"'
    if refusal.code == "insufficient_permissions":
        scope = refusal.details.get("required_scope")
        # No scope would help where none is named, and RFC 6750 §3 knows no empty one.
        named = "" if scope is None else f', scope="{scope}"'
        return f'Bearer realm="{REALM}", error="insufficient_scope"{named}'
    return None
