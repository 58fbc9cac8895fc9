"""HTTP/1.1 towards upstream: one connection, one request at a time (RFC 9112)."""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol, cast

from httptools import HttpParserCallbackError, HttpParserError, HttpResponseParser

from innoai.gateway.repeated import RepeatedChunked, RepeatedHead, is_worth_learning
from innoai.gateway.upstream.answer import AnswerHead
from innoai.gateway.upstream.beat import QUICK_SECONDS, fall_silent, look_into, speak_up
from innoai.gateway.upstream.failures import Failure, FailureKind, Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from innoai.gateway.departures import Departures
    from innoai.gateway.upstream.beat import Beat
    from innoai.gateway.upstream.call import Call
    from innoai.gateway.upstream.timeouts import Timeouts

HEAD_LIMIT: Final = 64 * 1024  # bytes of an answer's head, its interim answers included
HEADER_LIMIT: Final = 200  # headers of one head
# A byte of body pays for this many bytes of framing: more than a one-byte chunk needs, less than an abuse.
_FRAMING_ALLOWANCE: Final = 16
# A connection that upstream had closed shows it within a round trip; whatever ends later had been at work.
STALE_SECONDS: Final = 0.3
_WITHOUT_BODY: Final = frozenset((204, 304))
_MULTIPLE_OF_BODY: Final = _FRAMING_ALLOWANCE + 1


class State(Enum):
    """Where a connection stands."""

    IDLE = "idle"
    WAITING = "waiting"
    ANSWERING = "answering"
    COMPLETE = "complete"
    CLOSED = "closed"


# An attribute of an Enum class is three times as dear as a global, and these stand on every path.
_IDLE: Final = State.IDLE
_WAITING: Final = State.WAITING
_ANSWERING: Final = State.ANSWERING
_COMPLETE: Final = State.COMPLETE
_CLOSED: Final = State.CLOSED


class Owner(Protocol):
    """Who keeps the connections, and sees to it that what they write leaves together."""

    departures: Departures
    beat: Beat
    shortcuts: bool

    def opened(self, connection: Connection) -> None:
        """It stands."""

    def released(self, connection: Connection) -> None:
        """It is idle and fit for another request."""

    def closing(self, connection: Connection) -> None:
        """It takes no further request."""

    def lost(self, connection: Connection) -> None:
        """Its socket is gone."""

    def connect(self, call: Call) -> None:
        """Its request must go out on a new connection."""


class _RefusedError(Exception):
    """Stops the parser: the answer breaks a rule that llhttp does not check."""


