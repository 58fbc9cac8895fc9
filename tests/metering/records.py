"""Usage records for tests, and what a store holds of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from innoai.store.tables import usage_records
from innoai.store.usage import UsageRecord
from tests.support.stores import NOW

if TYPE_CHECKING:
    from innoai.store.database import Database


def record(number: int, *, process: int = 0, status: int = 200) -> UsageRecord:
    """The record of that number."""
    return UsageRecord(
        request_id=f"req_{process}_{number}",
        account_id="acc_1",
        key_id="key_1",
        route="/v1/chat/completions",
        status=status,
        outcome="complete",
        started_at=NOW + number,
        duration_ms=12.5,
        prompt_tokens=number,
    )


async def stored(database: Database) -> dict[str, int]:
    """Request ids, and the status of each."""
    async with database.read() as connection:
        rows = await connection.execute(select(usage_records.c.request_id, usage_records.c.status))
        return {row.request_id: row.status for row in rows}
