from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from innoai.access.decide import Request
from innoai.access.networks import parse_address
from innoai.access.principal import Principal
from innoai.access.routes import route_for
from innoai.activity import counts as counts_module
from innoai.activity.counts import MOST_MODELS, MOST_PLACES, Counts
from innoai.errors import InnoError
from innoai.store import activity
from tests.access.facts import CLAIMS, KEY_PRINCIPAL, TOKEN_PRINCIPAL
from tests.keyring.replica import Clock, Store
from tests.support.stores import NOW

if TYPE_CHECKING:
    from innoai.store.activity import Row
    from innoai.store.database import Database

pytestmark = pytest.mark.parametrize("kind", ["sqlite"])

CHAT = route_for("POST", "/v1/chat/completions")
FORWARD = route_for("GET", "/v1/auth/forward")
HOME = parse_address("203.0.113.7")
OWNER = Principal(KEY_PRINCIPAL.account, KEY_PRINCIPAL.key, None)


class House:
    """Counts on a store that can be down, and a clock that is told the time."""

    def __init__(self, database: Database) -> None:
        self.clock = Clock()
        self.store = Store(database)
        self.counts = Counts(self.store, lambda: self.clock.now)

    def note(
        self,
        principal: Principal = OWNER,
        *,
        code: str = "allowed",
        times: int = 1,
        address: int | None = HOME,
        **asked: Any,
    ) -> None:
        request = Request(asked.pop("route", CHAT), address, **asked)
        for _ in range(times):
            self.counts.note(principal, request, code, self.clock.now)

    async def rows(self, key_id: str = OWNER.key.id) -> list[Row]:
        await self.counts.flush()
        return await self.stored(key_id)

    async def stored(self, key_id: str = OWNER.key.id) -> list[Row]:
        async with self.store.read() as connection:
            return await activity.of_key(connection, OWNER.account.id, key_id, 0, 10**6)

    async def peaks(self) -> list[int]:
        await self.counts.flush()
        async with self.store.read() as connection:
            return await activity.peaks(connection, OWNER.account.id, OWNER.key.id, 0, 10**6)


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


def by(rows: list[Row], name: str) -> dict[str, int]:
    counted: dict[str, int] = {}
    for row in rows:
        counted[getattr(row, name)] = counted.get(getattr(row, name), 0) + row.requests
    return counted


async def test_requests_that_are_told_the_same_are_one_row(house: House) -> None:
    house.note(times=3, model="m")
    house.clock.pass_time(2)
    house.note(model="m")
    house.note(code="ip_not_allowed", address=None)
    (refused, allowed) = sorted(await house.rows(), key=lambda row: row.requests)
    assert (allowed.method, allowed.path, allowed.place, allowed.model, allowed.code) == (
        "POST",
        "/v1/chat/completions",
        "203.0.113.7",
        "m",
        "allowed",
    )
    assert (allowed.requests, allowed.last_at) == (4, NOW + 2)
    assert (refused.place, refused.model, refused.code, refused.requests) == ("", "", "ip_not_allowed", 1)


async def test_what_was_counted_before_a_flush_and_after_it_adds_up(house: House) -> None:
    house.note(times=2)
    await house.counts.flush()
    house.note(times=5)
    assert [row.requests for row in await house.rows()] == [7]


async def test_keys_and_tokens_and_customers_tokens_are_told_apart(house: House) -> None:
    own = Principal(OWNER.account, OWNER.key, None, structs.replace(CLAIMS, customer_id=None))
    house.note()
    house.note(own, times=2)
    house.note(TOKEN_PRINCIPAL, times=3)
    assert by(await house.rows(), "bearer") == {"key": 1, "token": 2, "customer": 3}


async def test_the_scope_that_another_service_asked_for_is_counted_by(house: House) -> None:
    house.note(route=FORWARD, required_scope="billing:read")
    house.note(route=FORWARD, times=2)
    assert by(await house.rows(), "required_scope") == {"billing:read": 1, "": 2}


async def test_of_many_addresses_networks_are_kept_and_then_nothing(house: House) -> None:
    first = parse_address("10.0.0.0")
    for number in range(MOST_PLACES):
        house.note(address=first + number * 256)
    for number in range(MOST_PLACES):
        house.note(address=first + 2**20 + number * 256 + 1)
        house.note(address=first + 2**20 + number * 256 + 2)
    house.note(address=parse_address("192.0.2.1"), times=5)
    house.note(address=first, times=10)
    places = by(await house.rows(), "place")
    assert len(places) == 2 * MOST_PLACES + 1
    assert (places["10.0.0.0"], places["10.0.1.0"]) == (11, 1)
    assert (places["10.16.0.0/24"], places["other"]) == (2, 5)


async def test_the_bounds_of_places_last_for_the_hour_and_not_for_one_flush(house: House) -> None:
    for number in range(MOST_PLACES + 1):
        house.note(address=HOME + number * 256)
        await house.counts.flush()
    assert sum("/" in place for place in by(await house.rows(), "place")) == 1
    house.clock.pass_time(3600)
    house.note(address=HOME + 999 * 256)
    assert sum("/" in place for place in by(await house.rows(), "place")) == 1


