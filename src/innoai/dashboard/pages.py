"""The pages that the navigation names: one row a page, in the order in which they stand there."""

from __future__ import annotations

from typing import NamedTuple

from innoai.access.scopes import (
    ADMIN_FULL,
    BILLING_READ,
    CUSTOMERS_READ,
    INFERENCE_WRITE,
    WEBHOOKS_READ,
)
from innoai.access.tiers import AUDIT, WEBHOOKS


class Page(NamedTuple):
    """Where a page is, what it is called, its icon, and the scope that a member needs to see it.

    `group`: the heading that it stands under. `feature`: what the account's tier has to include.
    """

    path: str
    title: str
    icon: str
    scope: str | None = None
    group: str = ""
    feature: str | None = None


SETTINGS = "Settings"

PAGES: tuple[Page, ...] = (
    Page("/", "Overview", "home"),
    Page("/usage", "Usage", "chart", BILLING_READ),
    Page("/requests", "Live requests", "pulse", ADMIN_FULL),
    Page("/customers", "Customers", "customers", CUSTOMERS_READ),
    Page("/webhooks", "Webhooks", "webhook", WEBHOOKS_READ, feature=WEBHOOKS),
    Page("/billing", "Billing", "money", BILLING_READ),
    Page("/playground", "Playground", "play", INFERENCE_WRITE),
    Page("/security", "Security", "shield", ADMIN_FULL),
    Page("/audit", "Audit log", "list", ADMIN_FULL, feature=AUDIT),
    Page("/access-control", "Access control", "matrix"),
    Page("/settings/api-keys", "API Keys", "key", ADMIN_FULL, SETTINGS),
    Page("/settings/members", "Members", "people", ADMIN_FULL, SETTINGS),
    Page("/settings/profile", "Your sign-in", "person", None, SETTINGS),
)


def current(path: str) -> str | None:
    """The path of the page that an address belongs to, which is the longest that begins it."""
    fitting = [
        page.path for page in PAGES if path == page.path or path.startswith(page.path.rstrip("/") + "/")
    ]
    return max((found for found in fitting if found != "/" or path == "/"), key=len, default=None)
