"""Budgets that are never exceeded: what a request may cost is set aside before it begins.

The store knows of each budget what was spent and what processes hold. A process takes from the store
in portions, and gives requests of what it holds without asking again: far from the limit a portion
serves many requests, near it each request asks for itself. An amount goes through these hands:

    free in the store -> available here -> reserved by a request -> unshipped -> spent in the store

`held` in the store is at least all that lies between the two ends. What a request did not use becomes
available again; what has been idle for a second goes back to the store. A hold goes down only after
the usage records that it stood for have been added up there, so the sum never dips below the truth:
not between two replicas, not in a crash (see `holders`).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import structlog
from msgspec import Struct

from innoai.access.budgets import Reservation, Shortfall, pot_of
from innoai.errors import InnoError
from innoai.metering import alerts
from innoai.store import budgets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.access.budgets import Budget, Pot, Quote
    from innoai.access.principal import Principal
    from innoai.metering.holders import Holders
    from innoai.metering.owned_files import Found
    from innoai.store.database import Database

SHARE = 64
"""A portion is this part of what is free, or what is asked for, if that is more."""

PATIENCE = 5.0
"""Seconds for which a request waits for what others under way may give back."""

MEMORY_OF_NO = 0.25
"""Seconds for which the store's no is remembered."""

log = structlog.get_logger()


class Holding(Struct):
    """What this process has of one pot, in billionths. `held` is what the store knows of it.

    `available` is below zero after a request that cost more than it could be known to. `is_unsure` from
    when it is changed in the store, whose word of that may get lost, until the shipper has written it again.
    """

    budget: Budget
    held: int = 0
    available: int = 0
    reserved: int = 0
    under_way: int = 0
    unshipped: int = 0
    shipping: int = 0
    wanted: int = 0
    idle: bool = False
    is_unsure: bool = False
    refused_until: float = 0.0
    free_when_refused: int = 0
    left_when_refused: int = 0

    @property
    def needed(self) -> int:
        """What has to stay held once that which is being shipped has arrived."""
        return max(0, self.available) + self.reserved + self.unshipped

    def may_come_free(self, amount: int) -> bool:
        """Whether this much is held, here or elsewhere, but not known to be spent.

        Others may give it back, and what is being shipped counts twice in the store for a moment: as spent
        from when it arrives, and as held until after that.
        """
        return self.left_when_refused - self.unshipped >= amount


class Left(NamedTuple):
    """A budget that applies, and what of it is not yet spent in its present period, by the store."""

    budget: Budget
    left: int


