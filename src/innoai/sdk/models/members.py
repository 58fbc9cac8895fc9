"""The people of the account."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (pydantic reads it)
from typing import Literal

from openai import BaseModel
from pydantic import Field


class Member(BaseModel):
    """A person of the account. `invite_url` lets who has it join, and is set by create only."""

    id: str
    object: Literal["member"]
    email: str | None
    name: str | None
    role: Literal["owner", "admin", "developer", "viewer"]
    status: Literal["invited", "active"]
    invite_expires_at: datetime | None
    created_at: datetime
    invite_url: str | None = Field(default=None, repr=False)
