"""/audit: the log of every change, with filters, and as a file."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.response import Stream

from innoai.dashboard.days import check_order, end_of, start_of
from innoai.dashboard.refusals import about_a_filter
from innoai.dashboard.subjects import subjects
from innoai.dashboard.visit import Here
from innoai.errors import InnoError, Refusal
from innoai.events.actions import ACTIONS

LOG = "/audit"
EXPORT = f"{LOG}/export"
PER_PAGE = 50
_FILTERS = ("action", "actor_id", "target_id", "from", "to")


@get(LOG)
async def show(here: Here) -> Response[bytes]:
    """Show entries, newest first."""
    kept, cursor = _filters(here), here.query("cursor")
    error: Refusal | None = None
    page: dict[str, Any] = {"data": [], "head": {"sequence": 0}, "next_cursor": None}
    try:
        page = await here.get("/v1/audit", limit=PER_PAGE, cursor=cursor, **_asked(kept))
    except InnoError as refused:
        error = about_a_filter(refused)
    return here.page(
        "audit.html",
        status=200 if error is None else error.kind.status,
        entries=[{**entry, "changes": changes(entry)} for entry in page["data"]],
        head=page["head"],
        **here.further(LOG, page, **kept),
        export=here.link(EXPORT, **kept),
        filters={name: kept.get(name, "") for name in _FILTERS},
        fields=_FILTERS,
        error=error,
        is_filtered=bool(kept),
        actions=[("", "Everything"), *((name, name) for name in _kinds())],
        texts=ACTIONS,
        subjects=await subjects(here),
    )


@get(EXPORT)
async def export(here: Here) -> Stream:
    """The whole log, or what the filters leave of it, one JSON object a line."""
    return await here.relay("/v1/audit", accept="*/*", format="jsonl", **_asked(_filters(here)))


def changes(entry: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """The members that differ, with what they were and what they became."""
    before, after = entry["before"] or {}, entry["after"] or {}
    names = [*before, *(name for name in after if name not in before)]
    return [
        (name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    ]


def _filters(here: Here) -> dict[str, str]:
    """What was chosen. A filter that nothing fits finds nothing; an action that there is not is an error."""
    return {name: value for name in _FILTERS if (value := here.query(name)[:160])}


def _asked(kept: dict[str, str]) -> dict[str, str]:
    days = {"from": start_of(kept.get("from", "")), "to": end_of(kept.get("to", ""))}
    check_order(days["from"], days["to"])
    return {**kept, **{name: day for name, day in days.items() if name in kept}}


def _kinds() -> list[str]:
    """Every action, after the group that it belongs to."""
    named: dict[str, list[str]] = {}
    for action in sorted(ACTIONS):
        named.setdefault(f"{action.partition('.')[0]}.*", []).append(action)
    return [name for group, actions in named.items() for name in (group, *actions)]


HANDLERS = (
    show,
    export,
)
