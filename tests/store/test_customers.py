from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import IntegrityError

from innoai.store import api_keys, changes, customers
from tests.support.stores import ACCOUNT, NOW, add_customer, add_key

if TYPE_CHECKING:
    from innoai.store.changes import Change
    from innoai.store.database import Database


async def news(database: Database, after: int = 0) -> list[Change]:
    async with database.read() as connection:
        return await changes.since(connection, after) or []


async def test_a_customer_comes_back_as_it_was_made(database: Database) -> None:
    async with database.write() as connection:
        made = await add_customer(connection, 1, name="Müller & Söhne", metadata={"plan": "gold"})
    async with database.read() as connection:
        assert await customers.get(connection, made.id) == made
        assert await customers.find(connection, ACCOUNT.id, made.customer_id) == made


async def test_a_customer_of_another_account_is_not_found(database: Database) -> None:
    async with database.write() as connection:
        made = await add_customer(connection, 1)
    async with database.read() as connection:
        assert await customers.find(connection, "acc_2", made.customer_id) is None
        assert await customers.get(connection, "cus_nobody") is None


async def test_an_account_has_one_customer_of_an_id(database: Database) -> None:
    async with database.write() as connection:
        await add_customer(connection, 1)
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await add_customer(connection, 1, id="cus_twin")


async def test_pages_go_from_new_to_old_without_missing_or_repeating_one(database: Database) -> None:
    async with database.write() as connection:
        made = [await add_customer(connection, number) for number in range(7)]
    seen: list[str] = []

    async def page() -> list[str]:
        async with database.read() as connection:
            before = seen[-1] if seen else None
            found = await customers.page(connection, ACCOUNT.id, limit=3, before=before, only=None)
        return [record.id for record in found]

    while following := await page():
        seen += following
    assert seen == [record.id for record in reversed(made)]
    async with database.read() as connection:
        assert await customers.count(connection, ACCOUNT.id) == 7


async def test_a_page_can_be_of_one_customer_alone(database: Database) -> None:
    async with database.write() as connection:
        made = [await add_customer(connection, number) for number in range(3)]
    async with database.read() as connection:
        found = await customers.page(connection, ACCOUNT.id, limit=9, before=None, only=made[1].id)
    assert found == [made[1]]


async def test_a_change_is_kept_dated_and_told(database: Database) -> None:
    async with database.write() as connection:
        made = await add_customer(connection, 1)
        await customers.change(connection, made.id, {"disabled": True, "metadata": {"a": "b"}}, NOW + 5)
    async with database.read() as connection:
        changed = await customers.get(connection, made.id)
    assert changed is not None
    assert (changed.disabled, changed.metadata, changed.updated_at) == (True, {"a": "b"}, NOW + 5)
    assert [(change.kind, change.subject) for change in await news(database)] == [("customer", made.id)] * 2


async def test_a_removed_customer_is_gone_its_keys_revoked_and_all_of_it_told(database: Database) -> None:
    async with database.write() as connection:
        made = await add_customer(connection, 1)
        key = await add_key(connection, 1, customer_pk=made.id, customer_id=made.customer_id)
    before = len(await news(database))
    async with database.write() as connection:
        await customers.remove(connection, made.id, NOW + 1)
    async with database.read() as connection:
        assert await customers.get(connection, made.id) is None
        revoked = await api_keys.get(connection, key.id)
    assert revoked is not None
    assert revoked.revoked_at == NOW + 1
    told = {(change.kind, change.subject) for change in await news(database, before)}
    assert told == {("key", key.id), ("customer", made.id)}


async def test_a_customer_id_may_be_used_again_once_its_customer_is_gone(database: Database) -> None:
    async with database.write() as connection:
        made = await add_customer(connection, 1)
        await customers.remove(connection, made.id, NOW)
        again = await add_customer(connection, 1, id="cus_again")
    async with database.read() as connection:
        assert await customers.find(connection, ACCOUNT.id, made.customer_id) == again
