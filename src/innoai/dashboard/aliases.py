"""Addresses that people type, and from which they are led on."""

from __future__ import annotations

from litestar import Response, get

from innoai.access.scopes import ADMIN_FULL
from innoai.dashboard.visit import Here


@get("/settings")
async def show_settings(here: Here) -> Response[None]:
    """To the first of the settings that the member may see."""
    return here.redirect("/settings/api-keys" if here.may(ADMIN_FULL) else "/settings/profile")


@get("/dashboard")
async def show_dashboard(here: Here) -> Response[None]:
    """To the overview."""
    return here.redirect("/")


HANDLERS = (show_settings, show_dashboard)
