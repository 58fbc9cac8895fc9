"""Relaying an upstream's answer to the caller as it comes, reading its usage on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from innoai.gateway.headers import find, relayed
from innoai.gateway.sse import HiddenUsage
from innoai.metering.usage import TAIL_BYTES, Usage, usage_in_tail, usage_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from innoai.errors import Refusal
    from innoai.gateway.exchange import Exchange
    from innoai.gateway.headers import Headers

    Send = Callable[[Any], Awaitable[None]]

WHOLE_BYTES = 4 * 1024 * 1024
"""A JSON answer up to this size is kept whole for reading its usage; of a longer one, the end."""

_EVENT_STREAM = b"text/event-stream"
_JSON = b"application/json"


class UsageReader:
    """Sees an answer's bytes pass, and keeps as many as it takes to know the usage."""

    __slots__ = ("_is_json", "_kept", "_size")

    def __init__(self, content_type: bytes) -> None:
        self._is_json = content_type.startswith(_JSON)
        self._kept: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        """The next bytes."""
        self._kept.append(chunk)
        self._size += len(chunk)
        limit = WHOLE_BYTES if self._is_json else TAIL_BYTES
        while self._size - len(self._kept[0]) >= limit:
            self._size -= len(self._kept.pop(0))

    def usage(self) -> Usage | None:
        """What the answer said, once it is whole."""
        kept = self._kept[0] if len(self._kept) == 1 else b"".join(self._kept)
        if self._is_json:
            usage = usage_of(kept)
            if usage is not None:
                return usage
        return usage_in_tail(kept[-TAIL_BYTES:])


class Relay:
    """One answer on its way. `hide_usage` where the gateway asked for usage on its own account."""

    __slots__ = ("_begun", "_exchange", "_headers", "_hidden", "_is_stream", "_reader", "_send")

    def __init__(self, exchange: Exchange, send: Send, added: Headers, *, hide_usage: bool) -> None:
        self._exchange = exchange
        self._send = send
        content_type = find(exchange.headers, b"content-type") or b""
        self._is_stream = content_type.startswith(_EVENT_STREAM)
        self._hidden = HiddenUsage() if hide_usage and self._is_stream else None
        self._reader = UsageReader(content_type)
        self._headers = [*relayed(exchange.headers), *added]
        self._begun = False

    @property
    def has_begun(self) -> bool:
        """Whether the caller has got the head already."""
        return self._begun

    async def pass_on(self) -> None:
        """Send all but the end, as it arrives. CallerGone when nobody waits.

        A short answer that is here already is held back whole, and goes out with its end.
        """
        while await self._exchange.goes_on():
            if not self._begun:
                length = None if self._hidden is not None else find(self._exchange.headers, b"content-length")
                await self._begin(length)
            chunk = self._seen(self._exchange.take())
            if chunk:
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    def usage(self) -> Usage | None:
        """What the answer says of its usage; asked once everything has arrived."""
        return (self._hidden and self._hidden.usage) or self._reader.usage()

    def rest(self) -> bytes:
        """What is left to send with the end."""
        chunk = self._seen(self._exchange.take())
        return chunk + self._hidden.finish() if self._hidden is not None else chunk

    async def end(self, rest: bytes) -> None:
        """Send the end; before this, the usage must have been recorded."""
        if not self._begun:
            await self._begin(b"%d" % len(rest))
        await self._send({"type": "http.response.body", "body": rest, "more_body": False})

    async def break_off(self, refusal: Refusal, request_id: str) -> bool:
        """Tell the caller that the answer will not be whole; False when that can only be shown by hanging up.

        A stream gets an error event, which OpenAI's clients raise as an error.
        """
        if not self._is_stream:
            return False
        event = b"data: " + msgspec.json.encode(refusal.envelope(request_id)) + b"\n\n"
        await self._send({"type": "http.response.body", "body": self.rest() + event, "more_body": False})
        return True

    def _seen(self, chunk: bytes) -> bytes:
        if not chunk:
            return chunk
        if self._hidden is not None:
            return self._hidden.feed(chunk)
        self._reader.feed(chunk)
        return chunk

    async def _begin(self, length: bytes | None) -> None:
        self._begun = True
        headers = self._headers if length is None else [*self._headers, (b"content-length", length)]
        await self._send({"type": "http.response.start", "status": self._exchange.status, "headers": headers})
