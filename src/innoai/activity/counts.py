"""Counts of what each key did, kept so that a request costs one look into a dictionary.

note ──▶ cells, by all that the decision knows ──fold, every few seconds──▶ rows by hour, within bounds
                                                          └──flush──▶ the store, added to what is there

What was counted since the last flush dies with the process when that is killed: statistics, a few seconds of
them. A store that is down delays them, up to MOST_WAITING rows. Requests that name no key are not here;
bursts of those are on record in the audit log, and /metrics counts them all.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from innoai.access.activity import (
    ALLOWED,
    EVERYWHERE,
    OTHER,
    bearer_of,
    network_of,
    place_text,
    storable,
)
from innoai.access.decide import Request
from innoai.access.networks import format_address
from innoai.background import repeat
from innoai.store import activity
from innoai.store.activity import What
from innoai.store.usage import HOUR

if TYPE_CHECKING:
    from collections.abc import Callable

    from innoai.access.networks import Network
    from innoai.access.principal import Principal
    from innoai.store.database import Database

FLUSH_SECONDS = 5.0
MINUTE = 60

MOST_CELLS = 10_000
"""Different cells between two flushes; what more there is keeps neither place nor model."""
MOST_PLACES = 32
"""Addresses a key and hour, and then as many networks; what more there is comes from elsewhere."""
MOST_MODELS = 32
"""Names a key and hour, and then `other`: whoever holds a key may ask for any name."""
MOST_KEYS = 20_000
"""Keys whose places of the hour are remembered; one that was forgotten may have as many again."""
MOST_WAITING = 50_000
"""Rows that wait for a store that is down, and as many minutes; peaks know of no more than those."""

_RATED = frozenset((ALLOWED, "rate_limit_exceeded"))
"""Codes of requests that asked the rate limit: what a limit would have to leave room for."""

K = TypeVar("K")

_NO_PLACE = -1
"""The address in cells of which no place is kept."""

_Minute = tuple[str, str, int]
"""An account, a key, and minutes since the epoch."""


@dataclass(slots=True)
class Cell:
    """Requests that were told the same; `place` and `model` as the first of them had them."""

    principal: Principal
    request: Request
    code: str
    address: int | None
    model: str | None
    requests: int
    last_at: float


@dataclass(slots=True)
class _Met:
    """What a key was met with in the present hour: mostly one of each, which in a set takes 216 bytes."""

    addresses: tuple[int, ...] = ()
    networks: tuple[Network, ...] = ()
    models: tuple[str, ...] = ()

    def place(self, address: int | None) -> str:
        """What is kept of an address."""
        if address is None or address == _NO_PLACE:
            return "" if address is None else OTHER
        self.addresses = _with(self.addresses, address, MOST_PLACES)
        if address in self.addresses:
            return format_address(address)
        network = network_of(address)
        self.networks = _with(self.networks, network, MOST_PLACES)
        return place_text(network if network in self.networks else EVERYWHERE)

    def model(self, name: str | None) -> str:
        """What is kept of a model's name."""
        if name is None:
            return ""
        self.models = _with(self.models, name, MOST_MODELS)
        return name if name in self.models else OTHER


