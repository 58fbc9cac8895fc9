"""The account's requests as they happen, and its last refusals."""

from __future__ import annotations

from typing import Any, Literal

from innoai.sdk.calls.call import Call, Listing, known
from innoai.sdk.models.activity import DecidedRequest

STREAM_SILENCE = 45.0
"""Seconds without a byte after which a stream counts as lost; the server says something every 15."""


def list_refusals(*, key_id: str | None = None, limit: int | None = None) -> Listing[DecidedRequest]:
    """The last refusals of the server that answers, the newest first, with the checks. limit: 1-100."""
    return Listing("/requests/refusals", DecidedRequest, known(key_id=key_id, limit=limit))


def stream_requests(*, key_id: str | None = None, only: Literal["refused"] | None = None) -> Call[Any]:
    """The account's requests as the server that answers decides and finishes them."""
    return Call(
        "get",
        "/requests/stream",
        DecidedRequest,
        query=known(key_id=key_id, only=only),
        headers={"Accept": "text/event-stream"},
        silence=STREAM_SILENCE,
    )
