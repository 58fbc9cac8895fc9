"""/billing: what the month came to, budgets, when to be told of them, and the customers' statements."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.response import Stream

from innoai.access.scopes import BILLING_WRITE
from innoai.access.tiers import STATEMENTS
from innoai.dashboard import edits
from innoai.dashboard.customers import is_known
from innoai.dashboard.forms import PERIODS, Form, budgets, whole_numbers
from innoai.dashboard.refusals import about_a_field, about_a_filter
from innoai.dashboard.visit import Here
from innoai.errors import InnoError, Refusal

ROOM = "/billing"
SETTINGS = f"{ROOM}/settings"
LIST = f"{ROOM}/statements"
ONE = f"{LIST}/{{month:str}}/{{customer_id:str}}"
PER_PAGE = 50
_FIELDS = ("currency", "monthly", "total", "alert_thresholds")


@get(ROOM)
async def show(here: Here) -> Response[bytes]:
    """Show what the month came to and how the budgets stand."""
    month = here.query("month")
    error: Refusal | None = None
    summary = None
    try:
        summary = await here.get("/v1/billing/summary", month=month[:16])
    except InnoError as refused:
        error = about_a_filter(refused)
    return here.page(
        "billing/summary.html",
        status=200 if error is None else error.kind.status,
        summary=summary,
        month=summary["month"] if summary else month,
        settings=await here.get("/v1/billing/settings"),
        has_statements=STATEMENTS in here.principal.account.features,
        may_write=here.may(BILLING_WRITE),
        error=error,
    )


@get(SETTINGS)
async def show_settings(here: Here) -> Response[bytes]:
    """Show the form of currency, budgets and thresholds."""
    settings = await here.get("/v1/billing/settings")
    values = _values_of(settings)
    return _settings(here, settings, values, values, None)


@post(SETTINGS, status_code=200)
async def change_settings(here: Here) -> Response[Any]:
    """Change currency, budgets and thresholds: what is not as it was shown."""
    settings = await here.get("/v1/billing/settings")
    shown = edits.shown_by(here.form, _values_of(settings))
    try:
        await here.patch("/v1/billing/settings", _change(here.form, shown))
    except InnoError as error:
        typed = {name: here.form.raw(name) for name in shown}
        return _settings(here, settings, typed, shown, error.refusal)
    return here.redirect(ROOM, notice="billing-changed")


@get(LIST)
async def show_statements(here: Here) -> Response[bytes]:
    """Show the customers' statements, the newest month first."""
    kept = _filters(here)
    cursor = here.query("cursor")
    error: Refusal | None = None
    page: dict[str, Any] = {"data": [], "next_cursor": None}
    try:
        page = await here.get("/v1/billing/statements", limit=PER_PAGE, cursor=cursor, **kept)
    except InnoError as refused:
        error = about_a_filter(refused)
    return here.page(
        "billing/statements.html",
        status=200 if error is None else error.kind.status,
        error=error,
        statements=page["data"],
        **here.further(LIST, page, **kept),
        export=here.link(f"{LIST}/export", **kept),
        filters=kept,
    )


@get(f"{LIST}/export")
async def export_statements(here: Here) -> Stream:
    """All statements that the filters leave, as a CSV file."""
    return await here.relay("/v1/billing/statements", format="csv", **_filters(here))


@get(ONE)
async def show_statement(month: str, customer_id: str, here: Here) -> Response[bytes]:
    """Show a statement with its lines. A customer that was deleted keeps those in which something stands."""
    statement = await here.get(
        "/v1/billing/statements/{month}/{customer_id}", month=month, customer_id=customer_id
    )
    has_page = await is_known(here, customer_id)
    if not has_page and not statement["lines"]:
        raise InnoError("not_found", "There is no statement of such a customer.")
    return here.page("billing/statement.html", statement=statement, has_page=has_page)


@get(f"{ONE}/export")
async def export_statement(month: str, customer_id: str, here: Here) -> Stream:
    """The lines of a statement as a CSV file."""
    return await here.relay(
        "/v1/billing/statements/{month}/{customer_id}", format="csv", month=month, customer_id=customer_id
    )


def _settings(
    here: Here,
    settings: dict[str, Any],
    values: dict[str, str],
    shown: dict[str, str],
    error: Refusal | None,
) -> Response[bytes]:
    """The form. `values` stand in it now, `shown` is what it began with."""
    return here.page(
        "billing/settings.html",
        status=200 if error is None else error.kind.status,
        settings=settings,
        values=values,
        shown=edits.as_field(shown),
        error=about_a_field(error),
        fields=_FIELDS,
        may_write=here.may(BILLING_WRITE),
    )


def _change(form: Form, shown: dict[str, str]) -> dict[str, Any]:
    changed = edits.touched({name: form.raw(name) for name in shown}, shown)
    periods = [period for period in PERIODS if period in changed]
    body: dict[str, Any] = {"budgets": budgets(form, periods)} if periods else {}
    if "currency" in changed:
        body["currency"] = form.text("currency")
    if "alert_thresholds" in changed:
        body["alert_thresholds"] = whole_numbers(form, "alert_thresholds", "percent")
    return body


def _values_of(settings: dict[str, Any]) -> dict[str, str]:
    return {
        "currency": settings["currency"],
        "monthly": settings["budgets"]["monthly"] or "",
        "total": settings["budgets"]["total"] or "",
        "alert_thresholds": ", ".join(map(str, settings["alert_thresholds"])),
    }


def _filters(here: Here) -> dict[str, str]:
    kept = {"month": here.query("month")[:16], "customer_id": here.query("customer_id")[:128]}
    return {name: value for name, value in kept.items() if value}


HANDLERS = (
    show,
    show_settings,
    change_settings,
    show_statements,
    export_statements,
    show_statement,
    export_statement,
)
