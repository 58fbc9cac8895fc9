"""Answers that are read as they come: files, and the stream of events, which survives lost connections."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import anyio
import httpx2
from openai import APIConnectionError, APIStatusError, APITimeoutError
from openai._streaming import ServerSentEvent, SSEDecoder

from innoai.sdk.calls.call import Call
from innoai.sdk.models.activity import DecidedRequest, LostRequests
from innoai.sdk.models.billing import UsageRecord
from innoai.sdk.models.webhooks import Event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import TracebackType

    from innoai.sdk.client import AsyncInnoAI, InnoAI

FIRST_PAUSE = 1.0
"""Seconds until the first attempt to connect again; each following one waits twice as long."""
LONGEST_PAUSE = 30.0
MANY_FAILURES = 16
"""So many are counted, and no more."""
REMEMBERED = 1000
"""Events that are known again: a server that goes on behind one begins a little before it."""

Lost = Callable[[float], None]
"""Told that the connection is lost, and in how many seconds it is tried again."""


CallFrom = Callable[[str | None], Call[Event]]
"""Makes the call that goes on behind the event of that id."""


class Download:
    """The bytes of an answer in pieces, as they come. `read()` gives all of them, `close()` ends it early."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with self:
            try:
                yield from self._response.iter_bytes()
            except httpx2.TransportError as problem:
                raise connection_error(problem, self._response.request) from problem

    def lines(self) -> Iterator[bytes]:
        """The lines, without their ends."""
        rest = b""
        for piece in self:
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def read(self) -> bytes:
        """All that is to come."""
        return b"".join(self)

    def close(self) -> None:
        """End the connection; what did not come yet is lost."""
        self._response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncDownload:
    """`Download` for asyncio: `async for`, and `await read()`."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with self:
            try:
                async for piece in self._response.aiter_bytes():
                    yield piece
            except httpx2.TransportError as problem:
                raise connection_error(problem, self._response.request) from problem

    async def lines(self) -> AsyncIterator[bytes]:
        """The lines, without their ends."""
        rest = b""
        async for piece in self:
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                yield line
        if rest:
            yield rest

    async def read(self) -> bytes:
        """All that is to come."""
        return b"".join([piece async for piece in self])

    async def close(self) -> None:
        """End the connection; what did not come yet is lost."""
        await self._response.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class _Place:
    """Where a stream is, and how it goes on.

    unopened ──answer──▶ open ──lost──▶ pausing ──answer──▶ open
        └─ any error is raised             └─ a refusal is raised; else a pause twice as long
    """

    def __init__(self, call_from: CallFrom, last_event_id: str | None, lost: Lost | None) -> None:
        self.last_event_id = last_event_id
        self._call_from = call_from
        self._lost = lost
        self._seen: deque[str] = deque(maxlen=REMEMBERED)
        self._opened = False
        self._first_pause = FIRST_PAUSE
        self._failures = 0

    def call(self) -> Call[Event]:
        return self._call_from(self.last_event_id)

    def opened(self) -> None:
        """The server took the request: from now on a lost connection is made again."""
        self._opened = True

    def alive(self) -> None:
        """Something came, be it only a sign of life."""
        self._failures = 0

    def passes(self, frame: ServerSentEvent) -> bool:
        """Note what the frame says about going on; whether it holds an event that did not come before."""
        if frame.retry is not None:
            self._first_pause = frame.retry / 1000
        if frame.id is None:
            return bool(frame.data)
        self.last_event_id = frame.id
        if not frame.data or frame.id in self._seen:
            return False
        self._seen.append(frame.id)
        return True

    def pause(self, problem: Exception | None) -> float:
        """Seconds to wait after the connection ended. Raises `problem` where waiting is no remedy."""
        if problem is not None and (not self._opened or not _may_pass(problem)):
            raise problem
        pause = min(self._first_pause * 2.0**self._failures, LONGEST_PAUSE)
        self._failures = min(self._failures + 1, MANY_FAILURES)
        if self._lost is not None:
            self._lost(pause)
        return pause


class EventStream:
    """The account's events as they happen. It ends by `break` or by an error that waiting does not mend."""

    def __init__(
        self,
        client: InnoAI,
        call_from: CallFrom,
        last_event_id: str | None,
        lost: Lost | None,
    ) -> None:
        self._client = client
        self._place = _Place(call_from, last_event_id, lost)

    @property
    def last_event_id(self) -> str | None:
        """The event behind which another stream would go on."""
        return self._place.last_event_id

    def __iter__(self) -> Iterator[Event]:
        for frame in self.frames():
            yield event_of(frame)

    def frames(self) -> Iterator[ServerSentEvent]:
        """The same with each event's body as text in `data`, which is what a delivery would send and sign."""
        while True:
            problem = None
            try:
                with open_stream(self._client, self._place.call()) as pieces:
                    self._place.opened()
                    for frame in SSEDecoder().iter_bytes(self._watched(pieces)):
                        if self._place.passes(frame):
                            yield frame
            except (APIConnectionError, APIStatusError) as ended:
                problem = ended
            time.sleep(self._place.pause(problem))

    def _watched(self, pieces: Download) -> Iterator[bytes]:
        for piece in pieces:
            self._place.alive()
            yield piece


