"""`innoai billing …`: what was used, what it cost, and what may be spent."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import typer

from innoai.cli import arguments, download, output
from innoai.cli.flags import App
from innoai.cli.options import (
    BudgetMonthlyOption,
    BudgetTotalOption,
    CsvOption,
    CursorOption,
    CustomerOption,
    FromOption,
    LimitOption,
    MonthOption,
    ToOption,
)
from innoai.cli.session import Session, remote

app = App(help="Usage, costs, budgets and your customers' monthly statements.")

KeyOption = Annotated[
    str | None, typer.Option(parser=arguments.key_id, metavar="KEY_ID", help="Only this key's.")
]

_TOTALS = ("requests", "failures", "prompt_tokens", "cached_tokens", "completion_tokens", "cost")
_GROUPS = ("day", "hour", "model", "key_id", "customer_id")
_RECORD = ("at", "model", "key_id", "customer_id", "status", "prompt_tokens", "completion_tokens", "cost")
_STATEMENT = (
    "month",
    "customer_id",
    "status",
    "requests",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "cost",
)


class Top(Enum):
    """Whose usage is compared."""

    KEY = "key"
    CUSTOMER = "customer"


@app.command()
@remote
def usage(
    session: Session,
    start: FromOption = None,
    end: ToOption = None,
    group_by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GROUP", help="Sums by day, hour, model, key or customer; several with commas, or again."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Only this model's.")] = None,
    key: KeyOption = None,
    customer: CustomerOption = None,
    limit: LimitOption = None,
    cursor: CursorOption = None,
    csv: CsvOption = None,
) -> None:
    """Show usage, of this month without --from: each request, or sums of whole hours with --group-by."""
    wanted = arguments.given(
        {
            "from_": start,
            "to": end,
            "group_by": [group for groups in group_by or () for group in groups.split(",")],
            "model": model,
            "key_id": key,
            "customer_id": customer,
        }
    )
    part = arguments.given({"limit": limit, "cursor": cursor})
    if csv is None:
        session.answer(session.client().billing.usage(**wanted, **part), _show_usage)
    else:
        _refuse_part(part)
        download.save(session, session.client().billing.usage_csv(**wanted), csv)


@app.command()
@remote
def summary(
    session: Session, month: MonthOption = None, customer: CustomerOption = None, key: KeyOption = None
) -> None:
    """Show a month's costs, in total and by model, and how far the budgets are used."""
    wanted = arguments.given({"month": month, "customer_id": customer, "key_id": key})
    session.answer(session.client().billing.summary(**wanted), _show_summary)


@app.command()
@remote
def top(
    session: Session,
    by: Annotated[Top, typer.Option(help="Keys or customers.")] = Top.KEY,
    month: MonthOption = None,
    limit: LimitOption = None,
) -> None:
    """List which keys or customers made the most requests in a month."""
    wanted = arguments.given({"month": month, "limit": limit})
    session.answer(session.client().billing.top(by=by.value, **wanted), _show_top)


@app.command()
@remote
def settings(session: Session) -> None:
    """Show the account's currency, budgets and alert thresholds."""
    session.answer(session.client().billing.settings(), _show_settings)


@app.command("set")
@remote
def set_settings(
    session: Session,
    currency: Annotated[
        str | None, typer.Option(metavar="CODE", help="Like USD; final once anything was charged.")
    ] = None,
    budget_monthly: BudgetMonthlyOption = None,
    budget_total: BudgetTotalOption = None,
    alert_threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PERCENT",
            help="How much of a budget sends an event, 1 to 100. Several with commas, or given again.",
        ),
    ] = None,
    no_alerts: Annotated[bool, typer.Option("--no-alerts", help="Send no event about any budget.")] = False,
) -> None:
    """Change the account's currency, budgets or alert thresholds; what is not given stays."""
    if no_alerts and alert_threshold:
        raise typer.BadParameter("give --alert-threshold or --no-alerts, not both", param_hint="--no-alerts")
    changes = arguments.given(
        {
            "currency": currency,
            "budgets": arguments.budgets(budget_monthly, budget_total),
            "alert_thresholds": arguments.percentages(alert_threshold, "--alert-threshold"),
        }
    )
    if no_alerts:
        changes["alert_thresholds"] = []
    if not changes:
        raise typer.BadParameter("nothing to change; give an option", param_hint="--budget-monthly")
    session.answer(session.client().billing.update_settings(**changes), _show_settings)


