"""Bursts of failed authentications: heard of at the door, recorded beside it.

The door must not wait for the store, so what it reports is queued, and recorded each second. Of each
site a burst is recorded once in QUIET_SECONDS, and what the queue has no room for is not recorded:
whoever guesses keys can make the audit log grow no faster than that.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from innoai.access.networks import format_address, site_of
from innoai.background import repeat
from innoai.errors import InnoError
from innoai.events import journal
from innoai.events.journal import Actor
from innoai.store import accounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.access.principal import Principal
    from innoai.store.database import Database

ACTION = "auth.failed_burst"
QUIET_SECONDS = 600.0
MAX_SITES = 10_000
MAX_WAITING = 100
RECORD_SECONDS = 1.0


class Burst(NamedTuple):
    """An address that used up its failures at `at`, and whose credential failed last, if it is known."""

    address: str | None
    account_id: str | None
    key_id: str | None
    at: float


class Bursts:
    """Hears of bursts without waiting, and records them for the accounts that they concern."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._heard: OrderedDict[int | None, float] = OrderedDict()
        self._waiting: deque[Burst] = deque()

    def note(self, address: int | None, principal: Principal | None) -> None:
        """Keep a burst to be recorded, unless its site's last one was not long ago."""
        site = None if address is None else site_of(address)
        now = self._clock()
        if now - self._heard.get(site, -QUIET_SECONDS) < QUIET_SECONDS or len(self._waiting) >= MAX_WAITING:
            return
        self._heard[site] = now
        self._heard.move_to_end(site)
        if len(self._heard) > MAX_SITES:
            self._heard.popitem(last=False)
        burst = Burst(
            None if address is None else format_address(address),
            None if principal is None else principal.account.id,
            None if principal is None else principal.key.id,
            now,
        )
        self._waiting.append(burst)

    async def record_all(self, database: Database) -> None:
        """Record what is heard of until cancelled; while the store is down it waits."""
        await repeat(
            "bursts of failed authentications",
            partial(asyncio.sleep, RECORD_SECONDS),
            partial(self._record_waiting, database),
        )

    async def _record_waiting(self, database: Database) -> None:
        while self._waiting:
            burst = self._waiting.popleft()
            try:
                async with database.write() as connection:
                    await self._record(connection, burst)
            except InnoError:
                self._waiting.appendleft(burst)
                raise

    async def _record(self, connection: AsyncConnection, burst: Burst) -> None:
        """For the account whose credential failed, else for the first, which is the operator's own."""
        account_id = burst.account_id
        if account_id is None:
            first = await accounts.first(connection)
            if first is None:
                return
            account_id = first.id
        await journal.record(
            connection,
            account_id,
            ACTION,
            actor=Actor("anonymous", address=burst.address),
            now=burst.at,
            target_id=burst.key_id,
            after={"address": burst.address, "key_id": burst.key_id, "limit": self._limit},
        )