async def test_names_that_callers_make_up_do_not_fill_the_store(house: House) -> None:
    for number in range(MOST_MODELS + 7):
        house.note(code="model_not_found", model=f"made-up-{number}")
    models = by(await house.rows(), "model")
    assert (len(models), models["other"]) == (MOST_MODELS + 1, 7)


async def test_a_name_is_stored_whatever_is_in_it(house: House) -> None:
    for name in ("nul\0", "line\n", "x" * 100_000):
        house.note(code="model_not_found", model=name, times=2)
    assert by(await house.rows(), "model") == {"nul\ufffd": 2, "line\ufffd": 2, "x" * 200: 2}


async def test_more_cells_than_there_is_room_for_lose_place_and_model_but_no_request(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts_module, "MOST_CELLS", 2)
    for number in range(5):
        house.note(address=HOME + number, model="m")
        house.note(address=HOME + number)
    rows = await house.rows()
    assert by(rows, "place") == {"203.0.113.7": 2, "other": 8}
    assert by(rows, "model") == {"m": 1, "other": 4, "": 5}
    assert house.counts.lost == 0


async def test_what_there_is_no_room_for_at_all_is_counted_as_lost(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts_module, "MOST_CELLS", 1)
    for number in range(5):
        house.note(Principal(OWNER.account, structs.replace(OWNER.key, id=f"key_{number}"), None))
    assert house.counts.lost == 3


async def test_a_store_that_is_down_delays_counts_and_loses_none(house: House) -> None:
    house.store.is_down = True
    for address, times in ((HOME, 2), (HOME, 3), (HOME + 1, 1)):
        house.note(address=address, times=times)
        with pytest.raises(InnoError):
            await house.counts.flush()
        house.clock.pass_time(5)
    house.store.is_down = False
    assert by(await house.rows(), "place") == {"203.0.113.7": 5, "203.0.113.8": 1}
    assert await house.peaks() == [6]


async def test_rows_that_wait_for_too_long_are_counted_as_lost(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts_module, "MOST_WAITING", 2)
    for number in range(4):
        house.note(address=HOME + number, times=number + 1)
    assert by(await house.rows(), "place") == {"203.0.113.7": 1, "203.0.113.8": 2}
    assert house.counts.lost == 7


async def test_minutes_that_wait_for_too_long_are_not_kept_for_ever(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts_module, "MOST_WAITING", 2)
    house.store.is_down = True
    for times in (3, 1, 9, 2):
        house.note(times=times)
        with pytest.raises(InnoError):
            await house.counts.flush()
        house.clock.pass_time(60)
    assert len(house.counts._minutes) == 2
    house.store.is_down = False
    assert (await house.peaks(), house.counts.lost) == ([3], 0)


async def test_a_forgotten_key_gets_its_places_anew(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts_module, "MOST_KEYS", 1)
    monkeypatch.setattr(counts_module, "MOST_PLACES", 1)
    other = Principal(OWNER.account, structs.replace(OWNER.key, id="key_2"), None)
    for principal, address in ((OWNER, HOME), (other, HOME), (OWNER, HOME + 1), (OWNER, HOME + 2)):
        house.note(principal, address=address)
        await house.counts.flush()
    assert sorted(by(await house.rows(), "place")) == ["203.0.113.0/24", "203.0.113.7", "203.0.113.8"]


async def test_the_busiest_minute_counts_what_the_limit_was_asked_for(house: House) -> None:
    house.note(times=3)
    house.note(code="rate_limit_exceeded", times=2)
    house.note(code="ip_not_allowed", times=100)
    await house.counts.flush()
    house.clock.pass_time(60)
    house.note(times=4)
    assert await house.peaks() == [5]


async def test_nothing_is_counted_where_nothing_is_to_be_kept(house: House) -> None:
    house.counts = Counts(house.store, lambda: house.clock.now, keeps=False)
    house.note(times=3)
    assert await house.rows() == []
    nowhere = Counts(None, lambda: house.clock.now)
    nowhere.note(OWNER, Request(CHAT, HOME), "allowed", NOW)
    await nowhere.flush()


async def test_the_task_flushes_by_itself_and_outlives_an_outage_and_something_unforeseen(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts_module, "FLUSH_SECONDS", 0.01)
    outcomes, flush = [KeyError("something unforeseen")], house.counts.flush

    async def flushed() -> None:
        if outcomes:
            raise outcomes.pop()
        await flush()

    monkeypatch.setattr(house.counts, "flush", flushed)
    house.store.is_down = True
    house.note(times=2)
    task = asyncio.create_task(house.counts.run())
    try:
        async with asyncio.timeout(30):
            while not house.counts._waiting:
                await asyncio.sleep(0.01)
            house.store.is_down = False
            while not (stored := await house.stored()):
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [row.requests for row in stored] == [2]