@app.command()
@remote
def statements(
    session: Session,
    month: MonthOption = None,
    customer: CustomerOption = None,
    limit: LimitOption = None,
    cursor: CursorOption = None,
    csv: CsvOption = None,
) -> None:
    """List your customers' monthly statements."""
    wanted = arguments.given({"month": month, "customer_id": customer})
    part = arguments.given({"limit": limit, "cursor": cursor})
    if csv is None:
        session.answer(session.client().billing.statements(**wanted, **part), _show_statements)
    else:
        _refuse_part(part)
        download.save(session, session.client().billing.statements_csv(**wanted), csv)


@app.command()
@remote
def statement(
    session: Session,
    month: Annotated[
        str, typer.Argument(parser=arguments.month, metavar="MONTH", help="A calendar month, like 2026-11.")
    ],
    customer: Annotated[
        str,
        typer.Argument(
            parser=arguments.customer_id, metavar="CUSTOMER_ID", help="Your own id for the customer."
        ),
    ],
    csv: CsvOption = None,
) -> None:
    """Show a customer's statement of a month, by day and model."""
    if csv is None:
        session.answer(session.client().billing.statement(month, customer), _show_statement)
    else:
        download.save(session, session.client().billing.statement_csv(month, customer), csv)


def _refuse_part(part: dict[str, Any]) -> None:
    if part:
        raise typer.BadParameter("a CSV file has all of it, without --limit and --cursor", param_hint="--csv")


def _show_usage(page: dict[str, Any]) -> None:
    found = output.members(page)
    columns: tuple[str, ...] = _RECORD
    if any(row.get("object") == "usage_bucket" for row in found):
        columns = (*(group for group in _GROUPS if group in found[0]), *_TOTALS)
    period = " to ".join(output.cell(page.get(end)) for end in ("from", "to"))
    title = f"{period}, costs in {output.cell(page.get('currency'))}"
    output.write_table(columns, [[row.get(column) for column in columns] for row in found], title=title)


def _show_top(page: dict[str, Any]) -> None:
    columns = ("key_id", "name", "customer_id", "requests", "prompt_tokens", "completion_tokens", "cost")
    rows = [[row.get(column) for column in columns] for row in output.members(page)]
    output.write_table(columns, rows)


def _show_summary(summary: dict[str, Any]) -> None:
    totals = summary.get("totals")
    shown = totals if isinstance(totals, dict) else {}
    output.write_fields(
        {
            "month": summary.get("month"),
            "currency": summary.get("currency"),
            **{name: shown.get(name) for name in _TOTALS},
        }
    )
    _show_part(summary, "models", "Models", ("model", *_TOTALS))
    budget = ("subject_id", "customer_id", "period", "budget", "spent", "held", "remaining")
    _show_part(summary, "budgets", "Budgets", budget)


def _show_part(answer: dict[str, Any], member: str, title: str, columns: tuple[str, ...]) -> None:
    rows = [[row.get(column) for column in columns] for row in output.members(answer, member)]
    if rows:
        output.write_line("")
        output.write_table(columns, rows, title=title)


def _show_settings(settings: dict[str, Any]) -> None:
    names = ("currency", "currencies", "budgets", "alert_thresholds")
    output.write_fields({name: settings.get(name) for name in names})


def _show_statements(page: dict[str, Any]) -> None:
    columns = (*_STATEMENT, "currency")
    rows = [[row.get(column) for column in columns] for row in output.members(page)]
    output.write_table(columns, rows)


def _show_statement(statement: dict[str, Any]) -> None:
    output.write_fields({name: statement.get(name) for name in (*_STATEMENT, "currency")})
    _show_part(statement, "lines", "Lines", ("day", "model", *_TOTALS))
