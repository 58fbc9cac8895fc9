"""From the spool to the store: each second what the segments hold, in transactions, idempotent by request id.

What the disk has no room for goes from memory to the store.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

import structlog
from msgspec.structs import replace

from innoai.background import repeat
from innoai.metering import alerts
from innoai.metering.prices import convert_cost
from innoai.metering.spool import DAMAGED, is_damaged, records_in
from innoai.store import accounts, usage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.config import BillingSettings
    from innoai.metering.budgets import Budgets
    from innoai.metering.spool import Spool
    from innoai.store.database import Database
    from innoai.store.usage import UsageRecord

SHIP_SECONDS = 1.0
SPREAD_SECONDS = 0.8
"""Over so long what has come in a second is shipped, lest requests queue behind it."""

LONGEST_PAUSE, LONGEST_REST = 0.002, 0.02
"""Seconds between two statements, while other writers wait for the transaction; and between transactions."""

SMALLEST_BATCH, LARGEST_BATCH = 256, 1024
"""Records of a transaction: what it writes when it ends, it writes at once."""

TRANSACTIONS = 32
"""About so many a shipment, since each ends with a sync of the disk."""

log = structlog.get_logger()


class Pace(NamedTuple):
    """How records go to the store: so many in a transaction, with so many seconds of `pause` between its
    statements and of `rest` after it."""

    batch: int
    pause: float
    rest: float

    @classmethod
    def of(cls, waiting: int) -> Pace:
        """A pace for so many records at which they hold no request up, and go as fast as a core has time."""
        if waiting <= SMALLEST_BATCH:
            return cls(SMALLEST_BATCH, 0.0, 0.0)
        batch = min(max(waiting // TRANSACTIONS, SMALLEST_BATCH), LARGEST_BATCH)
        seconds, statements = SPREAD_SECONDS * batch / waiting, batch / usage.ROWS_PER_STATEMENT
        pause = min(LONGEST_PAUSE, seconds / 2 / statements)
        return cls(batch, pause, min(LONGEST_REST, seconds - pause * statements))


HASTE = Pace(LARGEST_BATCH, 0.0, 0.0)
"""When nobody waits for anything else."""


class Shipper:
    """Moves what segments hold into the store; a store that is down delays and never drops.

    With the records goes what was set aside for them, and the word of thresholds that they reach.
    What was priced before the account chose its currency is converted to that.
    """

    def __init__(
        self,
        spool: Spool,
        database: Database,
        budgets: Budgets,
        billing: BillingSettings,
        clock: Callable[[], float],
    ) -> None:
        self._spool = spool
        self._database = database
        self._budgets = budgets
        self._billing = billing
        # Of accounts that were charged, which do not change any more.
        self._currencies: dict[str, str] = {}
        self._clock = clock
        self._due = 0.0

    async def run(self) -> None:
        """Ship every second until cancelled."""
        await repeat("usage records", self._until_due, self.ship)

    async def _until_due(self) -> None:
        """Wait until a second after the last time began, or not at all where that took longer."""
        now = asyncio.get_running_loop().time()
        self._due = max(self._due + SHIP_SECONDS, now)
        await asyncio.sleep(self._due - now)

    async def ship(self, *, leaving: bool = False) -> None:
        """Ship all there is; `leaving` when nothing follows.

        Raises:
            InnoError: service_unavailable when the store does not answer; nothing is lost.
            OSError: a file cannot be read or removed; all others are shipped, and nothing is lost.
        """
        # First, so that all that they have left behind is among the segments.
        departed = self._budgets.departed()
        self._spool.close_segment()
        self._budgets.close()
        full = self._spool.full_segments()
        pace = HASTE if leaving else Pace.of(sum(segment.count for segment in full))
        await self._ship_homeless(pace)
        for segment in full:
            await self._add_all(segment.records(), pace)
            self._spool.shipped(segment)
        faults = await self._ship_left()
        # What cannot be read may be what the departed have spent.
        gone = [] if faults else [path.stem for path in departed.abandoned]
        await self._budgets.shipped(gone, leaving=leaving)
        if faults or departed.faults:
            raise OSError("; ".join(map(str, faults + departed.faults)))

    async def _ship_homeless(self, pace: Pace) -> None:
        """Ship the records that are in memory alone."""
        homeless = self._spool.take_homeless()
        if not homeless:
            return
        why = self._spool.no_room_because
        log.error("the usage spool takes no records: until the store has them they are in memory", error=why)
        try:
            await self._add_all(iter(homeless), pace)
        except BaseException:
            self._spool.put_back(homeless)
            raise

    async def _ship_left(self) -> list[OSError]:
        """Ship the segments of processes that have ended, and give what kept some of them from it."""
        left = self._spool.left_segments()
        faults = left.faults
        for path in left.abandoned:
            try:
                content = await asyncio.to_thread(_content, path)
                await self._add_all(records_in(content, path.name), HASTE)
                await asyncio.to_thread(_put_away, path, content)
            except OSError as error:
                faults.append(error)
        return faults

    async def _add_all(self, records: Iterator[UsageRecord], pace: Pace) -> None:
        for first in records:
            batch = chain((first,), islice(records, pace.batch - 1))
            try:
                await self._add(partial(usage.add_new, records=batch, pause=pace.pause))
            except usage.AlreadyThereError as some:
                # They have come before, and who shipped them died before it could say so.
                await self._add(partial(usage.add, records=chain(some.taken, batch)))
            if pace.rest:
                await asyncio.sleep(pace.rest)

    async def _add(self, add: Callable[..., Awaitable[list[UsageRecord]]]) -> None:
        charged: dict[str, str] = {}
        async with self._database.write(aside=True) as connection:
            new = await add(connection, settle=partial(self._settle, connection, charged))
            await alerts.thresholds(connection, new, self._billing.currency, self._clock())
        self._currencies |= charged

    async def _settle(
        self, connection: AsyncConnection, charged: dict[str, str], records: list[UsageRecord]
    ) -> list[UsageRecord]:
        """The records with costs in their accounts' currencies; `charged` gets those of the transaction."""
        priced = {record.account_id for record in records if record.currency is not None}
        unknown = priced - self._currencies.keys() - charged.keys()
        if unknown:
            # Held, since somebody who finds nothing charged may be choosing another one.
            chosen = await accounts.currencies_held(connection, unknown)
            charged |= {account: currency or self._billing.currency for account, currency in chosen.items()}
        return [self._converted(record, charged) for record in records]

    def _converted(self, record: UsageRecord, charged: dict[str, str]) -> UsageRecord:
        if record.currency is None or record.cost is None:
            return record
        account = record.account_id
        own = self._currencies.get(account) or charged.get(account, record.currency)
        if own == record.currency:
            return record
        cost = convert_cost(record.cost, record.currency, own, self._billing)
        return replace(record, cost=cost, currency=own)


def _content(path: Path) -> bytes:
    """What is in a segment that was left; nothing when another process has shipped it first."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _put_away(path: Path, content: bytes) -> None:
    """Remove a segment whose records are in the store; one that is damaged is kept under another name."""
    if is_damaged(content):
        kept = path.with_suffix(DAMAGED)
        log.error("a damaged segment of the usage spool is kept", segment=path.name, file=str(kept))
        # Another process may have done so first.
        with contextlib.suppress(FileNotFoundError):
            path.rename(kept)
    else:
        path.unlink(missing_ok=True)
