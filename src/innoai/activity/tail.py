"""An account's requests as they are decided and finished, for whoever watches, and its last refusals.

Of this process alone: what other replicas decide is told by them. Nothing is made for an account that nobody
watches, but for its refusals, of which the last ones are kept, so that whoever comes after the fact sees why.
Whoever reads too slowly loses what there is no room for, and is told how much that was.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from innoai.access.activity import storable
from innoai.store.usage import UsageRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from innoai.access.decide import Decision
    from innoai.access.principal import Principal

MOST_QUEUED = 1000
"""What waits for one watcher."""
REMEMBERED = 200
"""Refusals of an account."""
MOST_ACCOUNTS = 200
"""Accounts whose refusals are remembered, those that were refused something last."""


class Decided(NamedTuple):
    """A decision at an instant, Unix seconds; its request keeps no body."""

    at: float
    decision: Decision


class Finished(NamedTuple):
    """An admitted request is over."""

    record: UsageRecord


Told = Decided | Finished


class Watcher:
    """Whoever watches an account, or one of its keys; with `only_refused` only what goes no further."""

    def __init__(self, account_id: str, key_id: str | None = None, *, only_refused: bool = False) -> None:
        self.account_id = account_id
        self._key_id = key_id
        self._only_refused = only_refused
        self._queue: deque[Told] = deque()
        self._lost = 0
        self._ready = asyncio.Event()

    def wants(self, key_id: str, *, refused: bool) -> bool:
        """Whether it is to be told of a request of that key."""
        return (refused or not self._only_refused) and self._key_id in (None, key_id)

    def tell(self, told: Told) -> None:
        """Keep what is to be told, if there is room."""
        if len(self._queue) >= MOST_QUEUED:
            self._lost += 1
            return
        self._queue.append(told)
        self._ready.set()

    async def wait(self, seconds: float) -> None:
        """Wait until there is something to be told, for so long at most."""
        try:
            async with asyncio.timeout(seconds):
                await self._ready.wait()
        except TimeoutError:
            return

    def take(self) -> tuple[list[Told], int]:
        """What there is to be told, and behind how much else that was lost since the last time."""
        told, lost = list(self._queue), self._lost
        self._queue.clear()
        self._lost = 0
        self._ready.clear()
        return told, lost


class Tail:
    """Tells watchers, and remembers refusals."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.is_watched = False
        """Whether anybody watches any account: asked by every request, so that it need not ask for more."""
        self._watchers: dict[str, list[Watcher]] = {}
        self._refused: OrderedDict[str, deque[Decided]] = OrderedDict()

    def watch(self, watcher: Watcher) -> None:
        """From now on the watcher is told."""
        self._watchers.setdefault(watcher.account_id, []).append(watcher)
        self.is_watched = True

    def leave(self, watcher: Watcher) -> None:
        """It is told no more."""
        watchers = self._watchers.get(watcher.account_id, [])
        if watcher in watchers:
            watchers.remove(watcher)
        if not watchers:
            self._watchers.pop(watcher.account_id, None)
        self.is_watched = bool(self._watchers)

    def watchers_of(self, account_id: str) -> int:
        """How many watch the account."""
        return len(self._watchers.get(account_id, ()))

    def decided(self, decision: Decision, now: float) -> None:
        """A decision was made about somebody."""
        principal = decision.principal
        if principal is None:
            return
        account_id, refused = principal.account.id, decision.refusal is not None
        watchers = self._watchers.get(account_id, ())
        if not refused and not watchers:
            return
        decided = Decided(now, _without_body(decision))
        if refused:
            self._remember(account_id, decided)
        for watcher in watchers:
            if watcher.wants(principal.key.id, refused=refused):
                watcher.tell(decided)

    def finished(self, record: UsageRecord) -> None:
        """An admitted request was answered, or broken off."""
        for watcher in self._watchers.get(record.account_id, ()):
            if watcher.wants(record.key_id, refused=False):
                watcher.tell(Finished(record))

    def answered(
        self, principal: Principal, request_id: str, path: str, status: int, duration_ms: float
    ) -> None:
        """An admitted request that no model served was answered, after so many milliseconds."""
        if principal.member is not None or principal.account.id not in self._watchers:
            return
        customer = principal.customer
        self.finished(
            UsageRecord(
                request_id,
                principal.account.id,
                principal.key.id,
                path,
                status,
                "complete",
                self._clock() - duration_ms / 1000,
                duration_ms,
                customer_pk=None if customer is None else customer.id,
                customer_id=None if customer is None else customer.customer_id,
            )
        )

    def refusals(self, account_id: str) -> list[Decided]:
        """The account's last refusals by this process, the newest first."""
        return list(reversed(self._refused.get(account_id, ())))

    def _remember(self, account_id: str, decided: Decided) -> None:
        refused = self._refused.get(account_id)
        if refused is None:
            refused = self._refused[account_id] = deque(maxlen=REMEMBERED)
            if len(self._refused) > MOST_ACCOUNTS:
                self._refused.popitem(last=False)
        refused.append(decided)
        self._refused.move_to_end(account_id)


def _without_body(decision: Decision) -> Decision:
    """The decision without the quote, which holds the body, and with a model's name of a sensible length."""
    request = decision.request
    model = None if request.model is None else storable(request.model)
    kept = msgspec.structs.replace(request, quote=None, model=model)
    return msgspec.structs.replace(decision, request=kept, reservation=None)
