"""Usage records: what was served, to whom, and how much of it. One row a request, whatever happens."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from innoai.store.tables import usage_records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

ROWS_PER_STATEMENT = 250


class UsageRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One inference request. Instants in Unix seconds, durations in milliseconds.

    `outcome` is `complete`, `cancelled` (the caller went away) or `failed` (the upstream did). Token
    counts are the upstream's own; None where it gave none. `cost` in billionths of the account's currency,
    None where the model has no price; `estimated` when it had to be worked out without the upstream's counts.
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


async def add(connection: AsyncConnection, records: Sequence[UsageRecord]) -> None:
    """Add records; one that is there already, by request id, stays as it is.

    Many rows go in one statement: SQLite's driver takes the interpreter's lock anew for each one, and
    next to a busy event loop that alone would make it a few hundred rows a second.
    """
    for start in range(0, len(records), ROWS_PER_STATEMENT):
        rows = records[start : start + ROWS_PER_STATEMENT]
        values = tuple(chain.from_iterable(map(msgspec.structs.astuple, rows)))
        await connection.exec_driver_sql(_insert(len(rows), connection.dialect.paramstyle), values)


@lru_cache(maxsize=ROWS_PER_STATEMENT)
def _insert(rows: int, paramstyle: str) -> str:
    columns = UsageRecord.__struct_fields__
    if paramstyle == "qmark":
        row = f"({', '.join('?' for _ in columns)})"
        values = ", ".join(row for _ in range(rows))
    else:
        numbers = iter(range(1, rows * len(columns) + 1))
        values = ", ".join(f"({', '.join(f'${next(numbers)}' for _ in columns)})" for _ in range(rows))
    return (
        f"INSERT INTO {usage_records.name} ({', '.join(columns)}) VALUES {values} "  # noqa: S608 - names of ours
        "ON CONFLICT (request_id) DO NOTHING"
    )
