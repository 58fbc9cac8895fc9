from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from innoai.access.tiers import DEFAULT_TIERS
from innoai.api import expiring
from innoai.api.expiring import NOTICE, YOUTH
from innoai.store import api_keys, audit
from innoai.store.audit import Wanted
from innoai.store.database import Database
from innoai.store.tables import events
from tests.support.stores import ACCOUNT, NOW, add_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OLD = NOW - 10 * NOTICE


@pytest.fixture
async def replica(url: str) -> AsyncIterator[Database]:
    opened = Database(url)
    try:
        yield opened
    finally:
        await opened.close()


async def add(database: Database, number: int, **changed: Any) -> None:
    async with database.write() as connection:
        await add_key(connection, number, **({"created_at": OLD, "expires_at": NOW + 60} | changed))


async def told(database: Database) -> list[str]:
    """The keys that the log says are expiring, each of them in an event as well."""
    async with database.read() as connection:
        wanted = Wanted(action="key.expiring")
        found = await audit.following(connection, ACCOUNT.id, wanted, limit=100, after=0, upto=100)
        bodies = (await connection.execute(select(events.c.body).order_by(events.c.id))).scalars().all()
    entries = [json.loads(entry.content) for entry in found]
    assert [json.loads(body)["data"] for body in bodies] == [entry["after"] for entry in entries]
    assert all(entry["actor"]["kind"] == "system" for entry in entries)
    return [entry["target_id"] for entry in entries]


async def test_a_key_that_expires_within_a_week_is_told_of_once(database: Database) -> None:
    await add(database, 1, expires_at=NOW + NOTICE)
    await add(database, 2, expires_at=NOW + NOTICE + 1)
    for _ in range(2):
        await expiring.announce(database, DEFAULT_TIERS, NOW)
    assert await told(database) == ["key_0001"]
    await expiring.announce(database, DEFAULT_TIERS, NOW + 1)
    assert await told(database) == ["key_0001", "key_0002"]


async def test_what_does_not_expire_or_is_dead_or_new_is_not_told_of(database: Database) -> None:
    await add(database, 1, expires_at=None)
    await add(database, 2, expires_at=NOW)
    await add(database, 3, revoked_at=NOW - 1)
    await add(database, 4, created_at=NOW - YOUTH + 1)
    await expiring.announce(database, DEFAULT_TIERS, NOW)
    assert await told(database) == []
    await expiring.announce(database, DEFAULT_TIERS, NOW + 1)
    assert await told(database) == ["key_0004"]


async def test_a_key_whose_expiry_was_put_off_is_told_of_anew(database: Database) -> None:
    await add(database, 1)
    await expiring.announce(database, DEFAULT_TIERS, NOW)
    async with database.write() as connection:
        await api_keys.change(connection, "key_0001", {"expires_at": NOW + 600}, NOW)
    await expiring.announce(database, DEFAULT_TIERS, NOW)
    assert await told(database) == ["key_0001", "key_0001"]


async def test_two_replicas_say_it_once(database: Database, replica: Database) -> None:
    for number in range(1, 6):
        await add(database, number)
    await asyncio.gather(
        *(expiring.announce(store, DEFAULT_TIERS, NOW) for store in (database, replica) for _ in range(2))
    )
    assert sorted(await told(database)) == [f"key_000{number}" for number in range(1, 6)]


async def test_an_account_on_an_unknown_tier_holds_up_nobody(database: Database) -> None:
    await add(database, 1)
    await expiring.announce(database, {}, NOW)
    assert await told(database) == []
    await expiring.announce(database, DEFAULT_TIERS, NOW)
    assert await told(database) == ["key_0001"]
