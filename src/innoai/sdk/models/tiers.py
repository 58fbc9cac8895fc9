"""The access-control matrix."""

from __future__ import annotations

from typing import Literal

from openai import BaseModel


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
