"""For how long single usage records are kept. What bills and budgets are made of are sums, and those stay."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from innoai.access.tiers import DAY
from innoai.store import usage

if TYPE_CHECKING:
    from innoai.store.database import Database

BATCH = 256
REST_SECONDS = 0.05
"""So many records go in a transaction, and others write between two of them."""


async def remove_old(database: Database, keep_days: int, now: float) -> None:
    """Remove the records of requests that began more than `keep_days` days before `now`.

    Raises:
        InnoError: service_unavailable when the store does not answer; what is left goes the next time.
    """
    before = now - keep_days * DAY
    async with database.read() as connection:
        account_ids = await usage.accounts_before(connection, before)
    for account_id in account_ids:
        removed = BATCH
        while removed == BATCH:
            async with database.write(aside=True) as connection:
                removed = await usage.remove_before(connection, account_id, before, BATCH)
            await asyncio.sleep(REST_SECONDS)
