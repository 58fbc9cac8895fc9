"""One request on its way, as seen by the one who sent it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

    from innoai.gateway.upstream.answer import AnswerHead
    from innoai.gateway.upstream.connection import Connection
    from innoai.gateway.upstream.failures import Failure


class Listener(Protocol):
    """Who hears the answer. Called from the event loop, never from inside `Pool.send_prepared`.

    Either on_whole is all that is heard, or after on_head come any number of on_body, and exactly one
    of on_end and on_failure last; on_failure may also come alone. A cancelled call says nothing more.
    If on_head or on_body raises, the call fails, and the exception goes to the loop's handler.
    """

    def on_whole(self, head: AnswerHead, body: bytes) -> None:
        """A whole answer at once, with a head that was heard before."""

    def on_head(self, head: AnswerHead) -> None:
        """The final answer's head."""

    def on_body(self, chunk: bytes) -> None:
        """The next piece of the body, without transfer coding; cut as the network, not the sender, cut it."""

    def on_turn(self) -> None:
        """All that arrived in one read has been told, and the answer goes on: nothing said may wait."""

    def on_end(self) -> None:
        """The answer is whole."""

    def on_failure(self, failure: Failure) -> None:
        """There is no whole answer."""


class Call:
    """The handle of a request that was sent.

    pause, resume and cancel are the caller's; the rest is how pool and connection keep track: a call waits
    while it has a `connecting` task, runs while it has a `connection`, and is over without both.
    """

    __slots__ = ("connecting", "connection", "listener", "paused", "pieces")

    def __init__(self, listener: Listener, pieces: list[bytes]) -> None:
        self.listener = listener
        # The request; kept until upstream answers, in case it must be written once more.
        self.pieces = pieces
        self.paused = False
        self.connection: Connection | None = None
        self.connecting: asyncio.Task[None] | None = None

    def pause(self) -> None:
        """Stop reading the answer. What was read already (one read of the socket) is still delivered."""
        self.paused = True
        if self.connection is not None:
            self.connection.pause_answer()

    def resume(self) -> None:
        """Go on reading the answer."""
        self.paused = False
        if self.connection is not None:
            self.connection.resume_answer()

    def cancel(self) -> None:
        """The caller went away: close the connection to upstream. The listener hears nothing more."""
        if self.connecting is not None:
            self.connecting.cancel()
            self.connecting = None
        elif self.connection is not None:
            self.connection.cancel()

    def fail(self, failure: Failure) -> None:
        """Tell the listener, as the last thing it hears."""
        self.connecting = self.connection = None
        self.listener.on_failure(failure)
