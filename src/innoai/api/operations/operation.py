"""What a row of the operations is made of, and the examples that several rows share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from innoai.api.wire import JSON

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_ID = "key_0UySTdUK83VqVcDhBZJZlb"
MEMBER_ID = "mem_0UySTdUKD5xS3QnVyHkF9C"
CUSTOMER_ID = "customer_12345"
ENDPOINT_ID = "whe_0UySTdUKB7kQ2LmZpXyD5A"
DELIVERY_ID = "dlv_0UySTdUKBw3Nf8RtKcVb6M"
MODEL = "inno-ai-boyong-4.5"
MONTH = "2026-11"
SECRET = "sk-inno-2mVb3xQ0sYc8LrTgKpNwEfHjUaZd5R7t9WoXiBqG1MvSk0hJx"
TOKEN = "eyJhbGciOiJIUzI1NiIsImtpZCI6InNpZ18wIn0.eyJzdWIiOiJrZXlfMCJ9.c2lnbmF0dXJl"
EVENT_STREAM = "text/event-stream"
NOW = "2026-11-24T22:07:02Z"


@dataclass(frozen=True, slots=True)
class Body:
    """What a request or an answer holds: a shape by media type, and one example in the first of them."""

    shapes: Mapping[str, Any]
    example: Any
    required: bool = True

    @property
    def media_type(self) -> str:
        """The media type of the example."""
        return next(iter(self.shapes))


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method of one path takes and gives.

    `id`: what generated clients call it. `answer` None is a 204. `errors`: codes of errors.ERRORS that
    only this operation's own rules give, beside those that follow from what it takes. `idempotent`: it
    heeds Idempotency-Key. `relayed`: the answer may be the model server's. `also`: answers that are no
    refusals, by further statuses. `headers`: what the answer carries beside the usual ones.
    """

    method: str
    path: str
    id: str
    tag: str
    summary: str
    answer: Body | None
    status: int = 200
    body: Body | None = None
    query: type[msgspec.Struct] | None = None
    query_example: Mapping[str, Any] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    idempotent: bool = False
    relayed: bool = False
    also: Mapping[int, Body] = field(default_factory=dict)
    headers: tuple[str, ...] = ()


def json(shape: Any, example: Any, *, required: bool = True) -> Body:
    """A JSON body of that shape."""
    return Body({JSON: shape}, example, required)
