"""`/`: where a member arrives: what was used lately, the first call ready to be copied, and where to look."""

from __future__ import annotations

from litestar import Response, get

from innoai.access.scopes import BILLING_READ
from innoai.dashboard.snippets import PLACEHOLDER, snippets
from innoai.dashboard.usage import overview_of
from innoai.dashboard.visit import Here


@get("/")
async def show(here: Here) -> Response[bytes]:
    """Show what was used, and how to begin."""
    model = next(iter(here.inside.settings.models))
    figures = await overview_of(here) if here.may(BILLING_READ) else None
    return here.page("overview.html", figures=figures, snippets=snippets(here.api_url, PLACEHOLDER, model))


HANDLERS = (show,)
