"""Usage records: what was served, to whom, and how much of it. One row a request, whatever happens.

What is read often is added up as records arrive, in their transaction: by hour, key, customer and
model in usage_hours, by hour and model in usage_totals, and by month in spending for each account, customer
and key.
"""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from sqlalchemy import delete, exists, select

from innoai.access.budgets import month_of
from innoai.store.tables import accounts, spending, usage_hours, usage_records, usage_totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

ROWS_PER_STATEMENT = 64
"""Few enough that no step of adding them keeps the event loop, or the only core, for a millisecond.

A power of two, as all numbers of rows are: SQLite keeps what it has made of each statement, 0.1 MB for one of
these, in every connection, and one for each number of rows would be 10 MB.
"""

HOUR = 3600
"""Seconds of one of usage_hours' hours, which are counted since the epoch."""

MAX_SUM = 2**63 - 1
"""What a column holds. A sum of costs stops there, for one that did not fit would stop all shipping."""

_FIRST_FAILURE = 400

T = TypeVar("T")


class UsageRecord(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """One inference request. Instants in Unix seconds, durations in milliseconds.

    `outcome` is `complete`, `cancelled` (the caller went away) or `failed` (the upstream did). Token
    counts are the upstream's own; None where it gave none. `cost` in billionths of the account's currency,
    None where the model has no price; `estimated` when it had to be worked out without the upstream's counts.
    `currency` is what a cost was worked out in, where there is one: the account may have another one by the
    time that it is shipped. It is in the spool alone.
    The spool's files have them in this order and without names, so a new one comes last and has a default.
    """

    request_id: str
    account_id: str
    key_id: str
    route: str
    status: int
    outcome: str
    started_at: float
    duration_ms: float
    model: str | None = None
    upstream: str | None = None
    customer_pk: str | None = None
    customer_id: str | None = None
    first_byte_ms: float | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    cost: int | None = None
    estimated: bool = False
    currency: str | None = None

    @property
    def is_failure(self) -> bool:
        """Whether the caller got an error or half an answer. Who goes away by itself met no failure."""
        return self.outcome == "failed" or (self.outcome == "complete" and self.status >= _FIRST_FAILURE)


COLUMNS = UsageRecord.__struct_fields__[:-1]
"""What the store keeps of a record."""

Settle = Callable[[list[UsageRecord]], Awaitable[list[UsageRecord]]]
"""What is done to records in the transaction that adds them."""


async def _as_they_are(records: list[UsageRecord]) -> list[UsageRecord]:
    return records


@dataclass(frozen=True, slots=True)
class _Sums:
    """A table of sums: the columns that say of what, those that tell more of it, and those that grow."""

    table: str
    of: tuple[str, ...]
    told: tuple[str, ...]
    summed: tuple[str, ...]


_HOURS = _Sums(
    usage_hours.name,
    ("account_id", "hour", "key_id", "customer_pk", "model"),
    ("customer_id",),
    (
        "requests",
        "failures",
        "prompt_tokens",
        "cached_tokens",
        "completion_tokens",
        "duration_ms",
        "cost",
    ),
)
_TOTALS = _Sums(usage_totals.name, ("account_id", "hour", "model"), (), _HOURS.summed)
_MONTHS = _Sums(
    spending.name,
    ("subject", "month"),
    ("account_id", "customer_id"),
    ("requests", "prompt_tokens", "cached_tokens", "completion_tokens", "cost"),
)


class AlreadyThereError(Exception):
    """Some of the records are in the store already. `taken`: those that were taken until it was found."""

    def __init__(self, taken: list[UsageRecord]) -> None:
        super().__init__("usage records that are in the store already")
        self.taken = taken


async def add_new(
    connection: AsyncConnection,
    records: Iterable[UsageRecord],
    settle: Settle = _as_they_are,
    *,
    pause: float = 0.0,
) -> list[UsageRecord]:
    """Add records that are not there yet, which nearly always is all of them, and count them in the sums.

    Between two statements others have `pause` seconds: what they wait for does not pile up meanwhile. Records
    are taken as they are needed, so that reading them keeps nobody waiting either. Many rows go in one
    statement: SQLite's driver takes the interpreter's lock anew for each one, and next to a busy event
    loop that alone would make it a few hundred rows a second.

    Raises:
        AlreadyThereError: what the transaction did so far has to be taken back, and then `add` is for them.
    """
    taken: list[UsageRecord] = []
    hours: _Rows = {}
    for noted in _in_pieces(_noted(records, taken)):
        piece = await settle(noted)
        if (await connection.exec_driver_sql(*_insertion(connection, piece))).rowcount != len(piece):
            raise AlreadyThereError(taken)
        _count(piece, hours)
        if pause:
            await asyncio.sleep(pause)
    await _add_up_all(connection, hours)
    return taken


def _noted(records: Iterable[UsageRecord], taken: list[UsageRecord]) -> Iterator[UsageRecord]:
    for record in records:
        taken.append(record)
        yield record


async def add(
    connection: AsyncConnection, records: Iterable[UsageRecord], settle: Settle = _as_they_are
) -> list[UsageRecord]:
    """Add records and count them in the sums; gives those that are new.

    One that is there already, by request id, stays as it is and is not counted again. For each row the
    store says so, and SQLite's driver takes the interpreter's lock for each: `add_new` does without.
    """
    added: list[UsageRecord] = []
    hours: _Rows = {}
    for some in _in_pieces(iter(records)):
        piece = await settle(some)
        statement, values = _insertion(connection, piece)
        answer = await connection.exec_driver_sql(f"{statement} RETURNING request_id", values)
        # Of twins the store has kept the first.
        by_id = {record.request_id: record for record in reversed(piece)}
        new = [by_id[request_id] for request_id in answer.scalars().all()]
        added += new
        _count(new, hours)
    await _add_up_all(connection, hours)
    return added


async def accounts_before(connection: AsyncConnection, instant: float) -> list[str]:
    """The accounts that have records of requests which began before it."""
    old = (usage_records.c.account_id == accounts.c.id) & (usage_records.c.started_at < instant)
    return list((await connection.execute(select(accounts.c.id).where(exists().where(old)))).scalars())


async def remove_before(connection: AsyncConnection, account_id: str, instant: float, limit: int) -> int:
    """Remove at most `limit` of the account's oldest records of before that instant; how many they were.

    The sums that they are counted in stay. On Postgres, what another is just removing is left to it.
    """
    old = (
        select(usage_records.c.request_id)
        .where(usage_records.c.account_id == account_id, usage_records.c.started_at < instant)
        .order_by(usage_records.c.started_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    removal = delete(usage_records).where(usage_records.c.request_id.in_(old.scalar_subquery()))
    return (await connection.execute(removal)).rowcount


def _in_pieces(rows: Iterator[T]) -> Iterator[list[T]]:
    """As many rows at once as a statement takes; the rest in powers of two."""
    while piece := list(islice(rows, ROWS_PER_STATEMENT)):
        size = ROWS_PER_STATEMENT
        while piece:
            while size > len(piece):
                size //= 2
            yield piece[:size]
            del piece[:size]


def _insertion(connection: AsyncConnection, piece: Sequence[UsageRecord]) -> tuple[str, tuple[Any, ...]]:
    """The statement, and what it carries."""
    values = tuple(chain.from_iterable(msgspec.structs.astuple(record)[:-1] for record in piece))
    return _insert_statement(len(piece), connection.dialect.paramstyle), values


_Rows = dict[tuple[Any, ...], list[Any]]
"""Of what, and what is told of it and summed; the cost comes last."""


def _count(records: Sequence[UsageRecord], sums: _Rows) -> None:
    """Add the records to the sums by hour."""
    for record in records:
        of = (
            record.account_id,
            int(record.started_at // HOUR),
            record.key_id,
            record.customer_pk or "",
            record.model or "",
        )
        row = sums.get(of)
        if row is None:
            row = sums[of] = [record.customer_id, 0, 0, 0, 0, 0, 0.0, 0]
        row[1] += 1
        row[2] += record.is_failure
        row[3] += record.prompt_tokens or 0
        row[4] += record.cached_tokens or 0
        row[5] += record.completion_tokens or 0
        row[6] += record.duration_ms
        row[7] += record.cost or 0


def _whole(hours: _Rows) -> _Rows:
    """The sums by hour and model, whatever the key and the customer."""
    sums: _Rows = {}
    for (account_id, hour, _, _, model), (_, *counts) in hours.items():
        row = sums.get((account_id, hour, model))
        sums[account_id, hour, model] = counts if row is None else list(map(operator.add, row, counts))
    return sums


def _by_month(hours: _Rows) -> _Rows:
    sums: _Rows = {}
    for of, (customer_id, requests, _, prompt, cached, completion, _, cost) in hours.items():
        account_id, hour, key_id, customer_pk, _ = of
        month = _month_of_hour(hour)
        for subject in filter(None, (account_id, key_id, customer_pk)):
            row = sums.get((subject, month))
            if row is None:
                told = customer_id if subject == customer_pk else None
                row = sums[subject, month] = [account_id, told, 0, 0, 0, 0, 0]
            row[2] += requests
            row[3] += prompt
            row[4] += cached
            row[5] += completion
            row[6] += cost
    return sums


@lru_cache(maxsize=64)
def _month_of_hour(hour: int) -> str:
    return month_of(hour * HOUR)


def _in_order(sums: _Rows) -> list[tuple[Any, ...]]:
    """The rows in the one order in which every shipper locks them, so that no two wait for each other."""
    return [(*of, *rest[:-1], min(rest[-1], MAX_SUM)) for of, rest in sorted(sums.items())]


async def _add_up_all(connection: AsyncConnection, hours: _Rows) -> None:
    await _add_up(connection, _HOURS, _in_order(hours))
    await _add_up(connection, _TOTALS, _in_order(_whole(hours)))
    await _add_up(connection, _MONTHS, _in_order(_by_month(hours)))


async def _add_up(connection: AsyncConnection, sums: _Sums, rows: list[tuple[Any, ...]]) -> None:
    for piece in _in_pieces(iter(rows)):
        statement = _upsert(sums, len(piece), connection.dialect.paramstyle)
        await connection.exec_driver_sql(statement, tuple(chain.from_iterable(piece)))


@lru_cache(maxsize=ROWS_PER_STATEMENT)
def _insert_statement(rows: int, paramstyle: str) -> str:
    return (
        f"INSERT INTO {usage_records.name} ({', '.join(COLUMNS)}) "  # noqa: S608 - names of ours
        f"VALUES {value_places(rows, len(COLUMNS), paramstyle)} "
        "ON CONFLICT (request_id) DO NOTHING"
    )


@lru_cache(maxsize=2 * ROWS_PER_STATEMENT)
def _upsert(sums: _Sums, rows: int, paramstyle: str) -> str:
    columns = (*sums.of, *sums.told, *sums.summed)
    table = sums.table
    grown = [f"{name} = {table}.{name} + excluded.{name}" for name in sums.summed if name != "cost"]
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608 - names of ours
        f"VALUES {value_places(rows, len(columns), paramstyle)} "
        f"ON CONFLICT ({', '.join(sums.of)}) DO UPDATE SET {', '.join(grown)}, "
        f"cost = CASE WHEN {table}.cost > {MAX_SUM} - excluded.cost THEN {MAX_SUM} "
        f"ELSE {table}.cost + excluded.cost END"
    )


def value_places(rows: int, columns: int, paramstyle: str) -> str:
    """The places of that many rows in a statement that takes all of them at once."""
    if paramstyle == "qmark":
        return ", ".join([f"({', '.join('?' * columns)})"] * rows)
    numbers = iter(range(1, rows * columns + 1))
    return ", ".join(f"({', '.join(f'${next(numbers)}' for _ in range(columns))})" for _ in range(rows))
