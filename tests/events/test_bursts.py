from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from innoai.access.networks import parse_address, parse_networks
from innoai.access.principal import Account, ApiKey, Principal
from innoai.errors import InnoError
from innoai.events import bursts
from innoai.events.bursts import MAX_WAITING, QUIET_SECONDS, Bursts
from innoai.store import accounts, audit
from innoai.store.accounts import AccountRecord
from innoai.store.audit import Wanted
from tests.support.stores import ACCOUNT, NOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from innoai.store.database import Database

LIMIT = 300
OTHER = AccountRecord("acc_2", "Other", "free", disabled=False, created_at=NOW)
LEAKED = Principal(
    Account(OTHER.id, OTHER.tier, disabled=False),
    ApiKey("key_1", frozenset(), parse_networks(()), 60, None, None, NOW),
    None,
)


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def heard(clock: Hand) -> Bursts:
    return Bursts(LIMIT, clock)


@pytest.fixture
async def recorded(
    database: Database, heard: Bursts, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Any]]:
    """Waits for so many entries of an account, while the bursts are being recorded."""
    monkeypatch.setattr(bursts, "RECORD_SECONDS", 0.01)
    recording = asyncio.create_task(heard.record_all(database))

    async def wait(number: int, account_id: str = ACCOUNT.id) -> list[dict[str, Any]]:
        while True:
            async with database.read() as connection:
                found = await audit.following(
                    connection, account_id, Wanted(), limit=1000, after=0, upto=1000
                )
            if len(found) >= number:
                return [json.loads(entry.content) for entry in found]

    yield wait
    recording.cancel()


def test_of_a_site_a_burst_is_heard_once_in_ten_minutes(heard: Bursts, clock: Hand) -> None:
    for address in ("203.0.113.7", "203.0.113.7", "203.0.113.8", "2001:db8::1", "2001:db8::2"):
        heard.note(parse_address(address), None)
    assert len(heard._waiting) == 3
    clock.now += QUIET_SECONDS - 1
    heard.note(parse_address("203.0.113.7"), None)
    assert len(heard._waiting) == 3
    clock.now += 1
    heard.note(parse_address("203.0.113.7"), None)
    assert len(heard._waiting) == 4


def test_what_there_is_no_room_for_is_not_kept(heard: Bursts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bursts, "MAX_SITES", 10)
    for address in range(3 * MAX_WAITING):
        heard.note(address, None)
    assert len(heard._waiting) == MAX_WAITING
    assert len(heard._heard) == 10


async def test_a_burst_is_recorded_for_the_account_whose_key_failed(
    database: Database, heard: Bursts, recorded: Callable[..., Any]
) -> None:
    async with database.write() as connection:
        await accounts.create(connection, OTHER)
    heard.note(parse_address("203.0.113.7"), LEAKED)
    heard.note(None, None)
    (leaked,) = await recorded(1, OTHER.id)
    assert leaked["after"] == {"address": "203.0.113.7", "key_id": "key_1", "limit": LIMIT}
    (unknown,) = await recorded(1)
    assert unknown["after"] == {"address": None, "key_id": None, "limit": LIMIT}
    assert unknown["at"] == leaked["at"]


async def test_a_burst_waits_for_a_store_that_is_down(
    database: Database, heard: Bursts, recorded: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([InnoError("service_unavailable")] * 3)
    write = database.write

    def failing() -> Any:
        for failure in failures:
            raise failure
        return write()

    monkeypatch.setattr(database, "write", failing)
    heard.note(parse_address("203.0.113.7"), None)
    assert [entry["address"] for entry in await recorded(1)] == ["203.0.113.7"]
    assert next(failures, None) is None


async def test_recording_goes_on_after_something_unforeseen(
    heard: Bursts, recorded: Callable[..., Any]
) -> None:
    nowhere = Principal(Account("acc_unknown", "free", disabled=False), LEAKED.key, None)
    heard.note(parse_address("203.0.113.7"), nowhere)
    heard.note(parse_address("198.51.100.9"), None)
    assert [entry["address"] for entry in await recorded(1)] == ["198.51.100.9"]
