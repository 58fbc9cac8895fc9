"""Whose turn it is: a long backlog of one account holds up nobody else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from innoai.store import accounts, deliveries, events, webhooks
from innoai.store.deliveries import AttemptRecord, Lane, Leased, NewDelivery
from innoai.store.events import EventRecord
from innoai.store.webhooks import EndpointRecord
from tests.support.stores import ACCOUNT, NOW

if TYPE_CHECKING:
    from innoai.store.database import Database

HEALTHY = Lane(failing=False, per_endpoint=4)
OTHER = replace(ACCOUNT, id="acc_2")
LATER = NOW + 3600.0


async def queue(database: Database, account_id: str, endpoints: int, backlog: int, since: float) -> None:
    """Endpoints of an account with so many deliveries each, due since then."""
    event = EventRecord(f"evt_{account_id}", account_id, "key.created", "{}", NOW)
    async with database.write() as connection:
        await events.add(connection, event)
        for number in range(endpoints):
            name = f"whe_{account_id}_{number:02}"
            await webhooks.create(connection, endpoint(name, account_id))
            new = [NewDelivery(f"dlv_{name}_{each}", name, event.id) for each in range(backlog)]
            await deliveries.add(connection, account_id, new, since)


def endpoint(endpoint_id: str, account_id: str) -> EndpointRecord:
    return EndpointRecord(endpoint_id, account_id, "https://example.com/", ("*",), None, b"", b"", NOW, NOW)


async def lease(database: Database, most: int, lane: Lane = HEALTHY) -> list[Leased]:
    async with database.write() as connection:
        return await deliveries.lease(connection, "wrk_1", lane, now=NOW, ends=LATER, most=most)


async def end(database: Database, delivery: Leased) -> None:
    attempt = AttemptRecord(1, NOW, 1.0, {}, 200, {}, "", None)
    async with database.write() as connection:
        await deliveries.conclude(
            connection, delivery.id, "wrk_1", attempt, state="succeeded", next_attempt_at=None, now=NOW
        )


@pytest.fixture
async def two_accounts(database: Database) -> Database:
    """A store with one more account."""
    async with database.write() as connection:
        await accounts.create(connection, OTHER)
    return database


async def test_the_place_that_is_free_next_is_for_the_account_that_has_none(two_accounts: Database) -> None:
    await queue(two_accounts, ACCOUNT.id, endpoints=8, backlog=10, since=NOW - 100)
    under_way = await lease(two_accounts, most=32)
    assert len(under_way) == 32
    await queue(two_accounts, OTHER.id, endpoints=1, backlog=1, since=NOW - 1)
    await end(two_accounts, under_way[0])
    (taken,) = await lease(two_accounts, most=1)
    assert taken.account_id == OTHER.id


async def test_accounts_that_wait_together_share_the_places(two_accounts: Database) -> None:
    await queue(two_accounts, ACCOUNT.id, endpoints=8, backlog=10, since=NOW - 100)
    await queue(two_accounts, OTHER.id, endpoints=2, backlog=10, since=NOW - 1)
    taken = await lease(two_accounts, most=16)
    assert Counter(each.account_id for each in taken) == {ACCOUNT.id: 8, OTHER.id: 8}


async def test_what_nobody_else_wants_one_account_may_have(two_accounts: Database) -> None:
    await queue(two_accounts, ACCOUNT.id, endpoints=8, backlog=10, since=NOW - 100)
    await queue(two_accounts, OTHER.id, endpoints=1, backlog=1, since=NOW - 1)
    taken = await lease(two_accounts, most=100)
    assert Counter(each.account_id for each in taken) == {ACCOUNT.id: 32, OTHER.id: 1}


async def test_endpoints_of_an_account_take_turns_too(database: Database) -> None:
    await queue(database, ACCOUNT.id, endpoints=2, backlog=10, since=NOW - 100)
    first = await lease(database, most=3)
    assert {each.endpoint_id for each in first} == {"whe_acc_1_00"}
    (second,) = await lease(database, most=1)
    assert second.endpoint_id == "whe_acc_1_01"


async def test_an_idle_endpoint_or_one_of_another_lane_takes_no_turn(two_accounts: Database) -> None:
    await queue(two_accounts, ACCOUNT.id, endpoints=3, backlog=0, since=NOW - 100)
    await queue(two_accounts, OTHER.id, endpoints=3, backlog=1, since=NOW - 1)
    async with two_accounts.write() as connection:
        await webhooks.change(connection, "whe_acc_2_00", {"failing_since": NOW})
        await webhooks.change(connection, "whe_acc_2_01", {"disabled": True})
    assert [each.endpoint_id for each in await lease(two_accounts, most=9)] == ["whe_acc_2_02"]
    failing = await lease(two_accounts, most=9, lane=Lane(failing=True, per_endpoint=1))
    assert [each.endpoint_id for each in failing] == ["whe_acc_2_00"]