class Counts:
    """Counts decisions about keys. Without `keeps` it counts nothing."""

    def __init__(self, database: Database | None, clock: Callable[[], float], *, keeps: bool = True) -> None:
        self._database = database
        self._clock = clock
        self._keeps = keeps and database is not None
        self._cells: dict[tuple[Any, ...], Cell] = {}
        self._hour = 0
        self._met: OrderedDict[str, _Met] = OrderedDict()
        self._waiting: dict[What, tuple[int, float]] = {}
        self._minutes: dict[_Minute, int] = {}
        self.lost = 0
        """Requests that were not counted, since there was no room."""

    def note(self, principal: Principal, request: Request, code: str, now: float) -> None:
        """Count a decision about a key or a token of one."""
        token, route = principal.token, request.route
        which = (
            principal.key.id,
            route.path,
            route.method,
            request.address,
            request.model,
            request.required_scope,
            None if token is None else token.customer_id is None,
            code,
        )
        cell = self._cells.get(which)
        if cell is None:
            self._open(which, principal, request, code, now)
        else:
            cell.requests += 1
            cell.last_at = now

    def _open(
        self, which: tuple[Any, ...], principal: Principal, request: Request, code: str, now: float
    ) -> None:
        """Count it in a cell that is not there, or not under what the request looks like."""
        if not self._keeps:
            return
        address, model = request.address, request.model
        if len(self._cells) >= MOST_CELLS:
            address, model = _NO_PLACE, None if model is None else OTHER
        elif model is not None:
            model = storable(model)
        key_id, path, method, _, _, *rest = which
        kept = (key_id, path, method, address, model, *rest)
        cell = self._cells.get(kept)
        if cell is not None:
            cell.requests += 1
            cell.last_at = now
        elif len(self._cells) < 2 * MOST_CELLS:
            # The quote would keep the body.
            about = Request(request.route, address, required_scope=request.required_scope)
            self._cells[kept] = Cell(principal, about, code, address, model, 1, now)
        else:
            self.lost += 1

    async def run(self) -> None:
        """Flush every few seconds, at whole multiples of them, until cancelled."""
        await repeat("activity", self._until_due, self.flush)

    async def _until_due(self) -> None:
        await asyncio.sleep(FLUSH_SECONDS - self._clock() % FLUSH_SECONDS)

    async def flush(self) -> None:
        """Add what was counted to the store's.

        Raises:
            InnoError: service_unavailable when the store does not answer; what was counted waits.
        """
        self._fold(self._clock())
        if self._database is None or not self._waiting:
            return
        counted, minutes = self._waiting, self._minutes
        self._waiting, self._minutes = {}, {}
        try:
            async with self._database.write(aside=True) as connection:
                await activity.add(connection, counted, minutes)
        except BaseException:
            since, since_minutes = self._waiting, self._minutes
            self._waiting, self._minutes = counted, minutes
            for what, (requests, last_at) in since.items():
                self._add(what, requests, last_at)
            for minute, requests in since_minutes.items():
                self._add_to_minute(minute, requests)
            raise

    def _fold(self, now: float) -> None:
        """Make rows of the cells, within the bounds of an hour."""
        cells, self._cells = self._cells, {}
        minute = int((now - FLUSH_SECONDS / 2) // MINUTE)
        for cell in cells.values():
            account_id, key_id = cell.principal.account.id, cell.principal.key.id
            hour = int(cell.last_at // HOUR)
            met = self._met_in(hour, key_id)
            what = What(
                account_id,
                key_id,
                hour,
                cell.request.route.method,
                cell.request.route.path,
                cell.request.required_scope or "",
                bearer_of(cell.principal),
                met.place(cell.address),
                met.model(cell.model),
                cell.code,
            )
            self._add(what, cell.requests, cell.last_at)
            if cell.code in _RATED:
                self._add_to_minute((account_id, key_id, minute), cell.requests)

    def _met_in(self, hour: int, key_id: str) -> _Met:
        if hour > self._hour:
            self._hour = hour
            self._met.clear()
        met = self._met.get(key_id)
        if met is None:
            met = self._met[key_id] = _Met()
            if len(self._met) > MOST_KEYS:
                self._met.popitem(last=False)
        self._met.move_to_end(key_id)
        return met

    def _add(self, what: What, requests: int, last_at: float) -> None:
        before = self._waiting.get(what)
        if before is not None:
            self._waiting[what] = before[0] + requests, max(before[1], last_at)
        elif len(self._waiting) < MOST_WAITING:
            self._waiting[what] = requests, last_at
        else:
            self.lost += requests

    def _add_to_minute(self, minute: _Minute, requests: int) -> None:
        if minute in self._minutes or len(self._minutes) < MOST_WAITING:
            self._minutes[minute] = self._minutes.get(minute, 0) + requests


def _with(known: tuple[K, ...], one: K, most: int) -> tuple[K, ...]:
    """What is known, and this one with it if there is room."""
    return known if one in known or len(known) >= most else (*known, one)
