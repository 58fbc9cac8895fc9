"""/usage: what was used over time, by model, key and customer; and the figures of the overview."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from litestar import Response, get
from litestar.response import Stream

from innoai.access.scopes import ADMIN_FULL
from innoai.dashboard.days import as_text, check_order, end_of, midnight, start_of
from innoai.dashboard.plots import Plot, Series, counted, stacked
from innoai.dashboard.refusals import about_a_filter
from innoai.dashboard.rendering import amount
from innoai.dashboard.visit import Here, Visit
from innoai.errors import InnoError, Refusal

ROOM = "/usage"
RANGES = {"today": "Today", "7d": "7 days", "30d": "30 days"}
DEFAULT_RANGE = "7d"
MOST_DAYS = 400
"""What a page shows of a time: each day is a column of four plots."""
PER_PAGE = 100
MOST_PAGES = 8
"""Pages of sums that a plot or a table is made of: all days, and of more than 800 models the first."""
MOST = 20
"""Keys and customers that are listed by what they used."""

EXPORTS = {
    "by day and model": {"group_by": "day,model"},
    "by key": {"group_by": "key"},
    "by customer": {"group_by": "customer"},
    "request by request": {},
}
_GROUPINGS = frozenset(grouped["group_by"] for grouped in EXPORTS.values() if grouped)
_SUMMED = ("requests", "failures", "prompt_tokens", "completion_tokens")


@dataclass(frozen=True, slots=True)
class Span:
    """A time in whole days of UTC, or of hours where it is one day, and how its parts are called."""

    since: datetime
    until: datetime
    by: str
    is_cut: bool = False
    """Whether it is the end of a longer time that was chosen."""

    @property
    def query(self) -> dict[str, str]:
        """As the API takes it."""
        return {"from": as_text(self.since), "to": as_text(self.until)}

    @property
    def places(self) -> list[tuple[str, str]]:
        """Each part: as the API names it, and as people do."""
        step = timedelta(hours=1) if self.by == "hour" else timedelta(days=1)
        count = max(1, -(-(self.until - self.since) // step))
        instants = [self.since + number * step for number in range(count)]
        if self.by == "hour":
            return [(as_text(at), f"{at:%H:%M}") for at in instants]
        return [(f"{at:%Y-%m-%d}", f"{at:%b} {at.day}") for at in instants]


@get(ROOM)
async def show(here: Here) -> Response[bytes]:
    """Show usage of a range or between two days, and who used most in a month."""
    which, first, last = here.query("range"), here.query("from"), here.query("to")
    model = here.query("model")[:200]
    error: Refusal | None = None
    found: dict[str, Any] = {}
    try:
        span = _span(here, which, first, last)
        found = await _found(here, span, model)
        first, last = _days(span)["from"], _days(span)["to"]
    except InnoError as refused:
        error = about_a_filter(refused)
    models = [*here.inside.settings.models, *(bucket["model"] for bucket in found.get("by_model", ()))]
    return here.page(
        "usage/usage.html",
        status=200 if error is None else error.kind.status,
        found=found,
        ranges=RANGES,
        chosen="" if here.query("from") or here.query("to") else which if which in RANGES else DEFAULT_RANGE,
        first=first,
        last=last,
        model=model,
        models=[("", "Every model"), *((name, name) for name in dict.fromkeys([*models, model]) if name)],
        error=error,
    )


async def _found(here: Visit, span: Span, model: str) -> dict[str, Any]:
    """What the page shows of a time."""
    by_model = await _all(here, {**span.query, "group_by": "model", "model": model})
    month = here.query("month")[:7]
    keys = await here.get("/v1/billing/top", by="key", month=month, limit=MOST)
    customers = await here.get("/v1/billing/top", by="customer", month=month, limit=MOST)
    return {
        "plots": await plots_of(here, span, model=model),
        "by_model": sorted(by_model, key=lambda bucket: -bucket["requests"]),
        "total": _total(by_model),
        "month": keys["month"],
        "keys": await _callers(here, keys["data"]),
        "customers": customers["data"],
        "cut_to": MOST_DAYS if span.is_cut else None,
        "exports": {
            title: here.link(f"{ROOM}/export", **_days(span), **grouped, model=model)
            for title, grouped in EXPORTS.items()
        },
    }


async def _callers(here: Visit, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, each with what its caller is called, and its page where the member may see it."""
    names: dict[str, str] = {}
    is_admin = here.may(ADMIN_FULL)
    if is_admin and any(_is_member(row) for row in rows):
        page = await here.get("/v1/members", limit=PER_PAGE)
        names = {member["id"]: member["name"] or member["email"] for member in page["data"]}
    return [
        {**row, "called": names.get(row["key_id"], "A member") + ", in the playground", "page": None}
        if _is_member(row)
        else {
            **row,
            "called": row["name"] or row["key_id"],
            "page": f"/settings/api-keys/{row['key_id']}" if is_admin else None,
        }
        for row in rows
    ]


