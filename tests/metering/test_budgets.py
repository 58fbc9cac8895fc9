"""Budgets are never exceeded: not by many at once, not by two processes, not by one that dies."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from innoai.access.budgets import Budget, Pot, Quote, Reservation, Shortfall
from innoai.access.networks import Networks
from innoai.access.principal import Account, ApiKey, Customer, Principal
from innoai.access.scopes import DEFAULT_SCOPES, scope_set
from innoai.config import BillingSettings
from innoai.errors import InnoError
from innoai.events import journal
from innoai.fresh_ids import fresh_id
from innoai.metering import budgets as budgets_module
from innoai.metering import shipping as shipping_module
from innoai.metering.budgets import Budgets
from innoai.metering.holders import Holders
from innoai.metering.shipping import Shipper
from innoai.metering.spool import Spool
from innoai.store import accounts
from innoai.store import budgets as stored_budgets
from innoai.store.tables import budget_holds, events, spending
from innoai.store.usage import UsageRecord
from tests.support.stores import NOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.store.database import Database

MONTH = "2026-11"
COST = 100
numbers = itertools.count()


def payer(*budgets: Budget) -> Principal:
    """Somebody to whom these budgets apply."""
    of = {
        subject: tuple(b for b in budgets if b.subject == subject) for subject in ("acc_1", "cus_1", "key_1")
    }
    key = ApiKey("key_1", scope_set(DEFAULT_SCOPES), Networks(), 1000, None, None, None, of["key_1"])
    customer = Customer("cus_1", "customer-1", False, None, of["cus_1"])
    return Principal(Account("acc_1", "startup", False, budgets=of["acc_1"]), key, customer)


def costing(cost: int, at: float = NOW) -> UsageRecord:
    """The record of a request."""
    return UsageRecord(
        f"req_{next(numbers)}",
        "acc_1",
        "key_1",
        "/v1/chat/completions",
        200,
        "complete",
        at,
        1.0,
        customer_pk="cus_1",
        customer_id="customer-1",
        cost=cost,
    )


@dataclass
class Process:
    """A process of the server, as far as budgets are concerned."""

    database: Database
    directory: Path
    now: float = NOW
    spool: Spool = field(init=False)
    budgets: Budgets = field(init=False)
    shipper: Shipper = field(init=False)

    def __post_init__(self) -> None:
        self.spool = Spool(self.directory, lambda: fresh_id("use"))
        self.holders = Holders(self.directory, fresh_id("hld"))
        self.budgets = Budgets(self.database, self.holders, clock=lambda: self.now, monotonic=time.monotonic)
        self.shipper = Shipper(self.spool, self.database, self.budgets, BillingSettings(), lambda: self.now)

    async def reserve(self, principal: Principal, least: int, most: int | None = None) -> Any:
        quote = Quote(least, least if most is None else most)
        held = self.budgets.reserve_now(principal, quote, self.now)
        return held or await self.budgets.reserve(principal, quote, self.now)

    def finish(self, reservation: Reservation, cost: int) -> None:
        """The request is over: its record is written, as the gateway does."""
        self.budgets.settle(reservation, cost)
        self.spool.append(costing(cost, reservation.at))

    def die(self) -> None:
        """End as by kill -9: locks go, files stay."""
        self.spool.close()
        lock, self.holders._lock = self.holders._lock, None
        if lock is not None:
            os.close(lock)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for what others may give back."""
    monkeypatch.setattr(budgets_module, "PATIENCE", 0.2)


@pytest.fixture
def process(database: Database, tmp_path: Path) -> Process:
    return Process(database, tmp_path / "spool")


async def budget(database: Database, amount: int, subject: str = "key_1", period: Any = "monthly") -> Budget:
    async with database.write() as connection:
        await stored_budgets.set_amount(connection, "acc_1", subject, period, amount, NOW)
    return Budget(subject, period, amount)


async def spent(database: Database, subject: str = "key_1") -> int:
    async with database.read() as connection:
        found = await connection.execute(select(spending.c.cost).where(spending.c.subject == subject))
        return sum(found.scalars())


