"""The account's API keys."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (pydantic reads it)
from typing import Literal

from openai import BaseModel
from pydantic import Field

from innoai.sdk.models.money import Budgets  # noqa: TC001


class ApiKey(BaseModel):
    """A key of the account. `key` is the secret, set by create and rotate only.

    rate_limit: requests a minute.
    """

    id: str
    object: Literal["api_key"]
    name: str
    prefix: str
    last4: str
    scopes: list[str]
    level: str | None
    allowed_ips: list[str]
    rate_limit: int
    models: list[str] | None
    customer_id: str | None
    status: Literal["active", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    rotated_from: str | None
    rotated_to: str | None = None
    budgets: Budgets | None = None
    key: str | None = Field(default=None, repr=False)


class LeakReport(BaseModel):
    """The account's keys that stood in a text. `others`: whole keys in it that are not the account's."""

    object: Literal["leak_report"]
    keys: list[ApiKey]
    others: int
