"""/v1/billing: usage, summaries, settings and statements."""

from __future__ import annotations

from typing import Any

from innoai.api import billing, statements, top, usage
from innoai.api.csv_export import CSV
from innoai.api.operations.operation import CUSTOMER_ID, KEY_ID, MODEL, MONTH, NOW, Body, Operation, json
from innoai.api.wire import JSON

_SUMS: dict[str, Any] = {
    "requests": 40,
    "failures": 1,
    "prompt_tokens": 12000,
    "cached_tokens": 2000,
    "completion_tokens": 8000,
    "cost": "0.0064",
}
_RECORD = {
    "object": "usage_record",
    "request_id": "req_0UySTdUKAbcdefghijklmn",
    "at": NOW,
    "account_id": "acc_0UySTdUJZ4tW7QnXvLcM2B",
    "key_id": KEY_ID,
    "customer_id": CUSTOMER_ID,
    "route": "/v1/chat/completions",
    "model": MODEL,
    "upstream": "https://models.example/v1",
    "status": 200,
    "outcome": "complete",
    "prompt_tokens": 300,
    "cached_tokens": 50,
    "completion_tokens": 200,
    "cost": "0.00016",
    "estimated": False,
    "duration_ms": 812,
    "time_to_first_token_ms": 140,
}
_STATEMENT: dict[str, Any] = {
    "object": "statement",
    "customer_id": CUSTOMER_ID,
    "month": MONTH,
    "status": "open",
    "currency": "USD",
    **{name: value for name, value in _SUMS.items() if name != "failures"},
}
_SETTINGS: dict[str, Any] = {
    "object": "billing_settings",
    "currency": "USD",
    "currencies": ["USD", "EUR"],
    "budgets": {"monthly": "500", "total": None},
    "alert_thresholds": [80, 100],
}

BILLING: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/billing/usage",
        "list_usage",
        "billing",
        "List what was used, request by request or added up",
        Body(
            {JSON: usage.UsagePage, CSV: str},
            {
                "object": "list",
                "data": [_RECORD],
                "next_cursor": None,
                "from": "2026-11-01T00:00:00Z",
                "to": "2026-12-01T00:00:00Z",
                "currency": "USD",
            },
        ),
        query=usage.UsageQuery,
        query_example={"from": "2026-11-01", "limit": 20},
    ),
    Operation(
        "GET",
        "/v1/billing/top",
        "list_top_usage",
        "billing",
        "List which keys or customers used most in a month",
        json(
            top.TopPage,
            {
                "object": "list",
                "data": [
                    {
                        "key_id": KEY_ID,
                        "name": "Production",
                        "customer_id": None,
                        **{name: value for name, value in _SUMS.items() if name != "failures"},
                    }
                ],
                "next_cursor": None,
                "month": MONTH,
                "currency": "USD",
            },
        ),
        query=top.TopQuery,
        query_example={"by": "key", "month": MONTH, "limit": 20},
    ),
    Operation(
        "GET",
        "/v1/billing/summary",
        "show_billing_summary",
        "billing",
        "Say what a month came to, and how the budgets stand",
        json(
            billing.BillingSummary,
            {
                "object": "billing_summary",
                "month": MONTH,
                "currency": "USD",
                "totals": _SUMS,
                "models": [{"model": MODEL, **_SUMS}],
                "budgets": [
                    {
                        "subject_id": "acc_0UySTdUJZ4tW7QnXvLcM2B",
                        "customer_id": None,
                        "key_id": None,
                        "period": MONTH,
                        "budget": "500",
                        "spent": "0.0064",
                        "held": "0",
                        "remaining": "499.9936",
                    }
                ],
            },
        ),
        query=billing.SummaryQuery,
        query_example={"month": MONTH},
    ),
    Operation(
        "GET",
        "/v1/billing/settings",
        "show_billing_settings",
        "billing",
        "Show the account's currency, budgets and alert thresholds",
        json(billing.BillingSettings, _SETTINGS),
    ),
    Operation(
        "PATCH",
        "/v1/billing/settings",
        "change_billing_settings",
        "billing",
        "Change the account's currency, budgets or alert thresholds",
        json(billing.BillingSettings, {**_SETTINGS, "alert_thresholds": [50, 80, 100]}),
        body=json(billing.ChangeSettings, {"budgets": {"monthly": "500"}, "alert_thresholds": [50, 80, 100]}),
        errors=("conflict",),
    ),
    Operation(
        "PUT",
        "/v1/billing/settings",
        "replace_billing_settings",
        "billing",
        "Set the account's currency, budgets and alert thresholds as a whole",
        json(billing.BillingSettings, _SETTINGS),
        body=json(
            billing.ReplaceSettings,
            {"currency": "USD", "budgets": {"monthly": "500"}, "alert_thresholds": [80, 100]},
        ),
        errors=("conflict",),
    ),
    Operation(
        "GET",
        "/v1/billing/statements",
        "list_statements",
        "billing",
        "List the customers' monthly statements, the newest month first",
        Body(
            {JSON: statements.StatementPage, CSV: str},
            {"object": "list", "data": [_STATEMENT], "next_cursor": None},
        ),
        query=statements.StatementQuery,
        query_example={"month": MONTH},
    ),
    Operation(
        "GET",
        "/v1/billing/statements/{month}/{customer_id}",
        "get_statement",
        "billing",
        "Show a customer's statement with a line for each day and model",
        Body(
            {JSON: statements.WholeStatement, CSV: str},
            {**_STATEMENT, "lines": [{"day": "2026-11-24", "model": MODEL, **_SUMS}]},
        ),
        query=statements.OneStatementQuery,
        query_example={"format": "json"},
    ),
)
