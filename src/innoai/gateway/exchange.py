"""The listener between an upstream's callbacks and the coroutine that answers the caller."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from innoai.gateway.headers import Headers
    from innoai.gateway.transport import Handle
    from innoai.gateway.upstream import Failure

HIGH_WATER = 256 * 1024
"""Bytes of an answer that may wait for a slow caller before the upstream is paused."""


class CallerGone(Exception):
    """The caller hung up; nobody waits for the answer any more."""


class Exchange:
    """One request to one upstream: what has arrived and is not taken yet.

    The states follow from the fields: waiting (`status` 0), answering, and then one of `ended`,
    `failure` or `gone`.
    """

    __slots__ = (
        "_chunks",
        "_paused",
        "_size",
        "_waiter",
        "call",
        "ended",
        "failure",
        "gone",
        "headers",
        "status",
    )

    def __init__(self) -> None:
        self.call: Handle | None = None
        self.status = 0
        self.headers: Headers = []
        self.ended = False
        self.failure: Failure | None = None
        self.gone = False
        self._chunks: list[bytes] = []
        self._size = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None

    # Heard from the upstream.

    def on_head(self, status: int, headers: Headers) -> None:
        """The answer begins."""
        self.status, self.headers = status, headers
        self._wake()

    def on_body(self, chunk: bytes) -> None:
        """A piece of the answer; beyond the high-water mark the upstream has to wait."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > HIGH_WATER and not self._paused and self.call is not None:
            self._paused = True
            self.call.pause()
        self._wake()

    def on_end(self) -> None:
        """The answer is whole."""
        self.ended = True
        self._wake()

    def on_failure(self, failure: Failure) -> None:
        """There is no whole answer."""
        self.failure = failure
        self._wake()

    # Heard from the caller's connection.

    def hang_up(self) -> None:
        """The caller went away: so does the upstream request."""
        if not (self.ended or self.gone):
            self.gone = True
            self.cancel()
            self._wake()

    # Asked by the coroutine.

    async def head(self) -> None:
        """Wait until `status` or `failure` is known. CallerGone when nobody waits."""
        while not (self.status or self.failure or self.gone):
            await self._wait()
        if self.gone:
            raise CallerGone

    async def goes_on(self) -> bool:
        """Wait for more; False when nothing will come after what is here. CallerGone when nobody waits."""
        while not (self._chunks or self.ended or self.failure or self.gone):
            await self._wait()
        if self.gone:
            raise CallerGone
        return not (self.ended or self.failure)

    def take(self) -> bytes:
        """Everything that has arrived, and room for more."""
        chunks, self._chunks, self._size = self._chunks, [], 0
        if self._paused and self.call is not None:
            self._paused = False
            self.call.resume()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def cancel(self) -> None:
        """Give up on this upstream; its connection is closed and nothing more is heard."""
        if self.call is not None and not (self.ended or self.failure):
            self.call.cancel()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
