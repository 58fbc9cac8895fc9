"""/access-control: the matrix that decides, as GET /v1/tiers gives it."""

from __future__ import annotations

from litestar import Response, get

from innoai.access.roles import ROLES
from innoai.access.scopes import grants
from innoai.access.tiers import FEATURES
from innoai.dashboard.visit import Here


@get("/access-control")
async def show(here: Here) -> Response[bytes]:
    """Show scopes by level and role, routes by scope, and tiers."""
    matrix = await here.get("/v1/tiers")
    levels = [(level["name"], frozenset(level["scopes"])) for level in matrix["levels"]]
    return here.page(
        "access_control.html",
        scopes=[
            {
                **scope,
                "levels": [grants(held, scope["name"]) for _, held in levels],
                "roles": [grants(held, scope["name"]) for held in ROLES.values()],
                "routes": [route for route in matrix["routes"] if route["scope"] == scope["name"]],
            }
            for scope in matrix["scopes"]
        ],
        levels=[name for name, _ in levels],
        roles=list(ROLES),
        open_routes=[route for route in matrix["routes"] if route["scope"] is None],
        tiers=matrix["data"],
        own_tier=here.principal.account.tier,
        features=FEATURES,
    )


HANDLERS = (show,)
