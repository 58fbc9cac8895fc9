"""One request on its way, as seen by the one who sent it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from innoai.gateway.upstream.answer import AnswerHead
    from innoai.gateway.upstream.connection import Connection
    from innoai.gateway.upstream.failures import Failure


class Listener(Protocol):
    """Who hears the answer. Called from the event loop, never from inside `Pool.send`.

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

    pause, resume, cancel, write, end and `writable` are the caller's; the rest is how pool and connection
    keep track: a call waits while it has a `connecting` task, runs while it has a `connection`, and is over
    without both.
    """

    __slots__ = (
        "connecting",
        "connection",
        "head_only",
        "listener",
        "more",
        "paused",
        "pieces",
        "remaining",
        "replayable",
        "writable",
    )

    def __init__(
        self, listener: Listener, pieces: list[bytes], head_only: bool, more: bool, remaining: int | None
    ) -> None:
        self.listener = listener
        # The request as written so far; kept until upstream answers, in case it must be written once more.
        self.pieces = pieces
        # Whether this is a HEAD request, whose answer has no body whatever it says.
        self.head_only = head_only
        # Whether the caller has not yet ended the body.
        self.more = more
        # Bytes of the announced length that a streamed body still owes; None if it is chunked.
        self.remaining = remaining
        self.replayable = not more
        self.paused = False
        self.connection: Connection | None = None
        self.connecting: asyncio.Task[None] | None = None
        # Called when `write` may go on after it answered False. Set by the caller.
        self.writable: Callable[[], None] | None = None

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

    def write(self, data: bytes) -> bool:
        """Send the next piece of a body sent with `more_body`; True means that more may follow at once.

        After False, wait for `writable`. Once upstream has refused the request, or the call is over, the data
        is dropped. Raises ValueError beyond the announced length, RuntimeError after the end.
        """
        if not self.more:
            raise RuntimeError("the body of this request has ended")
        return self._put(self._frame(data))

    def end(self) -> None:
        """The body is complete.

        Raises ValueError short of the announced length (then only `cancel` is left), RuntimeError twice.
        """
        if not self.more:
            raise RuntimeError("the body of this request has ended")
        if self.remaining:
            raise ValueError("the body is shorter than its content-length")
        self.more = False
        self._put([b"0\r\n\r\n"] if self.remaining is None else [])

    def fail(self, failure: Failure) -> None:
        """Tell the listener, as the last thing it hears."""
        self.connecting = self.connection = None
        self.listener.on_failure(failure)

    def tell_writable(self) -> None:
        """Let the caller go on with the body."""
        if self.more and self.writable is not None:
            self.writable()

    def begin(self, data: bytes) -> None:
        """The first piece of a streamed body goes with the head."""
        self.pieces += self._frame(data)

    def _frame(self, data: bytes) -> list[bytes]:
        if self.remaining is not None:
            if len(data) > self.remaining:
                raise ValueError("the body is longer than its content-length")
            self.remaining -= len(data)
            return [data]
        # An empty chunk would end the body.
        return [b"%x\r\n" % len(data), data, b"\r\n"] if data else []

    def _put(self, pieces: list[bytes]) -> bool:
        if self.connection is not None:
            return self.connection.write(pieces)
        if self.connecting is None:
            return True
        self.pieces += pieces
        return False