class Connection(asyncio.Protocol):
    """A connection as a state machine.

    ```
            ┌──────────────── reusable ───────────────┐
            ▼                                         │
    made ─ IDLE ─ start ─ WAITING ─ head ─ ANSWERING ─ end ─ COMPLETE
            │                │                │                │
            └───── loss, failure, timeout, cancel, not reusable ──── CLOSED
    ```

    COMPLETE lasts until the read that brought the end is parsed to its end: whatever follows the answer in it
    is surplus, and then the connection is not reused. Nothing here reads a clock: what happens sets
    `_stirred`, and the pool's sweep calls `watch`, which turns that into deadlines.
    """

    __slots__ = (
        "_blocked",
        "_call",
        "_deadline",
        "_deliver",
        "_first",
        "_head",
        "_headers",
        "_heard_at",
        "_idle_lifetime",
        "_is_plain",
        "_keep",
        "_new_heads",
        "_owner",
        "_parser",
        "_repeated",
        "_reused",
        "_sent",
        "_sent_at",
        "_silent",
        "_slack",
        "_state",
        "_stirred",
        "_timeouts",
        "_transport",
        "_unsent",
        "_until_close",
    )

    def __init__(self, owner: Owner, timeouts: Timeouts, idle_lifetime: float) -> None:
        self._owner = owner
        self._timeouts = timeouts
        self._idle_lifetime = idle_lifetime
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._state = _IDLE
        self._call: Call | None = None
        self._reused = False
        self._sent = False
        # When that was, by the loop's clock; of use on a connection that was used before.
        self._sent_at = -math.inf
        # The answer, as far as it is known.
        self._headers: list[tuple[bytes, bytes]] = []
        self._deliver: Callable[[bytes], None] = _refuse_body
        self._keep = False
        self._until_close = False
        # What the present answer began with, and what the head of the last one looked like.
        self._first = b""
        self._head: AnswerHead
        self._repeated: RepeatedHead | RepeatedChunked | None = None
        self._new_heads = 0
        # Bytes that may still come before body must: bounds heads, chunk extensions and trailers.
        self._slack = HEAD_LIMIT
        # Whether the transport's buffer is full: upstream takes the request more slowly than it is written.
        self._blocked = False
        # Time.
        self._stirred = True
        self._deadline = 0.0
        self._unsent = 0
        # When the last piece of the answer came, by the loop's clock; and the socket's descriptor, while its
        # pieces wake nobody but are read at the beat.
        self._heard_at = -math.inf
        self._silent: int | None = None
        self._is_plain = False

    @property
    def is_closed(self) -> bool:
        """Whether it takes no request any more."""
        return self._state is _CLOSED

    # ── the caller's side ──

    def start(self, call: Call) -> None:
        """Send the request of `call`, and tell its listener what comes back. Only when idle."""
        self._state = _WAITING
        self._call = call
        self._sent = False
        self._heard_at = -math.inf
        call.connection = self
        self._stirred = True
        self._keep = False
        self._slack = HEAD_LIMIT
        self._headers = []
        if call.paused:
            self._transport.pause_reading()
        self._owner.departures.add(self._depart)

    def _depart(self) -> None:
        """Write the request, unless it is not wanted any more."""
        if self._call is None:
            return
        self._sent = True
        if self._reused:
            self._sent_at = self._owner.beat.now()
        pieces = self._call.pieces
        if len(pieces) == 1:
            self._transport.write(pieces[0])
        else:
            self._transport.writelines(pieces)

    def pause_answer(self) -> None:
        """Let the socket fill up."""
        self._stirred = True
        self._transport.pause_reading()

    def resume_answer(self) -> None:
        """Read on, with the full patience again."""
        self._stirred = True
        self._transport.resume_reading()

    def cancel(self) -> None:
        """Nobody listens any more."""
        self._detach()
        self.close()

    def shut_down(self) -> None:
        """The pool is being closed."""
        if self._call is None:
            self.close()
        else:
            self._fail(Failure(FailureKind.SHUT_DOWN, True, "the pool was closed"))

    def close(self) -> None:
        """Close for good, and at once: nothing that waits to be written is of use to anyone by then."""
        if self._state is not _CLOSED:
            self._state = _CLOSED
            self._owner.closing(self)
            self._transport.abort()

    def abort(self) -> None:
        """End it as if it had been lost: whoever waits for the answer is told."""
        self._transport.abort()

    # ── the transport's side ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop, after the TLS handshake if there is one."""
        self._transport = cast("asyncio.Transport", transport)
        # What arrives over TLS is not what is read, so its socket cannot be read at the beat.
        self._is_plain = transport.get_extra_info("sslcontext") is None
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        """Feed the answer; bytes that nobody asked for end an idle connection."""
        if self._call is None:
            self.close()
            return
        if not self._sent:
            # Whatever it answers, it is not this request.
            text = "upstream sent something before it was asked"
            self._fail(Failure(FailureKind.CLOSED_BEFORE_ANSWER, False, text))
            return
        if self._state is _WAITING and self._slack == HEAD_LIMIT:
            body = None if self._repeated is None else self._repeated.body_of(data)
            if body is not None:
                self._whole_again(body)
                return
            self._first = data
        self._slack -= len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self._stopped(error)
        if self._state is _COMPLETE:
            self._complete()
        elif self._slack < 0 and self._state is not _CLOSED:
            self._refuse("too many bytes without a body")
        elif self._state is _ANSWERING and self._call is not None:
            self._call.listener.on_turn()
            if self._is_plain and self._silent is None and self._state is _ANSWERING:
                self._note_pace()

    def _note_pace(self) -> None:
        """Have the rest of the answer read at the beat, if its pieces come quickly."""
        beat = self._owner.beat
        now = beat.now()
        if now - self._heard_at < QUICK_SECONDS:
            self._silent = fall_silent(self._transport)
            if self._silent is not None:
                beat.join(self)
        self._heard_at = now

    def on_beat(self) -> bool:
        """Read what has come since the last beat; False once the loop is to tell of it again."""
        call = self._call
        if self._silent is None or self._state is not _ANSWERING or self._transport.is_closing():
            return False
        data = None if call is None or call.paused else look_into(self._silent)
        if data is None:
            self._speak_up()
            return False
        self.data_received(data)
        return self._call is call

    def _speak_up(self) -> None:
        self._silent = None
        speak_up(self._transport)

    def eof_received(self) -> None:
        """Upstream has said its last; that, and never a mere loss, ends a body without a length."""
        if self._state is _ANSWERING and self._until_close and _said_goodbye(self._transport):
            self._complete()
        elif self._state is not _CLOSED:
            self._break_off("upstream closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        if self._state is not _CLOSED:
            self._break_off("the connection to upstream was lost")
        self._owner.lost(self)
        del self._parser  # it refers back to this object through its callbacks

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self._blocked = True
        self._stirred = True

    def resume_writing(self) -> None:
        """The transport's buffer has emptied."""
        self._blocked = False
        self._stirred = True

    # ── the parser's side: called by httptools from inside feed_data ──

    def on_message_begin(self) -> None:
        """The first byte of an answer, or of one too many."""
        if self._state is not _WAITING:
            raise _RefusedError("bytes after the end of the answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; a trailer lands in a list that nobody reads."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head of an interim or of the final answer."""
        headers = self._headers
        self._headers = []  # for trailers
        if len(headers) > HEADER_LIMIT:
            raise _RefusedError("too many headers")
        if self._slack < 0 and sum(len(name) + len(value) for name, value in headers) > HEAD_LIMIT:
            raise _RefusedError("the head is too large")
        status = self._parser.get_status_code()
        if 200 <= status < 600:
            self._begin_answer(status, headers)
        elif status == 101 or not 100 <= status < 200:
            raise _RefusedError("the status is none that was asked for")
        else:
            # What the read began with is not the answer's head.
            self._first = b""

    def on_body(self, chunk: bytes) -> None:
        """A piece of the body; httptools has made it, and it is handed on as it is."""
        self._slack += _MULTIPLE_OF_BODY * len(chunk)
        if self._slack > HEAD_LIMIT:
            self._slack = HEAD_LIMIT
        self._stirred = True
        self._deliver(chunk)

    def on_message_complete(self) -> None:
        """The end of the final answer; the end of an interim one changes nothing."""
        if self._state is _ANSWERING:
            self._state = _COMPLETE
            self._keep = self._parser.should_keep_alive()
            self._learn()

    # ── the answer ──

    def _begin_answer(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        framing = dict(headers)
        if b"transfer-encoding" in framing:
            _check_codings(headers)
            self._until_close = False
        else:
            self._until_close = b"content-length" not in framing
        call: Call = self._call  # type: ignore[assignment]  # WAITING implies a call
        self._stirred = True
        call.pieces = []
        self._state = _ANSWERING
        self._deliver = call.listener.on_body
        self._head = AnswerHead(status, headers)
        call.listener.on_head(self._head)

    def _learn(self) -> None:
        """Know the head of this answer again, as long as heads do repeat here."""
        self._repeated = None
        self._new_heads += 1
        is_whole = self._keep and self._head.status not in _WITHOUT_BODY
        if self._owner.shortcuts and is_whole and is_worth_learning(self._new_heads):
            self._repeated = RepeatedHead.learn(self._first) or RepeatedChunked.learn(self._first)
        self._first = b""

    def _whole_again(self, body: bytes) -> None:
        """An answer that came in one read, with the head of the last one."""
        self._new_heads = 0
        call = self._detach()
        if self._transport.get_write_buffer_size():
            self.close()
        else:
            self._release(call)
        call.listener.on_whole(self._head, body)

    def _stopped(self, error: HttpParserError) -> None:
        """The parser gave up: a callback raised, or what it reads is not HTTP."""
        cause = error.__context__ if isinstance(error, HttpParserCallbackError) else error
        if not isinstance(cause, _RefusedError | HttpParserError):
            self._listener_raised(cause)
        elif self._state is _COMPLETE:
            self._keep = False  # surplus bytes
        elif self._state is not _CLOSED:  # as it is when the listener has cancelled the call
            self._refuse(str(cause))

    def _listener_raised(self, error: BaseException | None) -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": "a listener of an upstream answer raised", "exception": error, "protocol": self}
        )
        if self._state is not _CLOSED:
            self._fail(Failure(FailureKind.CLOSED_MID_ANSWER, True, "the listener raised"))

    def _complete(self) -> None:
        """The answer is whole: keep the connection if everything about it is, too."""
        call = self._detach()
        if self._keep and not self._transport.get_write_buffer_size():
            self._release(call)
        else:
            self.close()
        call.listener.on_end()

    def _release(self, call: Call) -> None:
        """Be ready for another request."""
        if call.paused:
            self._transport.resume_reading()
        if self._silent is not None:
            self._speak_up()
        self._state = _IDLE
        self._reused = True
        self._stirred = True
        self._owner.released(self)

    # ── failures ──

    def _break_off(self, text: str) -> None:
        """There will be no more bytes."""
        if self._call is None:
            self.close()
        elif self._slack == HEAD_LIMIT and self._state is _WAITING:
            self._fail(Failure(FailureKind.CLOSED_BEFORE_ANSWER, True, text))
        else:
            self._fail(Failure(FailureKind.CLOSED_MID_ANSWER, True, text))

    def _refuse(self, text: str) -> None:
        self._fail(Failure(FailureKind.PROTOCOL_ERROR, True, text))

    def _fail(self, failure: Failure) -> None:
        """End the call, or begin it anew if it met a connection that upstream was just closing."""
        call = self._detach()
        self.close()
        if failure.kind is FailureKind.CLOSED_BEFORE_ANSWER and self._was_stale():
            self._owner.connect(call)
        else:
            call.fail(failure)

    def _was_stale(self) -> bool:
        """Whether upstream was just closing the connection, and so did nothing (RFC 9110 §9.2.2)."""
        if not self._reused:
            return False
        return not self._sent or self._owner.beat.now() - self._sent_at < STALE_SECONDS

    def _detach(self) -> Call:
        call: Call = self._call  # type: ignore[assignment]  # only while there is one
        self._call = None
        self._deliver = _refuse_body
        call.connection = None
        return call

    # ── time ──

    def watch(self, now: float) -> None:
        """Hold upstream to what it is due. now: seconds of the pool's clock."""
        if self._state is _CLOSED:
            return
        if self._blocked:
            self._watch_writing()
        phase = self._awaited()
        if self._stirred:
            self._stirred = False
            self._deadline = now + self._patience(phase)
        elif now >= self._deadline:
            self._give_up(phase)

    def _give_up(self, phase: Phase | None) -> None:
        if phase is None:
            self.close()  # idle for long enough
        else:
            self._fail(Failure(FailureKind.TIMED_OUT, True, f"upstream timed out ({phase.value})", phase))

    def _watch_writing(self) -> None:
        unsent = self._transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent = unsent
            self._stirred = True

    def _awaited(self) -> Phase | None:
        """What upstream is due; None if nothing. Whatever changes the answer also sets `_stirred`."""
        call = self._call
        if call is None:
            return None
        if self._state is _WAITING and self._blocked:
            return Phase.WRITE
        if call.paused:
            return None
        return Phase.IDLE if self._state is _ANSWERING else Phase.HEAD

    def _patience(self, phase: Phase | None) -> float:
        if phase is not None:
            return self._timeouts.of(phase)
        return self._idle_lifetime if self._state is _IDLE else math.inf


def _check_codings(headers: list[tuple[bytes, bytes]]) -> None:
    """Nothing but chunked was asked for; anything else would leave the body's end open to interpretation."""
    if [value.lower() for name, value in headers if name == b"transfer-encoding"] != [b"chunked"]:
        raise _RefusedError("the transfer coding is not chunked")


def _said_goodbye(transport: asyncio.Transport) -> bool:
    """Over TLS, whether close_notify came: without it the answer may have been cut (RFC 9112 §9.8).

    asyncio tells the protocol of an end either way, uvloop only with close_notify; the TLS object knows.
    """
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    try:
        return tls is None or tls.read(1) == b""
    except ssl.SSLError:
        return False


def _refuse_body(_: bytes) -> None:
    raise _RefusedError("a body where there can be none")
