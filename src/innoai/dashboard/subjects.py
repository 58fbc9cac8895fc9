"""What ids in the audit log stand for: what people call it, and its page."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from innoai.dashboard.visit import Visit

NAMED = 100
"""So many keys and members are named, the newest; others are shown by their ids."""


class Subject(NamedTuple):
    """A key or a member."""

    name: str
    page: str


async def subjects(here: Visit) -> dict[str, Subject]:
    """By id, for a member with admin:full."""
    keys = await here.get("/v1/keys", limit=NAMED)
    members = await here.get("/v1/members", limit=NAMED)
    found = {key["id"]: Subject(key["name"], f"/settings/api-keys/{key['id']}") for key in keys["data"]}
    for member in members["data"]:
        name = member["name"] or member["email"] or "The first owner"
        found[member["id"]] = Subject(name, f"/settings/members/{member['id']}")
    return found
