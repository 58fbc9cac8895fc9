"""Events go when their time is over, with their deliveries, however many there are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from innoai.events import expiry
from innoai.events.expiry import BATCH, RETENTION
from innoai.store import deliveries, events, webhooks
from innoai.store.database import Database
from innoai.store.deliveries import Lane, NewDelivery
from innoai.store.events import EventRecord
from innoai.store.tables import deliveries as deliveries_table
from innoai.store.tables import events as events_table
from innoai.store.webhooks import EndpointRecord
from tests.support.stores import ACCOUNT, NOW

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY = 86_400.0
OLD = NOW - RETENTION - 10 * DAY
ENDPOINT = EndpointRecord("whe_1", ACCOUNT.id, "https://example.com/", ("*",), None, b"", b"", NOW, NOW)


async def fill(database: Database, count: int, since: float) -> list[str]:
    """Events one second apart: their ids."""
    ids = [f"evt_{int(since)}_{number:05}" for number in range(count)]
    async with database.write() as connection:
        for number, event_id in enumerate(ids):
            await events.add(
                connection, EventRecord(event_id, ACCOUNT.id, "key.created", "{}", since + number)
            )
    return ids


async def deliver(database: Database, event_ids: Sequence[str], at: float) -> None:
    """Let events be delivered to the one endpoint."""
    new = [NewDelivery(f"dlv_{event_id[4:]}_{int(at)}", ENDPOINT.id, event_id) for event_id in event_ids]
    async with database.write() as connection:
        await deliveries.add(connection, ACCOUNT.id, new, at)


async def kept(database: Database) -> tuple[set[str], set[str]]:
    """The events, and those of which there are deliveries."""
    async with database.read() as connection:
        all_events = set((await connection.execute(select(events_table.c.id))).scalars())
        delivered = set((await connection.execute(select(deliveries_table.c.event_id))).scalars())
    return all_events, delivered


@pytest.fixture
async def with_endpoint(database: Database) -> Database:
    """A store with an endpoint."""
    async with database.write() as connection:
        await webhooks.create(connection, ENDPOINT)
    return database


async def test_replays_of_the_oldest_keep_none_but_themselves(with_endpoint: Database) -> None:
    old = await fill(with_endpoint, 4 * BATCH, OLD)
    await deliver(with_endpoint, old, OLD)
    replayed = set(old[: 2 * BATCH])
    await deliver(with_endpoint, sorted(replayed), NOW - DAY)
    await expiry.remove_old(with_endpoint, NOW)
    assert await kept(with_endpoint) == (replayed, replayed)
    await expiry.remove_old(with_endpoint, NOW + RETENTION)
    assert await kept(with_endpoint) == (set(), set())


async def test_all_that_are_old_go_at_once_and_no_other(with_endpoint: Database) -> None:
    await fill(with_endpoint, 2 * BATCH + 1, OLD)
    young = await fill(with_endpoint, 3, NOW - RETENTION)
    await deliver(with_endpoint, young, NOW - RETENTION)
    await expiry.remove_old(with_endpoint, NOW)
    assert await kept(with_endpoint) == (set(young), set(young))


async def test_an_event_stays_while_it_is_delivered(with_endpoint: Database) -> None:
    (event_id,) = await fill(with_endpoint, 1, OLD)
    await deliver(with_endpoint, [event_id], OLD)
    async with with_endpoint.write() as connection:
        lane = Lane(failing=False, per_endpoint=1)
        assert await deliveries.lease(connection, "wrk_1", lane, now=NOW, ends=NOW + 60, most=1)
    await expiry.remove_old(with_endpoint, NOW)
    assert await kept(with_endpoint) == ({event_id}, {event_id})


async def test_others_write_between_two_batches(
    with_endpoint: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "BATCH", 10)
    await fill(with_endpoint, 50, OLD)
    removing = asyncio.create_task(expiry.remove_old(with_endpoint, NOW))
    seen: set[int] = set()
    while not removing.done():
        async with with_endpoint.write() as connection:
            seen.add(len((await connection.execute(select(events_table.c.id))).all()))
        await asyncio.sleep(0.01)
    await removing
    assert seen & {10, 20, 30, 40}


async def test_replicas_that_remove_at_once_do_not_fail(with_endpoint: Database, url: str) -> None:
    await deliver(with_endpoint, await fill(with_endpoint, 2 * BATCH + 9, OLD), OLD)
    other = Database(url)
    try:
        await asyncio.gather(
            *(expiry.remove_old(each, NOW) for each in (with_endpoint, other, with_endpoint))
        )
    finally:
        await other.close()
    await expiry.remove_old(with_endpoint, NOW)
    assert await kept(with_endpoint) == (set(), set())
