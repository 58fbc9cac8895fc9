"""What was used, what it cost, and what may be spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from openai import Omit, omit

from innoai.sdk.calls.call import (
    BudgetChanges,
    Call,
    Listing,
    Moment,
    amounts,
    given,
    joined,
    known,
    moment,
    segment,
)
from innoai.sdk.models.billing import (
    BillingSettings,
    BillingSummary,
    Statement,
    TopUsage,
    UsageBucket,
    UsageRecord,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

GroupName = Literal["day", "hour", "model", "key", "customer"]

_CSV = {"Accept": "text/csv"}


class UsageFilter(TypedDict, total=False):
    """Which usage. from_, to: by default from the start of the month until now."""

    from_: Moment
    to: Moment
    model: str
    key_id: str
    customer_id: str


class UsagePages(UsageFilter, total=False):
    """Which usage, and which part of the list. limit: items a page, 1-100."""

    limit: int
    cursor: str


def usage(
    group_by: Sequence[GroupName] | None, **pages: Unpack[UsagePages]
) -> Listing[UsageRecord] | Listing[UsageBucket]:
    """The usage of a time: its records, or with group_by their sums."""
    query = _query(pages, group_by)
    if group_by is None:
        return Listing("/billing/usage", UsageRecord, query)
    return Listing("/billing/usage", UsageBucket, query)


def usage_csv(*, group_by: Sequence[GroupName] | None = None, **which: Unpack[UsageFilter]) -> Call[bytes]:
    """The same as one CSV file, however long; it is read as it comes."""
    query = {**_query(which, group_by), "format": "csv"}
    return Call("get", "/billing/usage", bytes, query=query, headers=_CSV)


def top(
    *, by: Literal["key", "customer"] | None = None, month: str | None = None, limit: int | None = None
) -> Listing[TopUsage]:
    """Which keys, or customers, made the most requests in a month, those first. limit: 1-100."""
    return Listing("/billing/top", TopUsage, known(by=by, month=month, limit=limit))


def summary(
    *, month: str | None = None, customer_id: str | None = None, key_id: str | None = None
) -> Call[BillingSummary]:
    """A month's usage in total and by model, and how far the budgets are used.

    month: `2026-11`, by default the current one (UTC). customer_id or key_id: of these alone.
    """
    query = known(month=month, customer_id=customer_id, key_id=key_id)
    return Call("get", "/billing/summary", BillingSummary, query=query)


def settings() -> Call[BillingSettings]:
    """The account's currency, budgets and alert thresholds."""
    return Call("get", "/billing/settings", BillingSettings)


def update_settings(
    *,
    currency: str | Omit = omit,
    budgets: BudgetChanges | Omit = omit,
    alert_thresholds: Sequence[int] | Omit | None = omit,
) -> Call[BillingSettings]:
    """Change what is given and leave the rest.

    currency: final once anything was charged. alert_thresholds: percent of a budget, 1-100, or none at
    all; None is the server's default.
    """
    body = given(currency=currency, budgets=amounts(budgets), alert_thresholds=alert_thresholds)
    return Call("patch", "/billing/settings", BillingSettings, body)


def statements(
    *,
    month: str | None = None,
    customer_id: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Listing[Statement]:
    """The customers' monthly statements. limit: statements a page, 1-100."""
    query = known(month=month, customer_id=customer_id, limit=limit, cursor=cursor)
    return Listing("/billing/statements", Statement, query)


def statements_csv(*, month: str | None = None, customer_id: str | None = None) -> Call[bytes]:
    """The same as one CSV file; it is read as it comes."""
    query = known(month=month, customer_id=customer_id, format="csv")
    return Call("get", "/billing/statements", bytes, query=query, headers=_CSV)


def statement(month: str, customer_id: str) -> Call[Statement]:
    """A customer's statement of a month (`2026-11`), with its `lines` by day and model."""
    return Call("get", _statement_path(month, customer_id), Statement)


def statement_csv(month: str, customer_id: str) -> Call[bytes]:
    """The statement's lines as a CSV file; it is read as it comes."""
    path = _statement_path(month, customer_id)
    return Call("get", path, bytes, query={"format": "csv"}, headers=_CSV)


def _query(which: UsageFilter, group_by: Sequence[GroupName] | None = None) -> dict[str, Any]:
    query: dict[str, Any] = dict(which)
    begin, end = moment("from_", query.pop("from_", None)), moment("to", query.pop("to", None))
    return known(**{"from": begin}, to=end, group_by=joined("group_by", group_by), **query)


def _statement_path(month: str, customer_id: str) -> str:
    return f"/billing/statements/{segment('month', month)}/{segment('customer_id', customer_id)}"
