"""The audit log."""

from __future__ import annotations

from typing import Any, Literal

from openai import BaseModel


class Actor(BaseModel):
    """Who did it. Of a token `id` is its jti, and `key_id` the key that it came from."""

    kind: str
    id: str | None
    key_id: str | None = None
    customer_id: str | None = None


class AuditEntry(BaseModel):
    """What was done, by whom, from where; before and after without secrets.

    at: RFC 3339, and text here, since `hash` covers it as it was written: `to_dict()` is what was hashed.
    """

    id: str
    object: Literal["audit_entry"]
    sequence: int
    at: str
    actor: Actor
    action: str
    target_id: str | None
    address: str | None
    request_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    previous_hash: str
    hash: str


class AuditHead(BaseModel):
    """The last entry of the log."""

    sequence: int
    hash: str
