"""`/`: where a member arrives: the first call, ready to be copied, and where to look."""

from __future__ import annotations

from litestar import Response, get

from innoai.dashboard.snippets import PLACEHOLDER, snippets
from innoai.dashboard.visit import Here


@get("/")
async def show(here: Here) -> Response[bytes]:
    """Show how to begin."""
    model = next(iter(here.inside.settings.models))
    return here.page("overview.html", snippets=snippets(here.api_url, PLACEHOLDER, model))
