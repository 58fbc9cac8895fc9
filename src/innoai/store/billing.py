"""What was used, as it is reported: records by their indexes, and everything else from the sums.

No report reads the records but the list of the records themselves: hours are added up in usage_hours
as they arrive, months in spending.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sqlalchemy import Integer, func, literal, literal_column, select, tuple_

from innoai.store.tables import spending, usage_hours, usage_records, usage_totals
from innoai.store.usage import COLUMNS, HOUR, UsageRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import ColumnElement, Select, Table
    from sqlalchemy.ext.asyncio import AsyncConnection

GroupName = Literal["day", "hour", "model", "key", "customer"]
HOURS_PER_DAY = 24
_SUMMED = ("requests", "failures", "prompt_tokens", "cached_tokens", "completion_tokens", "cost")
_RECORD_COLUMNS = [usage_records.c[name] for name in COLUMNS]
# Their constants are no parameters, or Postgres would not see that they group by what they select.
_GROUPS: dict[GroupName, Callable[[Table], ColumnElement[Any]]] = {
    "day": lambda table: table.c.hour // literal_column(str(HOURS_PER_DAY), Integer),
    "hour": lambda table: table.c.hour,
    "model": lambda table: table.c.model,
    "key": lambda table: table.c.key_id,
    "customer": lambda table: func.coalesce(table.c.customer_id, literal_column("''")),
}
GROUPS: tuple[GroupName, ...] = tuple(_GROUPS)
"""In the order in which buckets are sorted."""
_OF_THE_WHOLE = frozenset(("day", "hour", "model"))
"""Groups that say nothing of a key or a customer: what they add up is in usage_totals, in few rows."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which usage: from the instant `since` to before `until`, in Unix seconds.

    `customers`: of these alone, by our ids (`cus_…`); a deleted customer and one that later got its
    customer_id are two.
    """

    account_id: str
    since: float
    until: float
    model: str | None = None
    key_id: str | None = None
    customers: tuple[str, ...] | None = None


class Totals(NamedTuple):
    """Usage added up; `cost` in billionths of the account's currency."""

    requests: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    cost: int = 0


class Bucket(NamedTuple):
    """The usage of a group: `of` has a value for each name that it was grouped by.

    A day is counted in days since the epoch, an hour in hours; a model or a customer may be empty.
    `duration_ms`: of all its requests together.
    """

    of: tuple[str | int, ...]
    totals: Totals
    duration_ms: float = 0.0


class Most(NamedTuple):
    """What a key or a customer used in a month."""

    who: str
    requests: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: int


class Statement(NamedTuple):
    """What a customer used in a month, such as 2026-11."""

    month: str
    customer_id: str
    requests: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: int


def together(several: Iterable[Totals]) -> Totals:
    """All of them added up."""
    return Totals(*map(sum, zip(Totals(), *several, strict=True)))


async def requests_of(connection: AsyncConnection, subjects: Sequence[str], month: str) -> dict[str, int]:
    """How many requests each account, customer or key made in a month; those without any are left out."""
    query = select(spending.c.subject, spending.c.requests).where(
        spending.c.subject.in_(subjects), spending.c.month == month
    )
    return {row.subject: row.requests for row in await connection.execute(query)}


async def most_of_keys(connection: AsyncConnection, account_id: str, month: str, limit: int) -> list[Most]:
    """The account's keys with the most requests of a month, by id."""
    sums = spending.c
    query = (
        select(sums.subject, *(sums[name] for name in Most._fields[1:]))
        .where(
            sums.account_id == account_id,
            sums.month == month,
            sums.customer_id.is_(None),
            sums.subject != account_id,
        )
        .order_by(sums.requests.desc(), sums.subject)
        .limit(limit)
    )
    return [Most(*row) for row in await connection.execute(query)]


async def most_of_customers(
    connection: AsyncConnection, account_id: str, month: str, limit: int
) -> list[Most]:
    """The same of customers, by customer_id: one that was deleted and made again is one."""
    who = spending.c.customer_id
    requests, *others = (_sum(spending, name) for name in Most._fields[1:])
    query = (
        select(who, requests, *others)
        .where(spending.c.account_id == account_id, spending.c.month == month, who.is_not(None))
        .group_by(who)
        .order_by(requests.desc(), who)
        .limit(limit)
    )
    return [Most(row[0], *map(int, row[1:])) for row in await connection.execute(query)]


async def customers_of(connection: AsyncConnection, account_id: str, customer_id: str) -> tuple[str, ...]:
    """All of the account's customers, our ids, that ever used anything under that id; deleted ones too."""
    query = select(spending.c.subject).where(
        spending.c.account_id == account_id, spending.c.customer_id == customer_id
    )
    return tuple((await connection.execute(query.distinct().order_by(spending.c.subject))).scalars())


