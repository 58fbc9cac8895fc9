from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from innoai.store import announced, budgets
from innoai.store.announced import RETENTION
from innoai.store.tables import announced as announced_table
from tests.support.stores import ACCOUNT, NOW

if TYPE_CHECKING:
    from innoai.store.database import Database

MONTHLY, OVERALL, EXPIRY = "budget/2026-11/80", "budget/total/80", "key.expiring/1796000000"


async def say(database: Database, *said: tuple[str, str], now: float = NOW) -> list[bool]:
    async with database.write() as connection:
        return [await announced.first(connection, subject, name, now) for subject, name in said]


async def left(database: Database) -> set[tuple[str, str]]:
    async with database.read() as connection:
        found = await connection.execute(select(announced_table.c.subject, announced_table.c.name))
        return {(row.subject, row.name) for row in found}


async def test_each_thing_is_said_once_of_each_subject(database: Database) -> None:
    once = (("key_1", MONTHLY), ("key_2", MONTHLY), ("key_1", EXPIRY))
    assert await say(database, *once, once[0]) == [True, True, True, False]
    async with database.read() as connection:
        assert await announced.said(connection, ["key_1", "key_3"]) == {once[0], once[2]}


async def test_a_budget_that_is_changed_is_told_of_anew_and_one_that_is_removed_is_forgotten(
    database: Database,
) -> None:
    kept = {("key_1", EXPIRY), ("key_10", MONTHLY)}
    await say(database, *kept, ("key_1", MONTHLY), ("key_1", OVERALL), ("cus_1", OVERALL))
    async with database.write() as connection:
        await budgets.set_amount(connection, ACCOUNT.id, "key_1", "monthly", 5, NOW)
    assert await left(database) == {*kept, ("cus_1", OVERALL)}
    async with database.write() as connection:
        await budgets.remove(connection, "cus_1")
    assert await left(database) == kept


async def test_what_is_over_is_forgotten_and_what_lasts_is_not(database: Database) -> None:
    await say(database, ("key_1", MONTHLY), ("key_1", OVERALL), ("key_1", EXPIRY))
    await say(database, ("key_2", MONTHLY), now=NOW + 1)
    async with database.write() as connection:
        await announced.prune(connection, NOW + RETENTION + 1)
    assert await left(database) == {("key_1", OVERALL), ("key_2", MONTHLY)}
