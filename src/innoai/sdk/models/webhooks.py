"""Where events are sent, what became of them, and the events themselves."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (pydantic reads it)
from typing import Any, Literal

from openai import BaseModel
from pydantic import Field


class WebhookEndpoint(BaseModel):
    """Where events are sent. `secret` signs them, and is set by create and rotate_secret only.

    headers: their values are never shown. disabled_because: None where it was disabled by hand.
    """

    id: str
    object: Literal["webhook_endpoint"]
    url: str
    event_types: list[str]
    description: str | None
    headers: dict[str, str]
    disabled: bool
    disabled_because: Literal["gone", "failing"] | None
    failing_since: datetime | None
    previous_secret_expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    secret: str | None = Field(default=None, repr=False)


class Event(BaseModel):
    """What happened. The shape of `data` belongs to the type; `webhooks.event_types()` has its schema."""

    id: str
    object: Literal["event"]
    type: str
    created_at: datetime
    account_id: str
    data: dict[str, Any]


class EventType(BaseModel):
    """A type of event. schema_: JSON Schema of a whole event. example: one."""

    type: str
    description: str
    schema_: dict[str, Any] = Field(alias="schema")
    example: dict[str, Any]


class Attempt(BaseModel):
    """One attempt at a delivery: an answer with its status, or an error."""

    number: int
    at: datetime
    duration_ms: float
    request_headers: dict[str, str]
    status: int | None
    response_headers: dict[str, str] | None
    response_body: str | None
    error: str | None


class Delivery(BaseModel):
    """An event on its way to an endpoint. `event` and `log` come with a single delivery only."""

    id: str
    object: Literal["delivery"]
    endpoint_id: str
    event_id: str
    event_type: str
    state: Literal["pending", "succeeded", "failed"]
    attempts: int
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
    event: Event | None = None
    log: list[Attempt] | None = None


class Replay(BaseModel):
    """count: how many deliveries are made again."""

    object: Literal["replay"]
    count: int
