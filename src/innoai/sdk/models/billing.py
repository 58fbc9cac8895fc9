"""What was used, what it cost, and what may be spent. Durations are milliseconds."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (pydantic reads it)
from typing import Literal

from innoai.sdk.models.money import Amount, Budgets, WithAmounts


class UsageRecord(WithAmounts):
    """One finished request.

    cost: None where nothing was charged. estimated: the upstream did not say how many tokens it were.
    """

    object: Literal["usage_record"]
    request_id: str
    at: datetime
    account_id: str
    key_id: str | None
    customer_id: str | None
    route: str
    model: str | None
    upstream: str | None
    status: int
    outcome: str
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    cost: Amount | None
    estimated: bool
    duration_ms: int
    time_to_first_token_ms: int | None


class Totals(WithAmounts):
    """Usage added up."""

    requests: int
    failures: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: Amount


class UsageBucket(Totals):
    """The usage of one group; the members that it was not grouped by are None."""

    object: Literal["usage_bucket"]
    mean_duration_ms: int | None = None
    day: str | None = None
    hour: str | None = None
    model: str | None = None
    key_id: str | None = None
    customer_id: str | None = None


class TopUsage(WithAmounts):
    """What a key or a customer used in a month."""

    key_id: str | None
    name: str | None
    customer_id: str | None
    requests: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: Amount


class ModelTotals(Totals):
    """The usage of one model."""

    model: str | None


class BudgetUse(WithAmounts):
    """A budget and how far it is used. period: `2026-11`, or `total`. held: for requests under way."""

    subject_id: str
    customer_id: str | None
    key_id: str | None
    period: str
    budget: Amount
    spent: Amount
    held: Amount
    remaining: Amount


class BillingSummary(WithAmounts):
    """A month's usage in total and by model, and how far the budgets are used."""

    object: Literal["billing_summary"]
    month: str
    currency: str
    totals: Totals
    models: list[ModelTotals]
    budgets: list[BudgetUse]


class BillingSettings(WithAmounts):
    """currencies: what `currency` may be. alert_thresholds: percent of a budget."""

    object: Literal["billing_settings"]
    currency: str
    currencies: list[str]
    budgets: Budgets
    alert_thresholds: list[int]


class StatementLine(Totals):
    """The usage of one model on one day."""

    day: str
    model: str | None


class Statement(WithAmounts):
    """A customer's month. `lines` come with a single statement only."""

    object: Literal["statement"]
    customer_id: str
    month: str
    status: Literal["open", "closed"]
    currency: str
    requests: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: Amount
    lines: list[StatementLine] | None = None
