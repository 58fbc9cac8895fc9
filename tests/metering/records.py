"""Usage records for tests, and what a spool and a store hold of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import select

from innoai.config import BillingSettings
from innoai.fresh_ids import fresh_id
from innoai.metering.budgets import Budgets
from innoai.metering.holders import Holders
from innoai.metering.shipping import Shipper
from innoai.metering.spool import SUFFIX, records_in
from innoai.store.tables import usage_records
from innoai.store.usage import UsageRecord
from tests.support.stores import NOW

if TYPE_CHECKING:
    from pathlib import Path

    from innoai.metering.spool import Spool
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


def new_shipper(spool: Spool, database: Database, billing: BillingSettings | None = None) -> Shipper:
    """What moves the spool's records into the store."""
    budgets = Budgets(
        database, Holders(spool.directory, fresh_id("hld")), clock=lambda: NOW, monotonic=time.monotonic
    )
    return Shipper(spool, database, budgets, billing or BillingSettings(), lambda: NOW)


def segments(directory: Path) -> list[Path]:
    """The spool's files."""
    return sorted(directory.glob(f"*{SUFFIX}"))


def on_disk(directory: Path) -> list[str]:
    """The request ids that anyone reads in the spool."""
    return [
        each.request_id for path in segments(directory) for each in records_in(path.read_bytes(), path.name)
    ]


async def stored(database: Database) -> dict[str, int]:
    """Request ids, and the status of each."""
    async with database.read() as connection:
        rows = await connection.execute(select(usage_records.c.request_id, usage_records.c.status))
        return {row.request_id: row.status for row in rows}
