"""/v1/webhooks/stream: the account's events as they happen, as server-sent events, for development.

Events are read from the store, so that every replica shows all. Their instants are taken before they are
committed, and a later one may be committed first: each look goes back a little and leaves out what was sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from typing import TYPE_CHECKING, Annotated

import msgspec
from litestar import get
from litestar.response import Stream
from msgspec import Meta

from innoai.access.routes import route_for
from innoai.api.admission import HEAD_KEY, Caller, Inside, is_still_admitted
from innoai.api.services import Services
from innoai.api.wire import JsonRequest, read_query
from innoai.errors import InnoError
from innoai.events.types import PATTERNS, wants
from innoai.fresh_ids import fresh_id
from innoai.ids import BASE62
from innoai.store import events

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from innoai.store.events import EventRecord

PATH = "/v1/webhooks/stream"
LAST_EVENT_ID = "last-event-id"
LOOK_BACK_SECONDS = 30.0
RESUME_SECONDS = 5.0
"""How far a resumed stream goes back behind the event that was seen last: some may come a second time."""

LOOK_SECONDS = 0.25
KEEP_ALIVE_SECONDS = 15.0
AT_A_TIME = 100
MOST_STREAMS = 10
"""Streams that an account may have open at one server: each looks into the store again and again."""

_RANDOM_BITS = 80

_PATTERN = "|".join(re.escape(name) for name in PATTERNS)
_is_event_id = re.compile(r"evt_[0-9A-Za-z]{22}", re.ASCII).fullmatch


class StreamQuery(msgspec.Struct, frozen=True):
    """Which events to stream."""

    event_types: (
        Annotated[
            str,
            Meta(
                max_length=1000,
                pattern=rf"^(?:{_PATTERN})(?:,(?:{_PATTERN}))*$(?!\n)",
                extra={"expected": "types of events or patterns such as key.*, separated by commas"},
                description="a comma-separated list such as key.*,customer.created; all without it",
            ),
        ]
        | None
    ) = None


@get(PATH)
async def stream_events(request: JsonRequest, services: Inside, caller: Caller) -> Stream:
    """Stream the account's events from now on, or behind the one that Last-Event-ID names."""
    query = read_query(request, StreamQuery)
    patterns = ("*",) if query.event_types is None else tuple(query.event_types.split(","))
    last = request.headers.get(LAST_EVENT_ID)
    if last is not None and _is_event_id(last) is None:
        raise InnoError("invalid_request", "Last-Event-ID: send the id of an event, or leave it out.")
    reader = Reader(services, caller.principal.account.id, patterns)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    if HEAD_KEY in request.scope:
        return Stream(_nothing(), media_type="text/event-stream", headers=headers)
    _check_room(services, reader.account_id)
    services.streams.add(reader)
    # An id without data: whoever loses the connection before the first event resumes here.
    begun_at = "" if last is not None else f"id: {fresh_id('evt')}\n"
    await reader.begin(last)
    return Stream(
        _stream(request, services, reader, begun_at), media_type="text/event-stream", headers=headers
    )


def _check_room(services: Services, account_id: str) -> None:
    """Refuse one stream more than an account may have; those that have ended count no longer."""
    if sum(reader.account_id == account_id for reader in services.streams) >= MOST_STREAMS:
        raise InnoError(
            "conflict",
            f"The account has {MOST_STREAMS} streams open at this server, as many as there may be. "
            "Close one; webhooks have no such bound.",
        )


async def _nothing() -> AsyncIterator[str]:
    """What a HEAD is told."""
    yield ""


async def _stream(
    request: JsonRequest, services: Services, reader: Reader, begun_at: str
) -> AsyncIterator[str]:
    """What is sent until the credential is refused, the server stops, or the store does not answer."""
    row = route_for("GET", PATH)
    try:
        yield f": events follow as they happen\n{begun_at}\n"
        said_at = time.monotonic()
        with contextlib.suppress(InnoError):
            while not services.stopping.is_set() and await is_still_admitted(request, services, row):
                text = await reader.more()
                if not text and time.monotonic() - said_at >= KEEP_ALIVE_SECONDS:
                    text = ": still here\n\n"
                if text:
                    yield text
                    said_at = time.monotonic()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(services.stopping.wait(), LOOK_SECONDS)
    finally:
        services.streams.discard(reader)


class Reader:
    """What of an account's events is to be sent next."""

    def __init__(self, services: Services, account_id: str, patterns: tuple[str, ...]) -> None:
        self._services = services
        self.account_id = account_id
        self._patterns = patterns
        self._floor = 0.0
        self._seen: int | None = None
        """The store's version at the last look."""

        self._sent: dict[str, float] = {}
        """Events since `_floor` that were sent, or are not to be, by id with their instants."""

    async def begin(self, last: str | None) -> None:
        """Begin now, or behind the event of the id `last`."""
        now = self._services.clock()
        if last is not None:
            self._floor = min(_made_at(last), now) - RESUME_SECONDS
            self._sent[last] = now
            return
        self._floor = now - LOOK_BACK_SECONDS
        while await self._next():
            pass

    async def more(self) -> str:
        """The next events that are wanted, as text; empty where there are none yet."""
        database = self._services.database
        if database.is_still(self._seen):
            return ""
        version = database.version()
        text = "".join(
            f"id: {event.id}\nevent: {event.type}\ndata: {event.body}\n\n"
            for event in await self._next()
            if wants(self._patterns, event.type)
        )
        self._seen = None if text else version
        return text

    async def _next(self) -> list[EventRecord]:
        """Events that were not given before, in their order."""
        reached = self._services.clock()
        position = (self._floor, "")
        async with self._services.database.read() as connection:
            while True:
                page = await events.after(connection, self.account_id, position, AT_A_TIME)
                fresh = [event for event in page if event.id not in self._sent]
                is_last = len(page) < AT_A_TIME
                if fresh or is_last:
                    break
                position = (page[-1].created_at, page[-1].id)
        if not is_last:
            reached = page[-1].created_at
        self._sent |= {event.id: event.created_at for event in fresh}
        self._floor = max(self._floor, reached - LOOK_BACK_SECONDS)
        self._sent = {event_id: at for event_id, at in self._sent.items() if at >= self._floor}
        return fresh


def _made_at(event_id: str) -> float:
    """When an id was made, in Unix seconds, as it says itself."""
    number = 0
    for digit in event_id.removeprefix("evt_"):
        number = number * len(BASE62) + BASE62.index(digit)
    return (number >> _RANDOM_BITS) / 1000
