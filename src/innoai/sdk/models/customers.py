"""The account's end customers."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (pydantic reads it)
from typing import Literal

from openai import BaseModel

from innoai.sdk.models.money import Budgets  # noqa: TC001


class Customer(BaseModel):
    """An end customer of the account. `id` is the server's, `customer_id` the account's own.

    rate_limit: requests a minute of all its credentials together; None is no bound beside theirs.
    """

    id: str
    object: Literal["customer"]
    customer_id: str
    name: str | None
    metadata: dict[str, str]
    disabled: bool
    rate_limit: int | None = None
    budgets: Budgets | None = None
    created_at: datetime
    updated_at: datetime