class AsyncEventStream:
    """`EventStream` for asyncio."""

    def __init__(
        self,
        client: AsyncInnoAI,
        call_from: CallFrom,
        last_event_id: str | None,
        lost: Lost | None,
    ) -> None:
        self._client = client
        self._place = _Place(call_from, last_event_id, lost)

    @property
    def last_event_id(self) -> str | None:
        """The event behind which another stream would go on."""
        return self._place.last_event_id

    async def __aiter__(self) -> AsyncIterator[Event]:
        async for frame in self.frames():
            yield event_of(frame)

    async def frames(self) -> AsyncIterator[ServerSentEvent]:
        """The same with each event's body as text in `data`, which is what a delivery would send and sign."""
        while True:
            problem = None
            try:
                async with await open_stream_async(self._client, self._place.call()) as pieces:
                    self._place.opened()
                    async for frame in SSEDecoder().aiter_bytes(self._watched(pieces)):
                        if self._place.passes(frame):
                            yield frame
            except (APIConnectionError, APIStatusError) as ended:
                problem = ended
            await anyio.sleep(self._place.pause(problem))

    async def _watched(self, pieces: AsyncDownload) -> AsyncIterator[bytes]:
        async for piece in pieces:
            self._place.alive()
            yield piece


RequestNews = DecidedRequest | UsageRecord | LostRequests
"""A request is decided, or finished with its usage, or so many of these lines were lost."""


class RequestStream:
    """The account's requests as they happen. It ends by `break` or by an error that waiting does not mend."""

    def __init__(self, events: EventStream) -> None:
        self._events = events

    def __iter__(self) -> Iterator[RequestNews]:
        for frame in self._events.frames():
            yield _news_of(frame)


class AsyncRequestStream:
    """`RequestStream` for asyncio."""

    def __init__(self, events: AsyncEventStream) -> None:
        self._events = events

    async def __aiter__(self) -> AsyncIterator[RequestNews]:
        async for frame in self._events.frames():
            yield _news_of(frame)


def _news_of(frame: ServerSentEvent) -> RequestNews:
    members = json.loads(frame.data)
    if frame.event == "decided":
        return DecidedRequest.construct(**members)
    return (
        UsageRecord.construct(**members) if frame.event == "finished" else LostRequests.construct(**members)
    )


def open_stream(client: InnoAI, call: Call[Any]) -> Download:
    """Make the call and read no more than the head of its answer. Raises what `send` does."""
    options = call.options(client.root_key)
    return Download(client.request(httpx2.Response, options, stream=True))


async def open_stream_async(client: AsyncInnoAI, call: Call[Any]) -> AsyncDownload:
    """Make the call and read no more than the head of its answer. Raises what `send` does."""
    options = call.options(client.root_key)
    return AsyncDownload(await client.request(httpx2.Response, options, stream=True))


def connection_error(problem: httpx2.TransportError, request: httpx2.Request) -> APIConnectionError:
    """openai's error for a connection that broke while an answer was read."""
    if isinstance(problem, httpx2.TimeoutException):
        return APITimeoutError(request=request)
    return APIConnectionError(request=request)


def event_of(frame: ServerSentEvent) -> Event:
    """The event that a frame holds."""
    return Event.construct(**json.loads(frame.data))


def _may_pass(problem: Exception) -> bool:
    """Whether the server may answer otherwise in a while."""
    return not isinstance(problem, APIStatusError) or problem.status_code == 429 or problem.status_code >= 500