class Budgets:
    """Sets aside and settles, for this process."""

    def __init__(
        self,
        database: Database,
        holders: Holders,
        *,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._database = database
        self._holders = holders
        self._clock = clock
        self._monotonic = monotonic
        self._holdings: dict[Pot, Holding] = {}
        self._asking = asyncio.Lock()
        self._freed = asyncio.Event()

    # What a request asks.

    def reserve_now(self, principal: Principal, quote: Quote, at: float) -> Reservation | None:
        """Set aside what a request may cost at most, if what is held here suffices; else `reserve` has to."""
        held = self._sufficient(principal.budgets, quote.most, at)
        return None if held is None else _set_aside(held, quote.most, at)

    async def reserve(self, principal: Principal, quote: Quote, at: float) -> Reservation | Shortfall:
        """Set aside the most that a request may cost, or less where less is left but enough to begin.

        It waits a little before it refuses, while something may come free.

        Raises:
            InnoError: service_unavailable when the store does not answer.
        """
        applying = principal.budgets
        until = self._monotonic() + PATIENCE
        while True:
            freed = self._freed
            shortfall = await self._top_up(principal, applying, quote, at)
            if shortfall is None:
                held = [(pot, self._holdings[pot]) for pot in (pot_of(budget, at) for budget in applying)]
                amount = min([quote.most, *(holding.available for _, holding in held)])
                if amount >= quote.least:
                    return _set_aside(held, amount, at)
                continue
            patience = until - self._monotonic()
            holding = self._holdings.get(pot_of(shortfall.budget, at))
            if holding is None or patience <= 0 or not holding.may_come_free(quote.least):
                return shortfall
            # What other processes give back, nobody tells of here.
            with suppress(TimeoutError):
                async with asyncio.timeout(min(patience, MEMORY_OF_NO)):
                    await freed.wait()

    def settle(self, reservation: Reservation, cost: int) -> None:
        """The request is over and costs this much; its record has been written."""
        for pot in reservation.pots:
            holding = self._holdings[pot]
            holding.under_way -= 1
            holding.reserved -= reservation.amount
            holding.unshipped += cost
            holding.available += reservation.amount - cost
        self._tell_waiting()

    def release(self, reservation: Reservation) -> None:
        """The request did not happen."""
        self.settle(reservation, 0)

    async def look(self, principal: Principal, at: float) -> list[Left]:
        """How the budgets that apply stand, by the store."""
        found = []
        async with self._database.read() as connection:
            for budget in principal.budgets:
                standing = await budgets.standing(connection, pot_of(budget, at))
                if standing is not None:
                    found.append(Left(budget, standing.amount - standing.spent))
        return found

    # What the shipper does.

    def departed(self) -> Found:
        """Files of processes on the same spool that have ended; asked before what they left is shipped."""
        return self._holders.departed()

    def close(self) -> None:
        """All records so far are about to be shipped."""
        for holding in self._holdings.values():
            holding.shipping += holding.unshipped
            holding.unshipped = 0

    async def shipped(self, departed: Sequence[str], *, leaving: bool = False) -> None:
        """All that was closed is in the store: let go of what it stood for, of what is idle, of the dead.

        Raises:
            InnoError: service_unavailable when the store does not answer; nothing is lost.
        """
        async with self._asking:
            returned = self._take_idle(everything=leaving)
            needed = {
                pot: holding.needed
                for pot, holding in self._holdings.items()
                if holding.shipping or holding.is_unsure or pot in returned
            }
            if needed or departed:
                # Whether an attempt that fails was committed is not known, so what is given back stays so.
                self._doubt(needed)
                async with self._database.write() as connection:
                    await budgets.hold(connection, self._holders.name, needed, self._clock())
                    if departed:
                        await budgets.release(connection, departed)
            self._forget(needed)
        self._holders.bury(departed)
        if leaving and not self._holdings:
            self._holders.leave()

    def _take_idle(self, *, everything: bool) -> set[Pot]:
        """Put what nobody asked for lately out of reach, since it is given back."""
        taken = set()
        for pot, holding in self._holdings.items():
            if holding.available > 0 and (holding.idle or everything):
                taken.add(pot)
                holding.available = 0
        return taken

    def _doubt(self, pots: Iterable[Pot]) -> None:
        """What the store knows of these is about to change."""
        for pot in pots:
            self._holdings[pot].is_unsure = True

    def _forget(self, needed: dict[Pot, int]) -> None:
        for pot, amount in needed.items():
            holding = self._holdings[pot]
            holding.held = amount
            if holding.shipping:
                # It may have been refused for, while it counted twice.
                holding.shipping = 0
                holding.refused_until = 0.0
            holding.is_unsure = False
        for pot, holding in list(self._holdings.items()):
            holding.idle = True
            if not (holding.unshipped or holding.shipping):
                # What was overdrawn has been added up in the store by now.
                holding.available = max(0, holding.available)
            if not (holding.held or holding.needed or holding.wanted or holding.under_way):
                del self._holdings[pot]
        self._tell_waiting()

    # Taking from the store.

    def _sufficient(
        self, applying: Sequence[Budget], amount: int, at: float
    ) -> list[tuple[Pot, Holding]] | None:
        """The holdings that apply, if each has this much to give under the budget as it is now."""
        found = []
        for budget in applying:
            pot = pot_of(budget, at)
            holding = self._holdings.get(pot)
            if holding is None or holding.available < amount or holding.budget != budget:
                return None
            found.append((pot, holding))
        return found

    async def _top_up(
        self, principal: Principal, applying: Sequence[Budget], quote: Quote, at: float
    ) -> Shortfall | None:
        """See that each pot has something for the quote; the first with less than the least falls short."""
        wanting = [self._holdings.setdefault(pot_of(budget, at), Holding(budget)) for budget in applying]
        for holding in wanting:
            holding.wanted += quote.most
        try:
            async with self._asking:
                if self._sufficient(applying, quote.most, at) is not None:
                    return None
                remembered = self._remembered_no(applying, quote, at)
                if remembered is not None:
                    return remembered
                return await self._take(principal, applying, quote, at)
        finally:
            for holding in wanting:
                holding.wanted -= quote.most

    def _remembered_no(self, applying: Sequence[Budget], quote: Quote, at: float) -> Shortfall | None:
        now = self._monotonic()
        for budget in applying:
            holding = self._holdings[pot_of(budget, at)]
            reachable = holding.available + holding.free_when_refused
            if holding.budget == budget and now < holding.refused_until and quote.least > reachable:
                return Shortfall(budget)
        return None

    async def _take(
        self, principal: Principal, applying: Sequence[Budget], quote: Quote, at: float
    ) -> Shortfall | None:
        """Ask the store for each pot in turn, in one transaction."""
        self._appear()
        withdrawn: dict[Pot, int] = {}
        granted: dict[Pot, int] = {}
        # What is held is written in whole, so it may be asked for again, whether it was committed or not.
        async with self._database.write(repeatable=True) as connection:
            for budget in sorted(applying, key=lambda budget: (budget.subject, budget.period)):
                pot = pot_of(budget, at)
                holding = self._holdings[pot]
                standing = await budgets.standing(connection, pot, lock=True)
                if standing is None:
                    # Removed a moment ago, which the keyring is about to hear: nothing bounds it.
                    standing = budgets.Standing(budget.amount, 0, 0)
                if standing.free < 0:
                    # Lowered below what is held: what nobody has begun to spend goes back.
                    self._doubt((pot,))
                    withdrawn[pot] = min(max(0, holding.available), -standing.free)
                    holding.available -= withdrawn[pot]
                holding.budget = budget
                if max(0, standing.free) + holding.available < quote.least:
                    granted.clear()
                    await self._refuse(connection, principal, holding, standing, quote, pot)
                    shortfall = Shortfall(budget)
                    break
                missing = max(quote.most, holding.wanted) - holding.available
                granted[pot] = max(0, min(standing.free, max(missing, standing.free // SHARE)))
            else:
                shortfall = None
            held = {
                pot: self._holdings[pot].held + granted.get(pot, 0) - withdrawn.get(pot, 0)
                for pot in granted.keys() | withdrawn.keys()
            }
            self._doubt(held)
            await budgets.hold(connection, self._holders.name, held, self._clock())
        for pot, amount in held.items():
            holding = self._holdings[pot]
            holding.held = amount
            holding.available += granted.get(pot, 0)
        return shortfall

    def _appear(self) -> None:
        """Leave word in the spool's directory that this process holds something, should it die."""
        try:
            self._holders.appear()
        except OSError as error:
            log.error("nothing can be held of budgets: the spool takes no file", error=str(error))
            raise InnoError("service_unavailable") from error

    async def _refuse(
        self,
        connection: AsyncConnection,
        principal: Principal,
        holding: Holding,
        standing: budgets.Standing,
        quote: Quote,
        pot: Pot,
    ) -> None:
        """Remember the no for a while; if it is not for what others may give back, tell the tenant once."""
        holding.refused_until = self._monotonic() + MEMORY_OF_NO
        holding.free_when_refused = max(0, standing.free)
        holding.left_when_refused = standing.amount - standing.spent
        if standing.spent + quote.least > standing.amount:
            await alerts.exhausted(connection, principal, holding.budget, pot, standing.spent, self._clock())

    def _tell_waiting(self) -> None:
        freed, self._freed = self._freed, asyncio.Event()
        freed.set()


def _set_aside(held: Sequence[tuple[Pot, Holding]], amount: int, at: float) -> Reservation:
    for _, holding in held:
        holding.available -= amount
        holding.under_way += 1
        holding.reserved += amount
        holding.idle = False
    return Reservation(tuple(pot for pot, _ in held), amount, at)
