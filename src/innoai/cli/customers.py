"""`innoai customers …`: the account's own end customers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from innoai.cli import arguments, output
from innoai.cli.flags import App
from innoai.cli.options import (
    BudgetMonthlyOption,
    BudgetTotalOption,
    CursorOption,
    IdempotencyKeyOption,
    LimitOption,
    SearchOption,
    YesOption,
)
from innoai.cli.session import Session, remote

app = App(help="Create, list, show, change, disable and delete your own customers.")

CustomerArgument = Annotated[
    str,
    typer.Argument(
        parser=arguments.customer_id,
        metavar="CUSTOMER_ID",
        help="Your own id for the customer, like customer-123.",
    ),
]
NameOption = Annotated[str | None, typer.Option(help="What people call the customer.")]
MetadataOption = Annotated[
    list[str] | None, typer.Option(metavar="NAME=VALUE", help="A member of its metadata. May be given again.")
]
RateLimitOption = Annotated[
    str | None,
    typer.Option(
        parser=arguments.rate_limit,
        metavar="N",
        help="Requests a minute of all its credentials together; none removes the limit.",
    ),
]


@app.command()
@remote
def create(
    session: Session,
    customer: CustomerArgument,
    name: NameOption = None,
    metadata: MetadataOption = None,
    rate_limit: RateLimitOption = None,
    budget_monthly: BudgetMonthlyOption = None,
    budget_total: BudgetTotalOption = None,
    idempotency_key: IdempotencyKeyOption = None,
) -> None:
    """Create a customer. A budget needs billing:write as well."""
    wanted = _changes(name, metadata, rate_limit, arguments.budgets(budget_monthly, budget_total))
    if idempotency_key is not None:
        wanted["idempotency_key"] = idempotency_key
    session.answer(session.client().customers.create(customer_id=customer, **wanted), _show_customer)


@app.command("list")
@remote
def list_customers(
    session: Session,
    limit: LimitOption = None,
    cursor: CursorOption = None,
    search: SearchOption = None,
) -> None:
    """List customers."""
    wanted = arguments.given({"limit": limit, "cursor": cursor, "search": search})
    session.answer(session.client().customers.list(**wanted), _show_page)


@app.command()
@remote
def show(session: Session, customer: CustomerArgument) -> None:
    """Show one customer."""
    session.answer(session.client().customers.get(customer), _show_customer)


@app.command()
@remote
def update(
    session: Session,
    customer: CustomerArgument,
    name: NameOption = None,
    metadata: MetadataOption = None,
    rate_limit: RateLimitOption = None,
    budget_monthly: BudgetMonthlyOption = None,
    budget_total: BudgetTotalOption = None,
) -> None:
    """Change a customer; what is not given stays, but --metadata replaces all. Budgets: billing:write too."""
    changes = _changes(name, metadata, rate_limit, arguments.budgets(budget_monthly, budget_total))
    if not changes:
        raise typer.BadParameter("nothing to change; give an option", param_hint="--name")
    session.answer(session.client().customers.update(customer, **changes), _show_customer)


@app.command()
@remote
def disable(session: Session, customer: CustomerArgument) -> None:
    """Refuse the customer's keys and tokens until it is enabled again."""
    session.answer(session.client().customers.update(customer, disabled=True), _show_customer)


@app.command()
@remote
def enable(session: Session, customer: CustomerArgument) -> None:
    """Admit a disabled customer again."""
    session.answer(session.client().customers.update(customer, disabled=False), _show_customer)


@app.command()
@remote
def delete(
    session: Session,
    customer: CustomerArgument,
    yes: YesOption = False,
) -> None:
    """Delete a customer. Without a terminal nothing is asked."""
    client = session.client()
    session.confirm(f"Delete customer {customer}? This cannot be undone.", yes=yes)
    client.customers.delete(customer)
    session.done(f"deleted {customer}")


def _changes(
    name: str | None, metadata: list[str] | None, rate_limit: str | None, budgets: dict[str, str | None]
) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if name is not None:
        changes["name"] = name
    if metadata:
        changes["metadata"] = arguments.metadata(metadata)
    if rate_limit is not None:
        changes["rate_limit"] = arguments.requests_a_minute(rate_limit)
    if budgets:
        changes["budgets"] = budgets
    return changes


def _show_customer(customer: dict[str, Any]) -> None:
    names = (
        "customer_id",
        "id",
        "name",
        "disabled",
        "metadata",
        "rate_limit",
        "budgets",
        "created_at",
        "updated_at",
    )
    output.write_fields({name: customer.get(name) for name in names})


def _show_page(page: dict[str, Any]) -> None:
    columns = ("customer_id", "id", "name", "disabled", "metadata", "created_at")
    rows = [[customer.get(column) for column in columns] for customer in output.members(page)]
    output.write_table(columns, rows)
