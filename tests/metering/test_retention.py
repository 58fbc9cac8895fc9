"""Single usage records go when their time is over; what they were added up to stays."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select

from innoai.access.tiers import DAY
from innoai.metering import retention
from innoai.metering.retention import BATCH
from innoai.store import accounts, usage
from innoai.store.database import Database
from innoai.store.tables import spending, usage_hours, usage_totals
from tests.metering.records import record, stored
from tests.support.stores import ACCOUNT, NOW

if TYPE_CHECKING:
    from collections.abc import Iterable

    from innoai.store.usage import UsageRecord

KEEP_DAYS = 30
OLDEST_KEPT = NOW - KEEP_DAYS * DAY


def begun(number: int, at: float, account_id: str = ACCOUNT.id) -> UsageRecord:
    return msgspec.structs.replace(record(number), started_at=at, account_id=account_id)


async def fill(database: Database, records: Iterable[UsageRecord], *account_ids: str) -> None:
    async with database.write() as connection:
        for account_id in account_ids:
            await accounts.create(connection, replace(ACCOUNT, id=account_id))
        await usage.add(connection, records)


async def sums(database: Database) -> list[set[tuple[Any, ...]]]:
    async with database.read() as connection:
        return [
            {tuple(row) for row in await connection.execute(select(table))}
            for table in (usage_hours, usage_totals, spending)
        ]


async def test_records_past_their_time_go_and_all_others_and_the_sums_stay(database: Database) -> None:
    await fill(database, [begun(1, OLDEST_KEPT - 1), begun(2, OLDEST_KEPT), begun(3, NOW)])
    before = await sums(database)
    await retention.remove_old(database, KEEP_DAYS, NOW)
    assert set(await stored(database)) == {"req_0_2", "req_0_3"}
    assert await sums(database) == before
    assert all(before)


async def test_however_many_they_are_and_of_every_account(database: Database) -> None:
    old = [begun(number, OLDEST_KEPT - 1 - number, f"acc_{number % 2 + 1}") for number in range(3 * BATCH)]
    kept = [begun(10_000 + number, NOW, f"acc_{number + 1}") for number in range(2)]
    await fill(database, old + kept, "acc_2")
    await retention.remove_old(database, KEEP_DAYS, NOW)
    assert set(await stored(database)) == {each.request_id for each in kept}


async def test_replicas_that_remove_at_once_do_not_fail(database: Database, url: str) -> None:
    await fill(database, [begun(number, OLDEST_KEPT - 1 - number % 7) for number in range(2 * BATCH + 9)])
    other = Database(url)
    try:
        await asyncio.gather(
            *(retention.remove_old(each, KEEP_DAYS, NOW) for each in (database, other, database))
        )
    finally:
        await other.close()
    assert await stored(database) == {}