async def records(
    connection: AsyncConnection,
    selection: Selection,
    *,
    limit: int,
    before: tuple[float, str] | None = None,
) -> list[UsageRecord]:
    """At most `limit` records, newest first, older than the one of that instant and request id."""
    started, request_id = usage_records.c.started_at, usage_records.c.request_id
    query = _selected(select(*_RECORD_COLUMNS), usage_records, selection).where(started >= selection.since)
    if before is None or before[0] >= selection.until:
        query = query.where(started < selection.until)
    else:
        # One bound on the instant, where the index begins. Of two, or of one on both columns, SQLite thinks
        # so much that it goes through the account's index, whatever else is looked for.
        instant, last = before
        query = query.where(started <= instant, (started < instant) | (request_id < last))
    rows = await connection.execute(query.order_by(started.desc(), request_id.desc()).limit(limit))
    return [UsageRecord(*row) for row in rows]


async def buckets(
    connection: AsyncConnection,
    selection: Selection,
    group_by: Sequence[GroupName],
    *,
    limit: int | None = None,
    after: tuple[str | int, ...] | None = None,
) -> list[Bucket]:
    """At most `limit` groups in ascending order, after the group `after`. Times count by whole hours."""
    table = _table_of(selection, group_by)
    groups = [_GROUPS[name](table) for name in group_by]
    sums = [_sum(table, name) for name in (*_SUMMED, "duration_ms")]
    query = _selected(select(*groups, *sums), table, selection).where(
        table.c.hour >= hour_before(selection.since), table.c.hour < hour_after(selection.until)
    )
    if after is not None:
        query = query.where(tuple_(*groups) > tuple_(*map(literal, after)))
    if groups:
        query = query.group_by(*groups).order_by(*groups)
    rows = (await connection.execute(query.limit(limit))).all()
    size = len(groups)
    return [Bucket(tuple(row[:size]), Totals(*map(int, row[size:-1])), row[-1]) for row in rows]


async def hours(connection: AsyncConnection, selection: Selection) -> tuple[int, int] | None:
    """The first and the last hour in which something was used; None when nothing was."""
    table = _table_of(selection, ())
    hour = table.c.hour
    query = _selected(select(func.min(hour), func.max(hour)), table, selection).where(
        hour >= hour_before(selection.since), hour < hour_after(selection.until)
    )
    first, last = (await connection.execute(query)).one()
    return None if first is None else (first, last)


async def statements(
    connection: AsyncConnection,
    account_id: str,
    *,
    limit: int,
    month: str | None = None,
    customer_id: str | None = None,
    only: str | None = None,
    after: tuple[str, str] | None = None,
) -> list[Statement]:
    """At most `limit` statements, the newest month first and in it by customer_id, after that one.

    `only` restricts to one customer by our id.
    """
    by_month, by_customer = spending.c.month, spending.c.customer_id
    query = select(by_month, by_customer, *(_sum(spending, name) for name in Statement._fields[2:])).where(
        spending.c.account_id == account_id, by_customer.is_not(None)
    )
    if month is not None:
        query = query.where(by_month == month)
    if customer_id is not None:
        query = query.where(by_customer == customer_id)
    if only is not None:
        query = query.where(spending.c.subject == only)
    if after is not None:
        last_month, last_customer = after
        later = (by_month == last_month) & (by_customer > last_customer)
        query = query.where((by_month < last_month) | later)
    query = query.group_by(by_month, by_customer).order_by(by_month.desc(), by_customer).limit(limit)
    return [Statement(*row[:2], *map(int, row[2:])) for row in await connection.execute(query)]


async def was_charged(connection: AsyncConnection, account_id: str) -> bool:
    """Whether anything of the account ever cost something."""
    query = select(spending.c.subject).where(spending.c.subject == account_id, spending.c.cost > 0).limit(1)
    return (await connection.execute(query)).first() is not None


def hour_before(at: float) -> int:
    """The hour that an instant is in."""
    return int(at // HOUR)


def hour_after(at: float) -> int:
    """The first hour that begins at an instant or after it."""
    return int(-(-at // HOUR))


def _table_of(selection: Selection, group_by: Sequence[GroupName]) -> Table:
    """The smallest table that has the answer."""
    is_of_all = (
        selection.key_id is None and selection.customers is None and _OF_THE_WHOLE.issuperset(group_by)
    )
    return usage_totals if is_of_all else usage_hours


def _selected(query: Select[Any], table: Table, selection: Selection) -> Select[Any]:
    columns = table.c
    query = query.where(columns.account_id == selection.account_id)
    if selection.model is not None:
        query = query.where(columns.model == selection.model)
    if selection.key_id is not None:
        query = query.where(columns.key_id == selection.key_id)
    match selection.customers:
        case None:
            return query
        case (one,):
            return query.where(columns.customer_pk == one)
        case several:
            return query.where(columns.customer_pk.in_(several))


def _sum(table: Table, name: str) -> ColumnElement[Any]:
    return func.coalesce(func.sum(table.c[name]), 0)