async def held(database: Database) -> int:
    async with database.read() as connection:
        return sum((await connection.execute(select(budget_holds.c.amount))).scalars())


async def told(database: Database) -> list[tuple[str, Any]]:
    """The events in order: their types, and what they say of percentages."""
    async with database.read() as connection:
        rows = await connection.execute(select(events.c.type, events.c.body).order_by(events.c.id))
        return [(row.type, msgspec.json.decode(row.body)["data"].get("threshold")) for row in rows]


async def test_many_at_once_on_two_processes_spend_at_most_the_budget(
    database: Database, tmp_path: Path
) -> None:
    amount = 20 * COST
    principal = payer(await budget(database, amount), await budget(database, amount + 1, "cus_1", "total"))
    processes = [Process(database, tmp_path / name) for name in ("one", "other")]
    chance = random.Random(7)

    async def request(number: int) -> int:
        process = processes[number % 2]
        reservation = await process.reserve(principal, COST)
        if isinstance(reservation, Shortfall):
            return 0
        await asyncio.sleep(chance.random() / 50)
        cost = chance.randrange(COST // 2, COST + 1)
        process.finish(reservation, cost)
        return cost

    async def keep_shipping(process: Process) -> None:
        while True:
            await process.shipper.ship()
            await asyncio.sleep(0.05)

    shipping = [asyncio.create_task(keep_shipping(process)) for process in processes]
    costs = await asyncio.gather(*(request(number) for number in range(200)))
    # What was set aside and not needed is free again, so the rest can be spent one by one.
    refused = 0
    while refused < 10:
        costs.append(await request(len(costs)))
        if costs[-1] == 0:
            refused += 1
            await asyncio.sleep(0.1)
    for task in shipping:
        task.cancel()
    await asyncio.gather(*shipping, return_exceptions=True)
    for process in processes:
        await process.shipper.ship(leaving=True)
    assert await spent(database) == sum(costs) <= amount
    # What is not spent is less than what one more request would need.
    assert sum(costs) > amount - COST
    assert await held(database) == 0


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_happens_in_whatever_order_the_budget_holds(
    database: Database, tmp_path: Path, seed: int, patience: None
) -> None:
    """Processes reserve, finish, ship and die; what was really spent and is set aside stays within."""
    chance = random.Random(seed)
    amount = chance.choice((0, COST, 7 * COST, 50 * COST))
    principal = payer(await budget(database, amount))
    places = [tmp_path / "one", tmp_path / "other"]
    processes = [Process(database, place) for place in places]
    under_way: list[list[Reservation]] = [[], []]
    really_spent = 0
    for _ in range(120):
        which = chance.randrange(2)
        process, own = processes[which], under_way[which]
        action = chance.choice(("reserve", "reserve", "reserve", "finish", "finish", "ship", "die"))
        if action == "reserve":
            outcome = (
                await asyncio.wait_for(process.budgets.reserve(principal, Quote(COST // 4, COST), NOW), 5)
                if not own
                else process.budgets.reserve_now(principal, Quote(COST // 4, COST), NOW)
            )
            if isinstance(outcome, Reservation):
                own.append(outcome)
        elif action == "finish" and own:
            reservation = own.pop(chance.randrange(len(own)))
            cost = chance.choice((0, reservation.amount, chance.randrange(reservation.amount + 1)))
            process.finish(reservation, cost)
            really_spent += cost
        elif action == "ship":
            await process.shipper.ship()
        elif action == "die" and chance.random() < 0.3:
            process.die()
            own.clear()
            processes[which] = Process(database, places[which])
        assert really_spent + sum(r.amount for r in itertools.chain(*under_way)) <= amount
        assert await spent(database) <= really_spent
    for process, own in zip(processes, under_way, strict=True):
        for reservation in own:
            process.finish(reservation, 0)
        await process.shipper.ship()
        await process.shipper.ship(leaving=True)
    assert await spent(database) == really_spent
    assert await held(database) == 0


async def test_what_a_dead_process_held_is_free_once_its_records_are_in_the_store(
    database: Database, tmp_path: Path, patience: None
) -> None:
    principal = payer(await budget(database, 3 * COST))
    dying = Process(database, tmp_path / "spool")
    dying.finish(await dying.reserve(principal, COST), COST)
    await dying.reserve(principal, 2 * COST)
    dying.die()
    elsewhere = Process(database, tmp_path / "elsewhere")
    assert isinstance(await elsewhere.reserve(principal, COST), Shortfall)
    heir = Process(database, tmp_path / "spool")
    await heir.shipper.ship()
    assert await spent(database) == COST
    assert isinstance(await heir.reserve(principal, 2 * COST), Reservation)


async def test_what_nobody_asks_for_goes_back_to_the_others(
    database: Database, process: Process, tmp_path: Path, patience: None
) -> None:
    principal = payer(await budget(database, 64 * COST))
    reservation = await process.reserve(principal, COST // 10)
    assert await held(database) == COST
    process.finish(reservation, COST // 10)
    await process.shipper.ship()
    await process.shipper.ship()
    assert await held(database) == 0
    other = Process(database, tmp_path / "other")
    assert isinstance(await other.reserve(principal, 64 * COST - COST // 10), Reservation)


async def test_what_is_settled_while_others_are_shipped_stays_held(
    database: Database, process: Process
) -> None:
    principal = payer(await budget(database, 2 * COST))
    first, second = await process.reserve(principal, COST), await process.reserve(principal, COST)
    process.finish(first, COST)
    process.spool.close_segment()
    process.budgets.close()
    process.finish(second, COST)
    await process.budgets.shipped([])
    assert await held(database) == COST
    await process.shipper.ship()
    assert (await spent(database), await held(database)) == (2 * COST, 0)


async def test_near_the_limit_a_request_waits_for_what_another_gives_back(
    database: Database, process: Process
) -> None:
    principal = payer(await budget(database, COST))
    first = await process.reserve(principal, COST)
    second = asyncio.create_task(process.reserve(principal, COST // 2))
    await asyncio.sleep(0.05)
    assert not second.done()
    process.finish(first, COST // 4)
    assert isinstance(await second, Reservation)


@asynccontextmanager
async def arriving(process: Process, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Records have been added up in the store, and what is held for them was not let go of yet."""
    arrived, may_end, shipped = asyncio.Event(), asyncio.Event(), process.budgets.shipped

    async def shipped_later(departed: Sequence[str], *, leaving: bool = False) -> None:
        arrived.set()
        await may_end.wait()
        await shipped(departed, leaving=leaving)

    monkeypatch.setattr(process.budgets, "shipped", shipped_later)
    shipping = asyncio.create_task(process.shipper.ship())
    await arrived.wait()
    yield
    may_end.set()
    await shipping


async def test_what_counts_twice_while_it_is_shipped_is_waited_for(
    database: Database, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    principal = payer(await budget(database, 2 * COST))
    process.finish(await process.reserve(principal, COST), COST)
    async with arriving(process, monkeypatch):
        assert (await spent(database), await held(database)) == (COST, COST)
        second = asyncio.create_task(process.reserve(principal, COST))
        third = asyncio.create_task(process.reserve(principal, COST // 2))
        await asyncio.sleep(0.05)
        assert [second.done(), third.done()] == [False, False]
    assert isinstance(await second, Reservation)
    process.finish(second.result(), COST // 4)
    assert isinstance(await third, Reservation)


async def test_what_another_process_may_give_back_is_waited_for(
    database: Database, process: Process, tmp_path: Path
) -> None:
    principal = payer(await budget(database, COST))
    other = Process(database, tmp_path / "other")
    process.finish(await process.reserve(principal, COST // 4, COST), COST // 4)
    second = asyncio.create_task(other.reserve(principal, COST // 2))
    await process.shipper.ship()
    await process.shipper.ship()
    assert isinstance(await second, Reservation)


async def test_what_would_not_fit_even_then_is_refused_at_once(
    database: Database, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    principal = payer(await budget(database, 2 * COST - 1))
    process.finish(await process.reserve(principal, COST), COST)
    async with arriving(process, monkeypatch), asyncio.timeout(budgets_module.PATIENCE / 2):
        assert isinstance(await process.reserve(principal, COST), Shortfall)


async def test_where_less_is_left_than_the_most_enough_to_begin_is_set_aside(
    database: Database, process: Process, patience: None
) -> None:
    principal = payer(await budget(database, 3 * COST))
    outcome = await process.reserve(principal, COST, 10 * COST)
    assert (outcome.amount, outcome.pots) == (3 * COST, (Pot("key_1", MONTH),))
    assert isinstance(await process.reserve(principal, COST, 10 * COST), Shortfall)


async def test_the_budget_with_the_least_left_decides(
    database: Database, process: Process, patience: None
) -> None:
    wide, narrow = await budget(database, 100 * COST), await budget(database, COST, "acc_1", "total")
    principal = payer(wide, narrow)
    outcome = await process.reserve(principal, 2 * COST)
    assert outcome == Shortfall(narrow)
    assert set((await process.reserve(principal, COST)).pots) == {Pot("acc_1", "total"), Pot("key_1", MONTH)}


async def test_a_lowered_budget_takes_back_what_nobody_has_begun_to_spend(
    database: Database, process: Process, patience: None
) -> None:
    process.finish(await process.reserve(payer(await budget(database, 640 * COST)), COST), COST)
    assert await held(database) == 10 * COST
    lowered = payer(await budget(database, COST))
    assert isinstance(await process.reserve(lowered, 1), Shortfall)
    assert await held(database) == COST


async def test_a_raised_budget_counts_at_once(database: Database, process: Process, patience: None) -> None:
    assert isinstance(await process.reserve(payer(await budget(database, COST)), 2 * COST), Shortfall)
    assert isinstance(await process.reserve(payer(await budget(database, 2 * COST)), 2 * COST), Reservation)


async def test_each_month_has_its_own_pot(database: Database, process: Process, patience: None) -> None:
    principal = payer(await budget(database, COST))
    process.finish(await process.reserve(principal, COST), COST)
    assert isinstance(await process.reserve(principal, COST), Shortfall)
    process.now += 31 * 86_400
    assert isinstance(await process.reserve(principal, COST), Reservation)


async def test_a_request_that_cost_more_than_could_be_known_is_paid_by_what_is_left(
    database: Database, process: Process, patience: None
) -> None:
    principal = payer(await budget(database, 10 * COST))
    process.finish(await process.reserve(principal, COST), 9 * COST)
    await process.shipper.ship()
    await process.shipper.ship()
    assert (await spent(database), await held(database)) == (9 * COST, 0)
    assert isinstance(await process.reserve(principal, 2 * COST), Shortfall)
    assert isinstance(await process.reserve(principal, COST), Reservation)


async def test_a_request_that_did_not_happen_costs_nothing(database: Database, process: Process) -> None:
    principal = payer(await budget(database, COST))
    for _ in range(5):
        process.budgets.release(await process.reserve(principal, COST))
    await process.shipper.ship(leaving=True)
    assert (await spent(database), await held(database)) == (0, 0)


async def test_a_removed_budget_bounds_nothing(database: Database, process: Process) -> None:
    principal = payer(await budget(database, COST))
    async with database.write() as connection:
        await stored_budgets.set_amount(connection, "acc_1", "key_1", "monthly", None, NOW)
    assert isinstance(await process.reserve(principal, COST), Reservation)


async def test_thresholds_and_exhaustion_are_said_once_each(
    database: Database, process: Process, tmp_path: Path, patience: None
) -> None:
    principal = payer(await budget(database, 10 * COST))
    for step in range(1, 11):
        process.finish(await process.reserve(principal, COST), COST)
        await process.shipper.ship()
        said = [("billing.threshold_reached", percent) for percent in (80, 100) if step * 10 >= percent]
        assert await told(database) == said
    for each in (process, process, Process(database, tmp_path / "other")):
        assert isinstance(await each.reserve(principal, COST), Shortfall)
        each.budgets._holdings.clear()
    assert (await told(database))[2:] == [("billing.budget_exhausted", None)]
    raised = payer(await budget(database, 12 * COST))
    process.finish(await process.reserve(raised, COST), COST)
    await process.shipper.ship()
    assert (await told(database))[3:] == [("billing.threshold_reached", 80)]


async def test_a_refusal_for_what_others_have_set_aside_is_no_exhaustion(
    database: Database, process: Process, tmp_path: Path, patience: None
) -> None:
    principal = payer(await budget(database, COST))
    await process.reserve(principal, COST)
    assert isinstance(await Process(database, tmp_path / "other").reserve(principal, COST), Shortfall)
    assert await told(database) == []


async def test_a_store_that_is_down_neither_loses_nor_gives_away(
    database: Database, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    principal = payer(await budget(database, 10 * COST))
    reservation = await process.reserve(principal, COST)

    async def fail(*_arguments: object) -> None:
        raise OSError

    monkeypatch.setattr(stored_budgets, "hold", fail)
    process.finish(reservation, COST)
    for _ in range(2):
        with pytest.raises(Exception, match="service_unavailable"):
            await process.shipper.ship()
    with pytest.raises(Exception, match="service_unavailable"):
        await process.reserve(principal, 5 * COST)
    monkeypatch.undo()
    await process.shipper.ship()
    await process.shipper.ship()
    assert (await spent(database), await held(database)) == (COST, 0)


async def test_an_account_chooses_its_thresholds(database: Database, process: Process) -> None:
    for chosen, said in (((), []), ((30, 50), [30, 50])):
        async with database.write() as connection:
            await accounts.change(connection, "acc_1", {"alert_thresholds": list(chosen)}, NOW)
        principal = payer(await budget(database, 100 * COST))
        process.finish(await process.reserve(principal, 50 * COST), 50 * COST)
        await process.shipper.ship()
        assert [threshold for _, threshold in await told(database)] == said


async def test_a_request_for_which_nothing_is_set_aside_ends_however_long_it_takes(
    database: Database, process: Process
) -> None:
    principal = payer(await budget(database, 10 * COST))
    reservation = await process.reserve(principal, 0)
    for _ in range(3):
        await process.shipper.ship()
    process.finish(reservation, COST)
    await process.shipper.ship(leaving=True)
    assert (await spent(database), await held(database)) == (COST, 0)


async def test_a_process_that_ends_while_it_still_holds_something_leaves_that_to_the_next(
    database: Database, process: Process
) -> None:
    principal = payer(await budget(database, 10 * COST))
    await process.reserve(principal, COST)
    await process.shipper.ship(leaving=True)
    assert await held(database) == COST
    process.die()
    await Process(database, process.directory).shipper.ship()
    assert await held(database) == 0


async def test_holds_are_let_go_of_though_a_file_of_the_spool_cannot_be_read(
    database: Database, process: Process
) -> None:
    principal = payer(await budget(database, 10 * COST))
    for name in ("use_.usage", "hld_.holder"):
        (process.directory / name).symlink_to(name)
    process.finish(await process.reserve(principal, COST), COST)
    for _ in range(2):
        with pytest.raises(OSError, match=r"use_\.usage.*hld_\.holder"):
            await process.shipper.ship()
    assert (await spent(database), await held(database)) == (COST, 0)


async def test_what_the_dead_held_stays_while_what_they_spent_cannot_be_read(
    database: Database, tmp_path: Path
) -> None:
    principal = payer(await budget(database, 10 * COST))
    dying, heir = (Process(database, tmp_path / "spool") for _ in range(2))
    await dying.reserve(principal, COST)
    dying.die()
    unreadable = dying.directory / "use_.usage"
    unreadable.symlink_to(unreadable)
    with pytest.raises(OSError, match="use_"):
        await heir.shipper.ship()
    assert await held(database) == COST
    unreadable.unlink()
    await heir.shipper.ship()
    assert await held(database) == 0


async def test_where_no_file_can_be_made_nothing_is_held_and_the_request_is_refused(
    database: Database, process: Process
) -> None:
    principal = payer(await budget(database, 10 * COST))
    process.directory.rmdir()
    with capture_logs() as logs, pytest.raises(InnoError) as refused:
        await process.reserve(principal, COST)
    assert refused.value.refusal.code == "service_unavailable"
    assert [said["log_level"] for said in logs] == ["error"]
    assert await held(database) == 0


class Forgetful:
    """A store whose word of a commit does not arrive, once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_lossy = True

    @asynccontextmanager
    async def write(self, **how: bool) -> AsyncIterator[AsyncConnection]:
        async with self._database.write(**how) as connection:
            yield connection
        if self.is_lossy:
            self.is_lossy = False
            raise InnoError("service_unavailable")


async def test_what_was_held_without_knowing_it_goes_back(
    database: Database, tmp_path: Path, patience: None
) -> None:
    process = Process(cast("Database", Forgetful(database)), tmp_path / "spool")
    principal = payer(await budget(database, COST))
    with pytest.raises(InnoError):
        await process.reserve(principal, COST)
    assert await held(database) == COST
    await process.shipper.ship()
    assert await held(database) == 0
    assert isinstance(await process.reserve(principal, COST), Reservation)


async def test_what_may_have_been_given_back_is_not_served_from(
    database: Database, tmp_path: Path, patience: None
) -> None:
    store = Forgetful(database)
    store.is_lossy = False
    processes = [
        Process(cast("Database", store), tmp_path / "one"),
        Process(database, tmp_path / "other"),
    ]
    principal = payer(await budget(database, COST))
    one, other = processes
    one.finish(await one.reserve(principal, COST), 0)
    await one.shipper.ship()
    store.is_lossy = True
    with pytest.raises(InnoError):
        await one.shipper.ship()
    outcomes = [await process.reserve(principal, COST) for process in (other, one)]
    assert [type(outcome) for outcome in outcomes] == [Reservation, Shortfall]


async def test_who_changes_a_budget_and_who_tells_of_thresholds_do_not_wait_for_each_other(
    database: Database, process: Process
) -> None:
    key = payer(await budget(database, COST))
    process.finish(await process.reserve(key, COST), COST)
    await process.shipper.ship()
    await budget(database, 2 * COST, "acc_1")
    process.spool.append(costing(COST))
    async with database.write() as connection:
        await stored_budgets.set_amount(connection, "acc_1", "key_1", "monthly", 2 * COST, NOW)
        shipping = asyncio.create_task(process.shipper.ship())
        if connection.dialect.name == "postgresql":
            await waiting_for_a_lock(connection)
        await journal.record(
            connection, "acc_1", "billing.settings_updated", actor=journal.SYSTEM, now=NOW, target_id="acc_1"
        )
    await shipping
    thresholds = [("billing.threshold_reached", percent) for percent in (80, 100)]
    assert sorted(event for event in await told(database) if event[1]) == sorted(thresholds * 3)


async def test_shipping_goes_on_after_something_unforeseen(
    database: Database, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping_module, "SHIP_SECONDS", 0.01)
    await budget(database, COST)
    process.spool.append(msgspec.structs.replace(costing(COST), account_id="acc_unknown"))
    shipping = asyncio.create_task(process.shipper.run())
    await asyncio.wait([shipping], timeout=0.5)
    async with database.write() as connection:
        await stored_budgets.set_amount(connection, "acc_1", "key_1", "monthly", None, NOW)
    async with asyncio.timeout(10):
        while await spent(database) < COST:
            await asyncio.sleep(0.01)
    shipping.cancel()


async def waiting_for_a_lock(connection: AsyncConnection) -> None:
    """Return once another transaction waits for one."""
    async with asyncio.timeout(10):
        while not (
            await connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        ).scalar():
            await asyncio.sleep(0.01)
