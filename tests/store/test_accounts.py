from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import select
from sqlalchemy.exc import NoResultFound

from innoai.store import accounts
from innoai.store.accounts import INVITE_LIFETIME, AccountRecord
from innoai.store.database import Database
from innoai.store.tables import members
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


async def test_an_account_that_no_row_could_refer_to_is_an_error(database: Database) -> None:
    with pytest.raises(NoResultFound):
        async with database.read() as connection:
            await accounts.get(connection, "acc_nobody")


async def test_an_invite_is_kept_as_a_digest_for_a_week(database: Database) -> None:
    async with database.write() as connection:
        await accounts.invite_owner(connection, "mem_1", ACCOUNT.id, "the invite", NOW)
    async with database.read() as connection:
        row = (await connection.execute(select(members))).one()
    assert row.invite_digest == hashlib.sha256(b"the invite").digest()
    assert row.invite_expires_at == NOW + INVITE_LIFETIME
    assert (row.role, row.email, row.password_hash) == ("owner", None, None)
