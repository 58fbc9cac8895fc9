from __future__ import annotations

import pytest
from sqlalchemy.exc import NoResultFound

from innoai.store import accounts
from innoai.store.accounts import AccountRecord
from innoai.store.database import Database
from tests.support.stores import ACCOUNT, NOW


async def test_a_store_without_accounts_has_no_first(url: str) -> None:
    database = Database(url)
    async with database.read() as connection:
        assert await accounts.first(connection) is None
    await database.close()


async def test_the_first_account_stays_the_first(database: Database) -> None:
    later = AccountRecord("acc_2", "Later", "free", disabled=True, created_at=NOW + 1)
    async with database.write() as connection:
        await accounts.create(connection, later)
    async with database.read() as connection:
        assert await accounts.first(connection) == ACCOUNT
        assert await accounts.get(connection, "acc_2") == later
        assert await accounts.find(connection, "acc_2") == later
        assert await accounts.find(connection, "acc_nobody") is None


async def test_the_first_account_is_the_oldest_in_whatever_order_a_language_has_letters(
    database: Database,
) -> None:
    older = AccountRecord("acc_0Z", "Older", "free", disabled=False, created_at=NOW - 2)
    newer = AccountRecord("acc_0a", "Newer", "free", disabled=False, created_at=NOW - 1)
    async with database.write() as connection:
        await accounts.create(connection, newer)
        await accounts.create(connection, older)
    async with database.read() as connection:
        assert await accounts.first(connection) == older
        assert await accounts.everyone(connection) == [older, newer, ACCOUNT]


async def test_an_account_that_no_row_could_refer_to_is_an_error(database: Database) -> None:
    with pytest.raises(NoResultFound):
        async with database.read() as connection:
            await accounts.get(connection, "acc_nobody")
