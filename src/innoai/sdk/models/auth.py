"""Tokens, and what a credential is worth."""

from __future__ import annotations

from typing import Literal

from openai import BaseModel
from pydantic import Field


class Token(BaseModel):
    """A pair of tokens. expires_in: seconds that the access token lives from its minting."""

    access_token: str = Field(repr=False)
    token_type: str
    expires_in: int
    refresh_token: str = Field(repr=False)


class Validation(BaseModel):
    """What a live credential stands for. rate_limit: requests a minute."""

    valid: bool
    key_id: str
    scopes: list[str]
    rate_limit: int
    tier: str


class Introspection(BaseModel):
    """A token's claims (RFC 7662 §2.2); of a dead one only `active`. exp, iat: seconds since the epoch."""

    active: bool
    scope: str | None = None
    client_id: str | None = None
    sub: str | None = None
    aud: str | None = None
    iss: str | None = None
    exp: int | None = None
    iat: int | None = None
    jti: str | None = None
    token_type: str | None = None
    token_use: str | None = None
    customer_id: str | None = None


class Check(BaseModel):
    """One step of a decision."""

    name: str
    outcome: Literal["passed", "refused", "not_reached"]
    detail: str | None = None


class Explanation(BaseModel):
    """How the server would decide on a request, check by check in the order of the deciding."""

    allowed: bool
    code: str | None
    message: str | None
    checks: list[Check]
