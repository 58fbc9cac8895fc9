"""/v1/tiers: the access-control matrix, made from the tables that guard."""

from __future__ import annotations

from typing import Literal

import msgspec
from litestar import Response, get

from innoai.access.routes import ROUTES
from innoai.access.scopes import LEVELS, SCOPES, in_order
from innoai.api.admission import Inside
from innoai.api.wire import answer


class ShownTier(msgspec.Struct, frozen=True):
    """What a tier gives and allows; null is without a bound. Rates a minute, lifetime in seconds."""

    name: str
    default_rate_limit: int
    max_rate_limit: int
    max_keys: int | None
    max_customers: int | None
    max_endpoints: int | None
    max_token_lifetime: int
    models: tuple[str, ...] | None
    features: tuple[str, ...]


class ShownScope(msgspec.Struct, frozen=True):
    """A scope and what it is for."""

    name: str
    description: str


class ShownLevel(msgspec.Struct, frozen=True):
    """A level and the scopes that it stands for."""

    name: str
    scopes: tuple[str, ...]


class ShownRoute(msgspec.Struct, frozen=True):
    """A route and the scope that it asks for; null where any live credential suffices."""

    method: str
    path: str
    scope: str | None


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides who may do what."""

    object: Literal["list"] = "list"
    data: list[ShownTier]
    scopes: list[ShownScope]
    levels: list[ShownLevel]
    routes: list[ShownRoute]


@get("/v1/tiers")
async def show_matrix(services: Inside) -> Response[bytes]:
    """Show the tiers, scopes, levels and routes."""
    return answer(
        Matrix(
            data=[
                ShownTier(
                    tier.name,
                    tier.default_rate_limit,
                    tier.max_rate_limit,
                    tier.max_keys,
                    tier.max_customers,
                    tier.max_endpoints,
                    tier.max_token_lifetime,
                    tier.models,
                    tier.features,
                )
                for tier in services.tiers.values()
            ],
            scopes=[ShownScope(name, description) for name, description in SCOPES.items()],
            levels=[ShownLevel(name, in_order(scopes)) for name, scopes in LEVELS.items()],
            routes=[ShownRoute(route.method, route.path, route.scope) for route in ROUTES],
        )
    )
