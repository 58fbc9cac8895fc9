"""/v1/billing/statements: what each customer used in a month, for the account's own invoices."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from litestar import Response, get
from msgspec import Meta

from innoai import money
from innoai.access.budgets import month_of
from innoai.api.admission import Caller, Inside
from innoai.api.billing import (
    MONTH_PATTERN,
    Currency,
    Format,
    Month,
    Sums,
    bounds_of,
    day_of,
    sums_of,
    visible_customers,
)
from innoai.api.csv_export import EXPORT_PAGE, csv_answer
from innoai.api.money import AmountText
from innoai.api.services import Services
from innoai.api.wire import JsonRequest, Limit, Page, answer, cut, read_query
from innoai.auth.shapes import CustomerId
from innoai.door import Admission
from innoai.errors import InnoError
from innoai.store import billing, customers
from innoai.store.billing import Selection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection

_is_month = re.compile(MONTH_PATTERN, re.ASCII).match


class StatementQuery(msgspec.Struct, frozen=True):
    """Which statements to list, the newest month first."""

    month: Month | None = None
    customer_id: CustomerId | None = None
    limit: Limit = 20
    cursor: (
        Annotated[
            str,
            Meta(
                max_length=136,
                pattern=r"^2[0-9]{3}-(0[1-9]|1[0-2])_[A-Za-z0-9._~:@+=|-]+$(?!\n)",
                description="the next_cursor of the page before",
            ),
        ]
        | None
    ) = None
    format: Format = "json"


class OneStatementQuery(msgspec.Struct, frozen=True):
    """How to show a statement."""

    format: Annotated[Literal["json", "csv"], Meta(description="csv is its lines")] = "json"


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer used in a month; `open` while the month lasts."""

    object: Literal["statement"] = "statement"
    customer_id: str
    month: Month
    status: Annotated[str, Meta(extra_json_schema={"enum": ["open", "closed"]})]
    currency: Currency
    requests: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: AmountText


class StatementLine(Sums, frozen=True, kw_only=True):
    """What was used of a model on a day."""

    day: Annotated[str, Meta(description="a date in UTC", extra_json_schema={"format": "date"})]
    model: str | None


class WholeStatement(Statement, frozen=True, kw_only=True):
    """A statement with its lines, a day and a model each."""

    lines: list[StatementLine]


class StatementPage(Page, frozen=True, kw_only=True):
    """A page of statements."""

    data: list[Statement]


_LIST_COLUMNS = tuple(name for name in Statement.__struct_fields__ if name != "object")
_LINE_COLUMNS = ("day", "model", *Sums.__struct_fields__)


@get("/v1/billing/statements")
async def list_statements(request: JsonRequest, services: Inside, caller: Caller) -> Response[Any]:
    """List the customers' monthly statements; a customer's token sees its own customer's."""
    query = read_query(request, StatementQuery)
    if query.format == "csv":
        return await csv_answer("statements", _LIST_COLUMNS, _all_statements(services, query, caller))
    after = None if query.cursor is None else (query.cursor[:7], query.cursor[8:])
    found = await _read(services, query, caller, query.limit + 1, after)
    shown, next_cursor = cut(found, query.limit, lambda last: f"{last.month}_{last.customer_id}")
    return answer(StatementPage(data=list(shown), next_cursor=next_cursor))


@get("/v1/billing/statements/{month:str}/{customer_id:str}")
async def get_statement(
    month: str, customer_id: str, request: JsonRequest, services: Inside, caller: Caller
) -> Response[Any]:
    """Show one statement with its lines, or download these."""
    query = read_query(request, OneStatementQuery)
    if _is_month(month) is None:
        raise InnoError("invalid_request", "month: write a year and a month, such as 2026-11.", param="month")
    if month > month_of(services.clock()):
        raise InnoError("not_found", "That month has not begun, so it has no statement yet.", param="month")
    account = caller.principal.account
    since, until = bounds_of(month)
    async with services.database.report() as connection:
        visible = await _known_customers(connection, caller, customer_id)
        selection = Selection(account.id, since, until, customers=visible)
        buckets = await billing.buckets(connection, selection, ("day", "model"))
    lines = [
        StatementLine(day=day_of(day), model=str(model) or None, **sums_of(totals))
        for (day, model), totals, _ in buckets
    ]
    if query.format == "csv":
        return await csv_answer(f"statement-{month}", _LINE_COLUMNS, _one_page(lines))
    total = billing.together(bucket.totals for bucket in buckets)
    record = billing.Statement(
        month,
        customer_id,
        total.requests,
        total.prompt_tokens,
        total.cached_tokens,
        total.completion_tokens,
        total.cost,
    )
    shown = _show(record, services, caller)
    return answer(WholeStatement(**msgspec.structs.asdict(shown), lines=lines))


async def _read(
    services: Services, query: StatementQuery, caller: Admission, limit: int, after: tuple[str, str] | None
) -> list[Statement]:
    own = caller.principal.customer
    async with services.database.report() as connection:
        found = await billing.statements(
            connection,
            caller.principal.account.id,
            limit=limit,
            month=query.month,
            customer_id=query.customer_id,
            only=None if own is None else own.id,
            after=after,
        )
    return [_show(record, services, caller) for record in found]


async def _all_statements(
    services: Services, query: StatementQuery, caller: Admission
) -> AsyncIterator[list[Statement]]:
    after = None
    while True:
        found = await _read(services, query, caller, EXPORT_PAGE, after)
        yield found
        if len(found) < EXPORT_PAGE:
            return
        after = (found[-1].month, found[-1].customer_id)


async def _one_page(lines: list[StatementLine]) -> AsyncIterator[list[StatementLine]]:
    yield lines


async def _known_customers(
    connection: AsyncConnection, caller: Admission, customer_id: str
) -> tuple[str, ...]:
    """Our ids of the customer that the path names, who is there or has been.

    Raises:
        InnoError: not_found, also where it is not the caller's to see.
    """
    visible = await visible_customers(connection, caller, customer_id)
    if visible:
        return visible
    account_id = caller.principal.account.id
    if caller.principal.customer is None and await customers.find(connection, account_id, customer_id):
        return ()
    raise InnoError("not_found", "No customer has that customer_id. GET /v1/customers lists them.")


def _show(record: billing.Statement, services: Services, caller: Admission) -> Statement:
    return Statement(
        customer_id=record.customer_id,
        month=record.month,
        status="closed" if record.month < month_of(services.clock()) else "open",
        currency=caller.principal.account.currency,
        requests=record.requests,
        prompt_tokens=record.prompt_tokens,
        cached_tokens=record.cached_tokens,
        completion_tokens=record.completion_tokens,
        cost=money.show(record.cost),
    )
