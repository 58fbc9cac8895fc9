"""Following the change feed: what another replica, or this one, has committed is heard of in order."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Protocol

import structlog

from innoai.background import repeat
from innoai.errors import InnoError
from innoai.store import changes

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.store.changes import Change
    from innoai.store.database import Database

POLL_SECONDS = 0.05
CURRENT_SECONDS = 0.5
"""For so long memory counts after the store was asked what is new: half of what revocation promises."""
PATIENCE = 1.0
"""Seconds that a request waits for the store to say what is new; then memory counts for `max_stale`."""
REMEMBERED_CHANGES = 4096

log = structlog.get_logger()


class Listener(Protocol):
    """Whoever keeps something in memory that the store may change."""

    async def load(self, connection: AsyncConnection) -> None:
        """Forget everything, and read what is always needed."""

    async def hear(self, connection: AsyncConnection, news: list[Change]) -> None:
        """Forget what changed."""


class ChangeFeed:
    """The place reached in the feed, and the listener that is told what comes.

    What the listener has in memory is current for CURRENT_SECONDS after the store was asked, which is ten
    times as long as the pause between two looks. Whoever finds it older, since this process was held up
    or the store takes its time, waits for a look. While the store does not answer, memory counts all the
    same, until `max_stale` seconds after it was last heard.
    """

    def __init__(self, database: Database, monotonic: Callable[[], float], max_stale: float) -> None:
        self._database = database
        self._monotonic = monotonic
        self._max_stale = max_stale
        self._heard_at = -math.inf
        self._is_cut_off = False
        self._turn = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None
        self._seen: int | None = None
        self._recent: deque[Change] = deque(maxlen=REMEMBERED_CHANGES)
        self.sequence = 0
        """The number of the latest change that the listener has heard of: the generation of its memory."""

    @property
    def silent_for(self) -> float:
        """Seconds since the store last said what is new; infinite where it is known to have more to say."""
        return self._monotonic() - self._heard_at

    @property
    def is_current(self) -> bool:
        """Whether memory counts without a look."""
        lasts = self._max_stale if self._is_cut_off else min(CURRENT_SECONDS, self._max_stale)
        return self._monotonic() - self._heard_at <= lasts

    async def start(self, listener: Listener) -> None:
        """Load the listener as of the feed's present head."""
        asked_at = self._monotonic()
        async with self._database.read() as connection:
            # At once, so that a fill that is under way finds nothing to vouch for what it read.
            self.sequence = await changes.head(connection)
            self._recent.clear()
            await listener.load(connection)
        self._heard(asked_at)

    async def heed(self, listener: Listener) -> None:
        """Make a committed mutation effective here, before it is answered.

        It is answered as done even if the store does not tell of it now, since it is. What is in memory
        counts no more then until the store has told, so that nobody is let in by what was true before.
        """
        try:
            await self.catch_up(listener)
        except Exception as error:
            self._heard_at = -math.inf
            log.error(
                "a committed change is not heard of yet; memory has to wait for it",
                why=str(error),
                exc_info=None if isinstance(error, InnoError) else error,
            )

    async def settle(self, listener: Listener) -> None:
        """See that memory counts for whoever asks now: what was confirmed CURRENT_SECONDS ago is known here.

        Raises:
            InnoError: service_unavailable when the store has been silent for too long.
        """
        due = self._monotonic() - CURRENT_SECONDS
        if self.is_current:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while self._heard_at < due and not self._is_cut_off:
                    await asyncio.shield(self._look_for_all(listener))
        if self._heard_at < due:
            self._is_cut_off = True
            if not self.is_current:
                raise InnoError("service_unavailable")

    def _look_for_all(self, listener: Listener) -> asyncio.Task[None]:
        """The look that all wait for who found memory too old."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._try_to_catch_up(listener))
        return self._looking

    async def _try_to_catch_up(self, listener: Listener) -> None:
        # What is wrong is said by `follow`, which meets it, too.
        with contextlib.suppress(Exception):
            await self.catch_up(listener)

    async def catch_up(self, listener: Listener) -> None:
        """Tell the listener of every change committed by now.

        Raises:
            InnoError: service_unavailable when the store does not answer.
        """
        async with self._turn:
            asked_at = self._monotonic()
            try:
                if await self._hear_news(listener):
                    self._heard(asked_at)
                else:
                    await self.start(listener)
            except Exception:
                self._is_cut_off = True
                raise

    def _heard(self, asked_at: float) -> None:
        self._heard_at = asked_at
        self._is_cut_off = False

    async def _hear_news(self, listener: Listener) -> bool:
        """Tell the listener of what is new; False when some of that is not to be had any more."""
        # Revocations must not queue behind whatever else wants something of the store.
        async with self._database.glance() as connection:
            if await changes.head(connection) == self.sequence:
                return True
            news = await changes.since(connection, self.sequence)
            if news is None:
                return False
            await listener.hear(connection, news)
            self._recent.extend(news)
            self.sequence = news[-1].sequence
        return True

    async def follow(self, listener: Listener) -> None:
        """Catch up again and again until cancelled."""
        await repeat(
            "hearing of changes", partial(asyncio.sleep, POLL_SECONDS), partial(self._look, listener)
        )

    async def _look(self, listener: Listener) -> None:
        """Catch up, if anything was committed since the last look."""
        asked_at = self._monotonic()
        if self._database.is_still(self._seen):
            self._heard(asked_at)
        else:
            version = self._database.version()
            await self.catch_up(listener)
            self._seen = version

    def unchanged_since(self, sequence: int, subjects: frozenset[str]) -> bool:
        """Whether nothing about the subjects was heard after `sequence`: what was read then may be kept."""
        if sequence == self.sequence:
            return True
        if not self._recent or self._recent[0].sequence > sequence + 1:
            return False
        return not any(change.sequence > sequence and change.subject in subjects for change in self._recent)
