"""A caller's connection: uvicorn's, which answers inference itself and leaves the rest to ASGI.

Questions about a credential it answers as well, when they are plain and memory suffices (inquiry.py).

Three things are added beside the fast lane: heads, framing and patience have bounds, what is not HTTP
is refused in our envelope, and a request that is pipelined behind one under way is dropped with the
connection (RFC 9112 §9.3.2), so that no answer ever meets the wrong request.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from innoai.access.networks import caller_address
from innoai.auth.forwarded import origin_form
from innoai.envelope import refusal_body, refusal_headers
from innoai.errors import InnoError, refusal
from innoai.gateway.arrival import ROUTES, Arrival
from innoai.gateway.headers import read_request
from innoai.gateway.inquiry import Inquiry
from innoai.gateway.repeated import RepeatedBodiless, RepeatedHead, is_worth_learning
from innoai.gateway.visit import Visit

if TYPE_CHECKING:
    from asyncio import Transport

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from innoai.errors import Refusal
    from innoai.gateway.gateway import Gateway
    from innoai.gateway.headers import Headers
    from innoai.gateway.inquiry import Reply

HEAD_PATIENCE = 30.0
BODY_PATIENCE = 60.0
IDLE_PATIENCE = 75.0
READ_PATIENCE = 60.0
"""Seconds for a whole head, between two pieces of a body, between two requests, and for any reading of what
was sent."""

MOST_OUTGOING = 64 * 1024
"""Bytes above which an answer does not wait for the end of the turn: a fast upstream sends many in one."""

_BODILESS = frozenset((204, 304))

log = structlog.get_logger()


class Connection(HttpToolsProtocol):
    """One caller's connection. At most one visit, or one ASGI cycle, is under way on it."""

    # With uvicorn's they would be more than CPython keeps without a dictionary for each object.
    __slots__ = (
        "_chunked",
        "_content",
        "_cors",
        "_deaf",
        "_first",
        "_has_begun",
        "_in_head",
        "_inquiry",
        "_is_between",
        "_is_http_11",
        "_is_offer",
        "_keep_alive",
        "_known",
        "_new_heads",
        "_outgoing",
        "_overhead",
        "_read_by",
        "_repeated",
        "_unread",
        "_unsent",
        "deadline",
        "visit",
    )

    gateway: Gateway

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.visit: Visit | None = None
        self.deadline = math.inf
        """The loop's time at which the caller has been waited for long enough."""
        # What came since the last head or piece of a body: heads, framing and trailers have bounds.
        self._overhead = 0
        self._in_head = True
        self._is_offer = False
        # Between two requests, where a repeated head may begin; `_first` is what the present one began with.
        self._is_between = True
        self._first = b""
        self._repeated: RepeatedHead | RepeatedBodiless | None = None
        self._known: Arrival | Inquiry
        # A question about a credential whose body is still coming in.
        self._inquiry: Inquiry | None = None
        self._content = b""
        # Lines of the answer that let the page which asks read it.
        self._cors = b""
        self._new_heads = 0
        self._deaf = False
        self._keep_alive = True
        self._is_http_11 = True
        self._chunked = False
        self._has_begun = False
        self._unsent = b""
        self._outgoing = b""
        # What the caller had not read when it was last looked at, and by when it must have read some of it.
        self._unread = 0
        self._read_by = math.inf

    # What the transport says.

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """A caller is here."""
        super().connection_made(transport)
        self.deadline = self.loop.time() + HEAD_PATIENCE

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller is gone: so is what was done for it."""
        super().connection_lost(exc)
        if self.visit is not None:
            visit, self.visit = self.visit, None
            visit.hang_up()

    def data_received(self, data: bytes) -> None:
        """A request that repeats the last one's head needs no parser; everything else is parsed."""
        if self._deaf:
            return
        if self._is_between and self.visit is None:
            body = None if self._repeated is None else self._repeated.body_of(data)
            if body is not None and self._begin_again(body):
                return
            self._first = data
        self._parse(data)

    def _parse(self, data: bytes) -> None:
        """Feed the parser, within the bounds of what is not a body."""
        self._overhead += len(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            if self._is_offer:
                self._decline(data[offer.args[0] :])
        except httptools.HttpParserCallbackError as error:
            log.error("unexpected", exc_info=error.__context__)
            self._refuse_connection(refusal("internal_error"))
        except httptools.HttpParserError:
            message = "The request is not valid HTTP/1.1. Check its framing and headers."
            self._refuse_connection(refusal("invalid_request", message))
        if self._overhead > self.gateway.max_header_bytes:
            self._refuse_connection(refusal("headers_too_large"))

    def _decline(self, rest: bytes) -> None:
        """Parse the head again without its offer of another protocol (RFC 9110 §7.8), and go on.

        To the parser, what follows an offer is the other protocol's, although it is the request's body.
        """
        self._is_offer = False
        self._first = b""
        lines = b"".join(b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade")
        version = self.parser.get_http_version().encode()
        head = b"%b %b HTTP/%b\r\n%b\r\n" % (self.parser.get_method(), self.url, version, lines)
        # The one that has read the offer reads no more where the connection is to close.
        self.parser = httptools.HttpRequestParser(self)
        self._parse(head + rest)

    def pause_writing(self) -> None:
        """The caller reads more slowly than the upstream writes."""
        super().pause_writing()
        if self.visit is not None and self.visit.passage is not None:
            self.visit.passage.pause()

    def resume_writing(self) -> None:
        """The caller has caught up."""
        super().resume_writing()
        if self.visit is None:
            self.flow.resume_reading()
        elif self.visit.passage is not None:
            self.visit.passage.resume()

    def shutdown(self) -> None:
        """The server is stopping: finish what is under way, and nothing after it."""
        if self.visit is None and self._inquiry is None:
            self._depart()
            super().shutdown()
        else:
            self._keep_alive = False

    def expire(self, now: float) -> None:
        """Hang up on a caller that has had its time; asked by the server now and then."""
        unread = self.transport.get_write_buffer_size()
        if unread != self._unread:
            self._unread, self._read_by = unread, now + READ_PATIENCE
        elif unread and now > self._read_by:
            self.transport.abort()
        elif now > self.deadline:
            self._deaf = True
            self.transport.close()

    # What the parser says.

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._in_head = True
        self._is_between = False
        if self.visit is None:
            self.deadline = self.loop.time() + HEAD_PATIENCE

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head. A trailer is none (RFC 9110 §6.5.1): it could speak for another caller."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: one of ours, or ASGI's."""
        self._in_head = False
        self._overhead = 0
        self._is_offer = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if self._is_offer:
            return
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.gateway.max_header_bytes:
            self._refuse_connection(refusal("headers_too_large"))
            return
        target = _target(self.url)
        problem = self._problem_of_head(target)
        if problem is not None:
            self._refuse_connection(refusal("invalid_request", problem))
            return
        if self.expect_100_continue and self.parser.get_http_version() != "1.1":
            # It would take an interim answer for the answer (RFC 9110 §10.1.1).
            self.expect_100_continue = False
        self.deadline = self.loop.time() + BODY_PATIENCE
        origin = next((value for name, value in self.headers if name == b"origin"), None)
        self._cors = b"".join(b"%b: %b\r\n" % line for line in self.gateway.cors.headers(origin))
        path, _, query = target.partition(b"?")
        is_inference = path in ROUTES and self.parser.get_method() != b"OPTIONS"
        if self._is_busy(is_inference=is_inference):
            self._drop_the_rest()
        elif is_inference:
            self._begin_visit(path, query)
        else:
            self._inquiry = self._begin_inquiry(path, query)
            if self._inquiry is None:
                self._begin_asgi()

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        if self._deaf:
            return
        self._overhead = 0
        self.deadline = self.loop.time() + BODY_PATIENCE
        if self.visit is not None:
            self.visit.feed(body)
        elif self._inquiry is not None:
            self._content += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._deaf or self._is_offer:
            return
        self._is_between = True
        self._overhead = 0
        self.deadline = math.inf
        if self.visit is not None:
            self._learn(self.visit.arrival)
            self.visit.complete()
        elif self._inquiry is not None:
            self._answer_inquiry(self._inquiry)
        elif self.cycle.response_complete:
            self.deadline = self.loop.time() + IDLE_PATIENCE
        else:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer of ASGI's is out. uvicorn's own timer ends with any byte, be it only a line break."""
        super().on_response_complete()
        if self.deadline == math.inf and self.cycle.response_complete:
            self.deadline = self.loop.time() + IDLE_PATIENCE

    def _problem_of_head(self, target: bytes) -> str | None:
        """What no server may answer in another way (RFC 9112 §3.2): whose request it is, or for what."""
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            return "A request has exactly one Host header. Send one."
        if not target.startswith(b"/"):
            return "The request target is no path. Send one that begins with /."
        codings = [value.strip().lower() for name, value in self.headers if name == b"transfer-encoding"]
        return self._problem_of_codings(codings) if codings else None

    def _problem_of_codings(self, codings: list[bytes]) -> str | None:
        """What leaves a body's end, or its content, open to interpretation (RFC 9112 §6.1)."""
        if self.parser.get_http_version() != "1.1":
            return "HTTP/1.0 has no Transfer-Encoding. Send a Content-Length."
        if codings != [b"chunked"]:
            return "The body has a transfer coding that is not known here. Send it as chunked alone."
        return None

    def _is_busy(self, *, is_inference: bool) -> bool:
        """Whether a request is under way whose answer this one's could overtake."""
        if self.visit is not None or self._deaf:
            return True
        cycle = self._cycle()
        return is_inference and cycle is not None and not cycle.response_complete

    def _drop_the_rest(self) -> None:
        self._deaf = True
        self._keep_alive = False
        cycle = self._cycle()
        if cycle is not None:
            cycle.keep_alive = False
        self.flow.pause_reading()

    def _cycle(self) -> RequestResponseCycle | None:
        """The latest ASGI request, which uvicorn's annotation says is always there."""
        return self.cycle

    def _read_framing(self) -> None:
        self._is_http_11 = self.parser.get_http_version() == "1.1"
        self._keep_alive = self._is_http_11 and self.parser.should_keep_alive()

    def _begin_visit(self, path: bytes, query: bytes) -> None:
        self._unset_keepalive_if_required()
        self._read_framing()
        headers = read_request(self.headers)
        address = caller_address(self.client, headers.forwarded_for, self.gateway.trusted_proxies)
        seen = self.gateway.door.digest(headers.credential)
        arrival = Arrival(self.parser.get_method(), path, query, headers, address, seen)
        self.visit = Visit(self.gateway, self, arrival)
        self.visit.begin(expects_continue=self.expect_100_continue)

    def _begin_inquiry(self, path: bytes, query: bytes) -> Inquiry | None:
        """A question about a credential, unless the control plane has to see it."""
        desk, cycle = self.gateway.desk, self._cycle()
        self._content = b""
        if desk is None or self.expect_100_continue or (cycle is not None and not cycle.response_complete):
            return None
        self._read_framing()
        if not self._keep_alive:
            return None
        return desk.inquiry(self.parser.get_method(), path, query, self.headers, self.client)

    def _answer_inquiry(self, inquiry: Inquiry) -> None:
        """Answer, or let the control plane do it."""
        content, self._content, self._inquiry = self._content, b"", None
        reply = inquiry.answer(content)
        if reply is not None:
            self._learn(inquiry)
            self.reply(reply)
            return
        self._begin_asgi()
        if self._deaf:
            return
        if not self._keep_alive:
            # The server began to stop while the body came in.
            self.cycle.keep_alive = False
        if content:
            super().on_body(content)
        super().on_message_complete()

    def _learn(self, known: Arrival | Inquiry) -> None:
        """Know this head again, as long as the caller's heads do repeat."""
        self._repeated = None
        self._new_heads += 1
        if self.gateway.shortcuts and self._keep_alive and is_worth_learning(self._new_heads):
            self._known = known
            self._repeated = RepeatedHead.learn(self._first) or RepeatedBodiless.learn(self._first)
        self._first = b""

    def _begin_again(self, body: bytes) -> bool:
        """A request with the head that was seen before, and its whole body; False if it has to be parsed."""
        known = self._known
        if isinstance(known, Inquiry):
            reply = known.answer(body)
            if reply is None:
                return False
            self._new_heads = 0
            self.reply(reply)
            return True
        if len(body) > self.gateway.max_body_bytes:
            return False
        self._new_heads = 0
        self.deadline = math.inf
        visit = self.visit = Visit(self.gateway, self, known)
        visit.decide(body)
        return True

    def _begin_asgi(self) -> None:
        """Make up for the scope that uvicorn makes at the beginning of a message."""
        # uvicorn's keep-alive timer runs after its answers, and only the parsed way stops it.
        self._repeated = None
        self._first = b""
        url, headers, expects = _target(self.url), self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url = url
        self.headers.extend(headers)
        self.expect_100_continue = expects
        try:
            super().on_headers_complete()
        except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
            self._refuse_connection(refusal("invalid_request", "The request's target is not a valid URL."))

    def _refuse_connection(self, refused: Refusal) -> None:
        """Answer what is no request, and hang up; behind an answer that has begun, only hang up."""
        if self._deaf:
            return
        self._deaf = True
        self._keep_alive = False
        cycle = self._cycle()
        is_asgi = cycle is not None and not cycle.response_complete
        if self.visit is not None:
            visit, self.visit = self.visit, None
            visit.hang_up()
        elif cycle is not None and is_asgi:
            cycle.disconnected = True
            cycle.message_event.set()
        if self._has_begun or (cycle is not None and is_asgi and cycle.response_started):
            self.break_off()
            return
        request_id = self.gateway.new_request_id()
        self.answer(
            refused.kind.status, refusal_headers(refused, request_id), refusal_body(refused, request_id)
        )

    # What a visit says.

    def go_on(self) -> None:
        """Tell a caller that waits for leave to send its body (RFC 9110 §10.1.1)."""
        # Behind the answer before it, which may wait for the end of this turn.
        self._send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def refuse(self, error: InnoError, request_id: str) -> None:
        """Answer with an error envelope. A body that is still coming in is not waited for."""
        refused = error.refusal
        if self.deadline != math.inf:
            self._deaf = True
            self._keep_alive = False
        headers = refusal_headers(refused, request_id) + error.headers
        self.answer(refused.kind.status, headers, refusal_body(refused, request_id))

    def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer of our own."""
        self.begin(status, b"".join(b"%b: %b\r\n" % header for header in headers), len(body))
        self.end(b"" if self.parser.get_method() == b"HEAD" else body)

    def _send(self, data: bytes) -> None:
        """Write at the end of this turn."""
        if not self._outgoing:
            self.gateway.departures.add(self._depart)
        self._outgoing += data
        if len(self._outgoing) > MOST_OUTGOING:
            self._depart()

    def _depart(self) -> None:
        """Write what waits for the end of this turn. By then, what was recorded of it is on disk."""
        self.gateway.spool.flush()
        data, self._outgoing = self._outgoing, b""
        if data and not self.transport.is_closing():
            self.transport.write(data)
            if self.visit is None and self.flow.write_paused:
                # Let it read its answers before it asks for more.
                self.flow.pause_reading()

    def reply(self, reply: Reply) -> None:
        """Send a whole answer that needs nothing more."""
        ((name, date),) = self.server_state.default_headers
        status, lines, body = reply
        close = b"" if self._keep_alive else b"connection: close\r\n"
        self._send(
            b"%b%b: %b\r\n%b%b%b\r\n%b" % (STATUS_LINE[status], name, date, lines, self._cors, close, body)
        )
        self._ended()

    def answer_with(self, status: int, fields: bytes, body: bytes) -> None:
        """Send a whole answer with a body, whose headers are lines already."""
        ((name, date),) = self.server_state.default_headers
        close = b"" if self._keep_alive else b"connection: close\r\n"
        self._send(
            b"%b%b: %b\r\n%b%bcontent-length: %d\r\n%b\r\n%b"
            % (STATUS_LINE[status], name, date, fields, self._cors, len(body), close, body)
        )
        self._ended()

    def begin(self, status: int, fields: bytes, length: int | None) -> None:
        """Begin an answer; the head goes out with the first of its body. `fields` are whole lines."""
        self._has_begun = True
        self._chunked = False
        if status in _BODILESS:
            framing = b""
        elif length is not None:
            framing = b"content-length: %d\r\n" % length
        elif self._is_http_11:
            self._chunked = True
            framing = b"transfer-encoding: chunked\r\n"
        else:
            self._keep_alive = False
            framing = b""
        if not self._keep_alive:
            framing += b"connection: close\r\n"
        # uvicorn makes a new list with the new date each second.
        ((name, date),) = self.server_state.default_headers
        status_line = STATUS_LINE[status]
        self._unsent = b"%b%b: %b\r\n%b%b%b\r\n" % (status_line, name, date, fields, self._cors, framing)

    def send_head(self) -> None:
        """Let the head go out by itself, where the body takes its time."""
        if self._unsent:
            head, self._unsent = self._unsent, b""
            self._send(head)

    def write(self, data: bytes) -> None:
        """Send a piece of the answer's body."""
        if self._chunked:
            data = b"%b%x\r\n%b\r\n" % (self._unsent, len(data), data)
        elif self._unsent:
            data = self._unsent + data
        self._unsent = b""
        self._send(data)

    def end(self, data: bytes = b"") -> None:
        """Send the last piece."""
        if self._chunked:
            last = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"
        else:
            last = data
        head, self._unsent = self._unsent, b""
        if head or last:
            self._send(head + last)
        self._ended()

    def _ended(self) -> None:
        """The answer is out: be ready for the next request, or hang up."""
        self.visit = None
        self._has_begun = False
        self.server_state.total_requests += 1
        if self._keep_alive:
            self.deadline = self.loop.time() + IDLE_PATIENCE
            if self.flow.read_paused and not self.flow.write_paused:
                self.flow.resume_reading()
        else:
            self._depart()
            self.transport.close()

    def break_off(self) -> None:
        """Show that the answer is not whole by cutting it: there is no other way by then."""
        self.visit = None
        self._depart()
        self.transport.abort()


def _target(url: bytes) -> bytes:
    """Path and query, whichever form the request target has."""
    return url if url.startswith(b"/") else origin_form(url.decode("latin-1")).encode("latin-1")
