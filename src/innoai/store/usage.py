"""Usage records: what was served, to whom, and how much of it. One row a request, whatever happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy.dialects import postgresql, sqlite

from innoai.store.tables import usage_records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


class UsageRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One inference request. Instants in Unix seconds, durations in milliseconds.

    `outcome` is `complete`, `cancelled` (the caller went away) or `failed` (the upstream did). Token
    counts are the upstream's own; None where it gave none.
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


async def add(connection: AsyncConnection, records: Sequence[UsageRecord]) -> None:
    """Add records; one that is there already, by request id, stays as it is."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(usage_records).on_conflict_do_nothing(index_elements=["request_id"])
    await connection.execute(statement, [_row(record) for record in records])


def _row(record: UsageRecord) -> dict[str, object]:
    return msgspec.structs.asdict(record)
