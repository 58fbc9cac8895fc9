from __future__ import annotations

from typing import TYPE_CHECKING

from innoai.access.budgets import TOTAL, Pot
from innoai.store import budgets
from tests.support.stores import ACCOUNT, NOW

if TYPE_CHECKING:
    from innoai.store.database import Database


async def test_an_account_knows_whether_anything_is_held_of_a_budget_within_it(database: Database) -> None:
    pot = Pot("cus_1", TOTAL)
    async with database.write() as connection:
        await budgets.set_amount(connection, ACCOUNT.id, pot.subject, TOTAL, 100, NOW)
        assert not await budgets.is_held(connection, ACCOUNT.id)
        await budgets.hold(connection, "hld_1", {pot: 1}, NOW)
        assert await budgets.is_held(connection, ACCOUNT.id)
        assert not await budgets.is_held(connection, "acc_2")
        await budgets.hold(connection, "hld_1", {pot: 0}, NOW)
        assert not await budgets.is_held(connection, ACCOUNT.id)
