"""One inference request, from its head to the decision about it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from innoai.access.decide import Request
from innoai.access.routes import allowed_methods
from innoai.door import admission
from innoai.errors import InnoError, Refusal, refusal
from innoai.gateway.arrival import JSON, MULTIPART
from innoai.gateway.body import JsonBody, MultipartBody, read_json, read_multipart
from innoai.gateway.passage import Passage
from innoai.gateway.quoting import Quoting

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from innoai.access.decide import Decision
    from innoai.gateway.arrival import Arrival
    from innoai.gateway.connection import Connection
    from innoai.gateway.gateway import Gateway
    from innoai.traces import RequestSpan

LARGE_BODY = 64 * 1024
"""Bytes above which a body is not read before the request has passed every check but model and rate."""


Body = JsonBody | MultipartBody | Refusal

log = structlog.get_logger()


class Visit:
    """A request on its way to a decision, and then the passage that it leads to.

    reading -> (previewing, when the body is large) -> deciding -> passing. It has no connection any
    more once it is refused or the caller has hung up.
    """

    __slots__ = (
        "_connection",
        "_content",
        "_gateway",
        "_is_complete",
        "_previewed",
        "_previewing",
        "_size",
        "arrival",
        "passage",
        "request_id",
        "span",
        "started",
    )

    def __init__(self, gateway: Gateway, connection: Connection, arrival: Arrival) -> None:
        self.arrival = arrival
        self.request_id = gateway.new_request_id()
        self.started = gateway.monotonic()
        self.passage: Passage | None = None
        self.span: RequestSpan | None = None
        if gateway.traces is not None:
            self.span = gateway.traces.begin(
                arrival.route.path, self.request_id, arrival.headers.forwarded, gateway.clock()
            )
        self._gateway = gateway
        self._connection: Connection | None = connection
        self._content: list[bytes] = []
        self._size = 0
        self._previewed = self._previewing = self._is_complete = False

    # What the connection says.

    def begin(self, *, expects_continue: bool) -> None:
        """The head is known, and the body is to come."""
        announced = self.arrival.headers.content_length or 0
        if self.arrival.method != b"POST":
            self._refuse(_method_not_allowed(self.arrival.path.decode()))
        elif announced > self._gateway.max_body_bytes:
            self._refuse(self._too_large())
        elif announced > LARGE_BODY:
            self._preview(expects_continue=expects_continue)
        elif expects_continue and self._connection is not None:
            self._connection.go_on()

    def feed(self, piece: bytes) -> None:
        """The next piece of the body."""
        self._content.append(piece)
        self._size += len(piece)
        if self._size > self._gateway.max_body_bytes:
            self._refuse(self._too_large())
        elif self._size > LARGE_BODY and not self._previewed:
            self._preview(expects_continue=False)

    def complete(self) -> None:
        """The body is whole."""
        self._is_complete = True
        if not self._previewing:
            self.decide(self._content[0] if len(self._content) == 1 else b"".join(self._content))

    def hang_up(self) -> None:
        """The caller is gone."""
        self._connection = None
        if self.passage is not None:
            self.passage.hang_up()

    # Before a large body is read.

    def _preview(self, *, expects_continue: bool) -> None:
        self._previewed = self._previewing = True
        if self._connection is not None:
            self._connection.flow.pause_reading()
        self._spawn(self._check_before_reading(expects_continue=expects_continue))

    async def _check_before_reading(self, *, expects_continue: bool) -> None:
        arrival = self.arrival
        request = Request(arrival.route, arrival.address, request_id=self.request_id)
        decision = await self._gateway.door.preview(arrival.headers.credential, request)
        if decision.refusal is not None:
            raise InnoError.of(decision.refusal)
        self._previewing = False
        if self._connection is None:
            return
        self._connection.flow.resume_reading()
        if expects_continue:
            self._connection.go_on()
        if self._is_complete:
            self.complete()

    # The decision.

    def decide(self, content: bytes) -> None:
        """The body is `content`: decide, and let an admitted request pass."""
        arrival, gateway = self.arrival, self._gateway
        quoting: Quoting | None = None
        try:
            # What is wrong with a body is said only to those who may ask at all, so it does not end this yet.
            try:
                parts = _take_apart(content, arrival)
                body: Body = parts
                model = parts.model
                tariff = gateway.models.tariffs.get(model)
                if tariff is not None and tariff.prices:
                    quoting = Quoting(tariff, parts, arrival.route.path, gateway.models.allowances)
                request = Request(
                    arrival.route,
                    arrival.address,
                    model,
                    tariff is not None,
                    quote=quoting,
                    request_id=self.request_id,
                )
            except InnoError as error:
                # Not the exception: its traceback would hold this frame that holds it.
                body = error.refusal
                request = Request(arrival.route, arrival.address, request_id=self.request_id)
            decision = (
                gateway.door.admit_now(arrival.headers.credential, request, arrival.seen)
                if gateway.shortcuts
                else None
            )
            if decision is None:
                self._spawn(self._decide_later(body, request, quoting))
            else:
                self._conclude(decision, body, quoting)
        except InnoError as error:
            self._refuse(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
            self.fail(error)

    async def _decide_later(self, body: Body, request: Request, quoting: Quoting | None) -> None:
        """The same, where the store or shared limits have to be asked."""
        credential = self.arrival.headers.credential
        self._conclude(await self._gateway.door.admit(credential, request), body, quoting)

    def _conclude(self, decision: Decision, body: Body, quoting: Quoting | None) -> None:
        principal, rate, reservation = decision.principal, decision.rate, decision.reservation
        if decision.refusal is not None or principal is None or rate is None:
            principal, rate, reservation = admission(decision)
        if isinstance(body, Refusal):
            self._refuse(InnoError.of(body))
        elif self._connection is not None:
            self.passage = Passage(
                self._gateway, self._connection, self, body, principal, rate, reservation, quoting
            )
            self.passage.begin()
        else:
            self._gateway.door.let_go(reservation)

    # How it ends without a passage.

    def _refuse(self, error: InnoError) -> None:
        if self._connection is not None:
            self._connection.refuse(error, self.request_id)
            self._connection = None
            # Of a passage that something unforeseen ends, its record tells.
            if self.span is not None and self.passage is None:
                self.span.refused(error.refusal, self._gateway.clock())

    def fail(self, error: Exception) -> None:
        """Something went wrong that nobody foresaw: say so, and let what was set aside go."""
        log.error("unexpected", path=self.arrival.path.decode(), request_id=self.request_id, exc_info=error)
        self._refuse(InnoError("internal_error"))
        if self.passage is not None:
            self.passage.give_up()

    def _too_large(self) -> InnoError:
        most = self._gateway.max_body_bytes
        return InnoError("payload_too_large", f"The request body is larger than {most} bytes. Send less.")

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._gateway.tasks.add(task)
        task.add_done_callback(self._gateway.tasks.discard)

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except InnoError as error:
            self._refuse(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
            self.fail(error)


def _take_apart(content: bytes, arrival: Arrival) -> JsonBody | MultipartBody:
    if arrival.headers.problem is not None:
        raise InnoError.of(arrival.headers.problem)
    if arrival.media_type == JSON:
        return _without_background(read_json(content))
    if arrival.media_type == MULTIPART:
        return read_multipart(content, arrival.headers.content_type)
    raise InnoError("unsupported_media_type")


def _without_background(body: JsonBody) -> JsonBody:
    """Refuse what nobody would meter: an answer that the model server keeps until it is asked for."""
    if not body.waits_for_the_answer:
        message = "background is not offered here. Leave it out, and read the answer as a stream."
        raise InnoError("invalid_request", message, param="background")
    return body


def _method_not_allowed(path: str) -> InnoError:
    allow = ", ".join(allowed_methods(path)).encode()
    return InnoError.of(refusal("method_not_allowed"), [(b"allow", allow)])
