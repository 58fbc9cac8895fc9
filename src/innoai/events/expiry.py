"""For how long events and their deliveries are kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from innoai.store import events

if TYPE_CHECKING:
    from innoai.store.database import Database

RETENTION = 30 * 86_400.0
"""Seconds. An event that was replayed stays, with all its deliveries, until the last of these is as old."""

BATCH = 256
REST_SECONDS = 0.05
"""So many events go in a transaction, and others write between two of them."""


async def remove_old(database: Database, now: float) -> None:
    """Remove the events whose time is over, all that there are.

    Raises:
        InnoError: service_unavailable when the store does not answer; what is left goes the next time.
    """
    behind: tuple[float, str] | None = events.START
    while behind is not None:
        async with database.write(aside=True) as connection:
            behind = await events.remove_before(connection, now - RETENTION, BATCH, behind)
        await asyncio.sleep(REST_SECONDS)
