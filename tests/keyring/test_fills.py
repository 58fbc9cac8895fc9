"""A fill of the keyring's memory that raced with a change."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete

from innoai.access.principal import Principal, Unauthenticated
from innoai.errors import InnoError
from innoai.store import changes, customers
from innoai.store.tables import changes as changes_table
from tests.support.stores import NOW, new_key

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.keyring.keyring import Keyring
    from innoai.store.changes import Change
    from tests.keyring.replica import Replica


async def change_something(here: Replica, subject: str = "key_of_others") -> None:
    async with here.database.write() as connection:
        await changes.announce(connection, changes.KEY, subject, NOW)


def principal(found: object) -> Principal:
    assert isinstance(found, Principal)
    return found


async def test_what_was_read_before_a_revocation_that_was_heard_is_read_again(here: Replica) -> None:
    record = await here.add_key(1)

    async def revoke() -> None:
        here.store.after_read = None
        await here.revoke_key(record.id)
        await here.heed()

    here.store.after_read = revoke
    assert principal(await here.keyring.resolve(new_key(1))).key.revoked_at == NOW
    assert principal(here.keyring.cached(new_key(1))).key.revoked_at == NOW
    assert here.store.reads == 2


async def test_a_revocation_that_is_heard_after_the_fill_removes_it(here: Replica) -> None:
    record = await here.add_key(1)

    async def revoke() -> None:
        here.store.after_read = None
        await here.revoke_key(record.id)

    here.store.after_read = revoke
    assert principal(await here.keyring.resolve(new_key(1))).key.revoked_at is None
    await here.heed()
    assert here.keyring.cached(new_key(1)) is None
    assert principal(await here.keyring.resolve(new_key(1))).key.revoked_at == NOW


async def test_a_change_of_something_else_does_not_cost_a_second_read(here: Replica) -> None:
    await here.add_key(1)

    async def change() -> None:
        await change_something(here)
        await here.heed()

    here.store.after_read = change
    await here.keyring.resolve(new_key(1))
    assert here.store.reads == 1
    assert here.keyring.cached(new_key(1)) is not None


async def test_a_key_that_was_read_before_its_customer_changed_is_read_again(here: Replica) -> None:
    customer = await here.add_customer(1)
    await here.add_key(1, customer_pk=customer.id, customer_id=customer.customer_id)

    async def disable() -> None:
        here.store.after_read = None
        async with here.database.write() as connection:
            await customers.change(connection, customer.id, {"disabled": True}, NOW)
        await here.heed()

    here.store.after_read = disable
    found = principal(await here.keyring.resolve(new_key(1)))
    assert found.customer is not None
    assert found.customer.disabled


async def test_a_customer_that_was_read_before_it_changed_is_read_again(here: Replica) -> None:
    record = await here.add_customer(1)

    async def disable() -> None:
        here.store.after_read = None
        async with here.database.write() as connection:
            await customers.change(connection, record.id, {"disabled": True}, NOW)
        await here.heed()

    here.store.after_read = disable
    customer = await here.keyring.customer(record.id)
    assert customer is not None
    assert customer.disabled


async def test_a_token_that_is_revoked_while_its_key_is_read_is_refused(here: Replica) -> None:
    record = await here.add_key(1)

    async def revoke() -> None:
        here.store.after_read = None
        await here.revoke_token("jti_1")
        await here.heed()

    here.store.after_read = revoke
    assert isinstance(await here.keyring.resolve(here.mint(record)), Unauthenticated)


async def test_a_key_that_is_revoked_while_its_tokens_customer_is_read_is_read_again(here: Replica) -> None:
    customer = await here.add_customer(1)
    record = await here.add_key(1)
    await here.keyring.resolve(new_key(1))

    async def revoke() -> None:
        here.store.after_read = None
        await here.revoke_key(record.id)
        await here.heed()

    here.store.after_read = revoke
    found = principal(await here.keyring.resolve(here.mint(record, customer)))
    assert found.key.revoked_at == NOW


async def test_a_key_that_changes_faster_than_it_is_read_is_answered_as_unavailable(here: Replica) -> None:
    record = await here.add_key(1)

    async def change() -> None:
        await change_something(here, record.id)
        await here.heed()

    here.store.after_read = change
    with pytest.raises(InnoError) as refused:
        await here.keyring.resolve(new_key(1))
    assert refused.value.refusal.code == "service_unavailable"
    assert here.keyring.cached(new_key(1)) is None


class SlowLoading:
    """A keyring that takes its time to load, once it has forgotten everything."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self.has_forgotten = asyncio.Event()
        self.may_end = asyncio.Event()

    async def load(self, connection: AsyncConnection) -> None:
        await self._keyring.load(connection)
        self.has_forgotten.set()
        await self.may_end.wait()

    async def hear(self, connection: AsyncConnection, news: list[Change]) -> None:
        await self._keyring.hear(connection, news)


async def test_what_was_read_before_the_keyring_started_anew_is_read_again(here: Replica) -> None:
    """The revocation itself was never heard: it fell into a gap of the feed."""
    record = await here.add_key(1)
    listener = SlowLoading(here.keyring)
    anew: list[asyncio.Task[None]] = []

    async def revoke_and_lose_the_change() -> None:
        here.store.after_read = None
        await here.revoke_key(record.id)
        await change_something(here)
        async with here.database.write() as connection:
            await connection.execute(delete(changes_table).where(changes_table.c.subject == record.id))
        anew.append(asyncio.create_task(here.feed.catch_up(listener)))
        await listener.has_forgotten.wait()

    here.store.after_read = revoke_and_lose_the_change
    assert principal(await here.keyring.resolve(new_key(1))).key.revoked_at == NOW
    listener.may_end.set()
    await anew[0]
    assert principal(await here.keyring.resolve(new_key(1))).key.revoked_at == NOW
