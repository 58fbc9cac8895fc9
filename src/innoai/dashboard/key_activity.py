"""What a key's page tells of what it did, and could do without; a change is tried before it is made."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from litestar import Response, post

from innoai.access.scopes import SCOPES
from innoai.dashboard import edits
from innoai.dashboard.days import as_text, midnight
from innoai.dashboard.forms import whole_number
from innoai.dashboard.plots import Plot, Series, counted, stacked
from innoai.dashboard.refusals import about_a_field
from innoai.dashboard.visit import Here, Visit
from innoai.errors import InnoError, Refusal

ONE = "/settings/api-keys/{key_id:str}"
DAYS = 30
PLOT_DAYS = 14
MOST_REFUSALS = 10
FIELDS = ("scopes", "allowed_ips", "models", "rate_limit")


async def told_of(here: Visit, key: dict[str, Any]) -> dict[str, Any]:
    """What the page of a key shows beside the key."""
    since = midnight(here.inside.clock()) - timedelta(days=PLOT_DAYS - 1)
    begin = as_text(since)
    activity = await here.get("/v1/keys/{key_id}/activity", key_id=key["id"], **{"from": begin})
    advice = await here.get("/v1/keys/{key_id}/advice", key_id=key["id"], days=DAYS)
    return {
        "activity": activity,
        "traffic": _traffic(activity, since),
        "refusals": activity["refusals"][:MOST_REFUSALS],
        "advice": advice,
        "tried": _values(key, advice["change"] or {}),
        "shown": edits.as_field(_values(key, {})),
        "scope_names": SCOPES,
    }


@post(f"{ONE}/preview", status_code=200)
async def preview(key_id: str, here: Here) -> Response[bytes]:
    """Show what the change would have refused, and offer to make it as it was tried."""
    key = await here.get("/v1/keys/{key_id}", key_id=key_id)
    shown = edits.shown_by(here.form, _values(key, {}))
    try:
        change = _change(here, shown)
        found = await here.post("/v1/keys/{key_id}/preview", {**change, "days": DAYS}, key_id=key_id)
    except InnoError as error:
        return _preview(here, key, shown, error=error.refusal)
    return _preview(here, key, shown, found=found, has_change=bool(change))


@post(f"{ONE}/apply", status_code=200)
async def apply(key_id: str, here: Here) -> Response[Any]:
    """Make the change that was tried."""
    key = await here.get("/v1/keys/{key_id}", key_id=key_id)
    shown = edits.shown_by(here.form, _values(key, {}))
    try:
        await here.patch("/v1/keys/{key_id}", _change(here, shown), key_id=key_id)
    except InnoError as error:
        return _preview(here, key, shown, error=error.refusal)
    return here.redirect(f"/settings/api-keys/{key_id}", notice="key-changed")


def _preview(
    here: Visit,
    key: dict[str, Any],
    shown: dict[str, Any],
    *,
    found: dict[str, Any] | None = None,
    has_change: bool = False,
    error: Refusal | None = None,
) -> Response[bytes]:
    return here.page(
        "keys/preview.html",
        status=200 if error is None else error.kind.status,
        key=key,
        found=found,
        has_change=has_change,
        tried=_typed(here),
        shown=edits.as_field(shown),
        scope_names=SCOPES,
        error=about_a_field(error),
        fields=FIELDS,
    )


def _traffic(activity: dict[str, Any], since: datetime) -> Plot:
    """Allowed and refused requests a day."""
    days = [since + timedelta(days=number) for number in range(PLOT_DAYS)]
    allowed = {f"{day:%Y-%m-%d}": 0.0 for day in days}
    refused = dict(allowed)
    for hour in activity["hours"]:
        day = hour["hour"][:10]
        if day in allowed:
            allowed[day] += hour["allowed"]
            refused[day] += hour["refused"]
    return stacked(
        "traffic",
        f"Requests in {PLOT_DAYS} days",
        [f"{day:%b} {day.day}" for day in days],
        [
            Series("allowed", "first", list(allowed.values())),
            Series("refused", "bad", list(refused.values())),
        ],
        counted,
        "No requests in this time.",
    )


def _values(key: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """What the form begins with: what is advised, and otherwise what the key has."""
    wanted = {**{name: key[name] for name in FIELDS}, **change}
    return {
        "scopes": wanted["scopes"],
        "allowed_ips": "\n".join(wanted["allowed_ips"]),
        "models": "\n".join(wanted["models"] or ()),
        "rate_limit": str(wanted["rate_limit"]),
    }


def _typed(here: Visit) -> dict[str, Any]:
    form = here.form
    return {"scopes": form.all("scopes"), **{name: form.raw(name) for name in FIELDS[1:]}}


def _change(here: Visit, shown: dict[str, Any]) -> dict[str, Any]:
    """The form as the API takes a change: what is not as the key had it when the form was shown."""
    form = here.form
    wanted = {
        "scopes": form.all("scopes"),
        "allowed_ips": form.lines("allowed_ips"),
        "models": form.lines("models") or None,
        "rate_limit": whole_number(form, "rate_limit", "requests"),
    }
    changed = edits.touched(_typed(here), shown)
    return {name: value for name, value in wanted.items() if name in changed}


HANDLERS = (preview, apply)
