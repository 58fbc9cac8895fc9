"""What the control plane answers, as openai's models: unknown members are kept, nothing is refused."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (pydantic reads it)
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
    key: str | None = Field(default=None, repr=False)


class Customer(BaseModel):
    """An end customer of the account. `id` is the server's, `customer_id` the account's own."""

    id: str
    object: Literal["customer"]
    customer_id: str
    name: str | None
    metadata: dict[str, str]
    disabled: bool
    created_at: datetime
    updated_at: datetime


class Tier(BaseModel):
    """What an account of this tier may have; None is no bound.

    The rate limits are requests a minute, max_token_lifetime is seconds.
    """

    name: str
    default_rate_limit: int
    max_rate_limit: int | None
    max_keys: int | None
    max_customers: int | None
    max_endpoints: int | None
    models: list[str] | None
    max_token_lifetime: int
    features: list[str]


class Scope(BaseModel):
    """What a credential may be allowed to do."""

    name: str
    description: str


class Level(BaseModel):
    """A named preset of scopes."""

    name: str
    scopes: list[str]


class Route(BaseModel):
    """A route and the scope that it asks for; None where any live credential will do."""

    method: str
    path: str
    scope: str | None


class AccessMatrix(BaseModel):
    """Who may do what: tiers (`data`), scopes, levels and routes."""

    object: Literal["list"]
    data: list[Tier]
    scopes: list[Scope]
    levels: list[Level]
    routes: list[Route]
