"""The audit log."""

from __future__ import annotations

from typing import Any, TypedDict, Unpack

from innoai.sdk.calls.call import Call, Listing, Moment, known, moment
from innoai.sdk.models.audit import AuditEntry


class AuditFilter(TypedDict, total=False):
    """Which entries. action: a name, or several as `key.*`."""

    action: str
    actor_id: str
    target_id: str
    from_: Moment
    to: Moment


class AuditPages(AuditFilter, total=False):
    """Which entries, and which part of the list. limit: entries a page, 1-100."""

    limit: int
    cursor: str


def list_entries(**pages: Unpack[AuditPages]) -> Listing[AuditEntry]:
    """The entries, the newest first."""
    return Listing("/audit", AuditEntry, _query(pages))


def export_entries(**which: Unpack[AuditFilter]) -> Call[bytes]:
    """All entries, the oldest first, as lines of JSON; they are read as they come."""
    query = {**_query(which), "format": "jsonl"}
    return Call("get", "/audit", bytes, query=query, headers={"Accept": "application/jsonl"})


def _query(which: AuditFilter) -> dict[str, Any]:
    query: dict[str, Any] = dict(which)
    begin, end = moment("from_", query.pop("from_", None)), moment("to", query.pop("to", None))
    return known(**{"from": begin}, to=end, **query)