def _is_member(row: dict[str, Any]) -> bool:
    return str(row["key_id"]).startswith("mem_")


@get(f"{ROOM}/export")
async def export(here: Here) -> Stream:
    """Usage between two days as a CSV file, which says in its name what it is of."""
    first, last, grouped = here.query("from"), here.query("to"), here.query("group_by")[:64]
    begins, ends = start_of(first), end_of(last)
    by = grouped.replace(",", "-") if grouped in _GROUPINGS else ""
    return await here.relay(
        "/v1/billing/usage",
        format="csv",
        file="-".join(filter(None, ("usage", by and f"by-{by}", first, last))) + ".csv",
        group_by=grouped,
        model=here.query("model")[:200],
        **{"from": begins, "to": ends},
    )


async def overview_of(here: Visit) -> dict[str, Any]:
    """What the overview shows: the figures and the plots of a range."""
    which = here.query("range")
    span = _span(here, which, "", "")
    return {
        "plots": await plots_of(here, span),
        "total": _total(await _all(here, {**span.query, "group_by": "model"})),
        "ranges": RANGES,
        "chosen": which if which in RANGES else DEFAULT_RANGE,
    }


async def plots_of(here: Visit, span: Span, *, model: str = "") -> list[Plot]:
    """Requests, tokens, cost and latency over the time."""
    found = await _all(here, {**span.query, "group_by": span.by, "model": model})
    buckets = {bucket[span.by]: bucket for bucket in found}
    names, labels = zip(*span.places, strict=True)

    def values(of: str) -> list[float]:
        return [float(buckets[name][of] or 0) if name in buckets else 0.0 for name in names]

    failures = values("failures")
    succeeded = [all_ - failed for all_, failed in zip(values("requests"), failures, strict=True)]
    currency = here.principal.account.currency
    requests = [Series("succeeded", "first", succeeded), Series("failed", "bad", failures)]
    tokens = [
        Series("in", "first", values("prompt_tokens")),
        Series("out", "second", values("completion_tokens")),
    ]
    cost = [Series(currency, "first", values("cost"))]
    took = [Series("ms", "second", values("mean_duration_ms"))]
    quick = "Each took less than a millisecond." if found else "No requests in this time."
    return [
        stacked("requests", "Requests", labels, requests, counted, "No requests in this time."),
        stacked("tokens", "Tokens", labels, tokens, counted, "No tokens in this time."),
        stacked("cost", f"Cost, {currency}", labels, cost, amount, "No cost in this time."),
        stacked("latency", "Mean duration, ms", labels, took, counted, quick),
    ]


async def _all(here: Visit, query: dict[str, str]) -> list[dict[str, Any]]:
    """The sums of several pages."""
    found: list[dict[str, Any]] = []
    cursor = None
    for _ in range(MOST_PAGES):
        page = await here.get("/v1/billing/usage", limit=PER_PAGE, cursor=cursor, **query)
        found += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    return found


def _span(here: Visit, which: str, first: str, last: str) -> Span:
    """Between two days, or else a range up to now."""
    today = midnight(here.inside.clock())
    if first or last:
        begins, ends = start_of(first), end_of(last)
        check_order(begins, ends)
        until = _instant(ends) if ends else today + timedelta(days=1)
        since = _instant(begins) if begins else until - timedelta(days=7)
        until = max(until, since + timedelta(days=1))
        shown = max(since, until - timedelta(days=MOST_DAYS))
        by = "hour" if until - shown <= timedelta(days=1) else "day"
        return Span(shown, until, by, is_cut=since < shown)
    if which == "today":
        return Span(today, today + timedelta(days=1), "hour")
    days = 30 if which == "30d" else 7
    return Span(today - timedelta(days=days - 1), today + timedelta(days=1), "day")


def _days(span: Span) -> dict[str, str]:
    """The span as the export takes it: its first and its last day."""
    return {"from": f"{span.since:%Y-%m-%d}", "to": f"{span.until - timedelta(seconds=1):%Y-%m-%d}"}


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _total(buckets: list[dict[str, Any]]) -> dict[str, Any]:
    total: dict[str, Any] = {name: sum(bucket[name] for bucket in buckets) for name in _SUMMED}
    total["cost"] = sum((Decimal(bucket["cost"]) for bucket in buckets), Decimal(0))
    took = [(bucket["requests"], bucket["mean_duration_ms"] or 0) for bucket in buckets]
    requests = total["requests"]
    total["mean_duration_ms"] = round(sum(n * mean for n, mean in took) / requests) if requests else None
    return total


HANDLERS = (show, export)
