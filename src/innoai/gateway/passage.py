"""An admitted request's passage: upstreams are asked in turn, the answer relayed, the usage recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import structlog

from innoai.access.limits import as_duration
from innoai.errors import ERRORS, InnoError, refusal
from innoai.gateway.body import JsonBody
from innoai.gateway.failing_over import (
    TOLD_IN_ITS_OWN_WORDS,
    failed,
    is_well,
    refused_by,
    refused_for_its_encoding,
)
from innoai.gateway.headers import read_answer, retry_after
from innoai.gateway.sse import Events, without_usage
from innoai.gateway.transport import NO_CALL
from innoai.gateway.upstream import FailureKind
from innoai.metering import estimates
from innoai.metering.bounds import cap_member
from innoai.metering.usage import TAIL_BYTES, UsageReader, usage_in_tail, usage_of
from innoai.store.usage import UsageRecord

if TYPE_CHECKING:
    from innoai.access.budgets import Reservation
    from innoai.access.limits import RateOutcome
    from innoai.access.principal import Principal
    from innoai.errors import Refusal
    from innoai.gateway.body import MultipartBody
    from innoai.gateway.connection import Connection
    from innoai.gateway.gateway import Gateway
    from innoai.gateway.headers import AnswerReading
    from innoai.gateway.models import Target
    from innoai.gateway.quoting import Quoting
    from innoai.gateway.transport import Handle
    from innoai.gateway.upstream import AnswerHead, Failure
    from innoai.gateway.visit import Visit
    from innoai.metering.prices import Tariff
    from innoai.metering.usage import Usage

CLIENT_CLOSED_REQUEST = 499
"""What a record says of a request whose caller went away, as nginx does."""

_OK = 200
_FIRST_REDIRECT = 300
_START = (
    b"%bx-request-id: %b\r\nx-ratelimit-limit-requests: %d\r\nx-ratelimit-remaining-requests: %d\r\n"
    b"x-ratelimit-reset-requests: %b\r\n"
)

_UNPRICED = (None, False)

log = structlog.get_logger()


class Passage:
    """Listens to upstreams and writes to the caller, in callbacks alone.

    asking -> (asking another, on failure) -> relaying -> over
    """

    __slots__ = (
        "_body",
        "_call",
        "_candidates",
        "_connection",
        "_events",
        "_first_byte",
        "_gateway",
        "_has_begun",
        "_is_stream",
        "_length",
        "_pending",
        "_principal",
        "_quoting",
        "_rate",
        "_reader",
        "_reservation",
        "_start",
        "_status",
        "_target",
        "_visit",
    )

    def __init__(
        self,
        gateway: Gateway,
        connection: Connection,
        visit: Visit,
        body: JsonBody | MultipartBody,
        principal: Principal,
        rate: RateOutcome,
        reservation: Reservation | None,
        quoting: Quoting | None,
    ) -> None:
        self._gateway = gateway
        self._connection: Connection | None = connection
        self._visit = visit
        self._body = body
        self._principal = principal
        self._rate = rate
        self._reservation = reservation
        self._quoting = quoting
        self._candidates = gateway.models.candidates(body.model, visit.started)
        self._target: Target
        self._call: Handle = NO_CALL
        self._reader: UsageReader
        self._events: Events | None = None
        self._first_byte: float | None = None
        self._status = 0
        self._start = b""
        self._length: int | None = None
        self._has_begun = self._is_stream = False
        self._pending: list[bytes] = []

    def begin(self) -> None:
        """Ask the first upstream."""
        self._ask(self._candidates.pop(0))

    # What the caller's connection says.

    def hang_up(self) -> None:
        """The caller went away: so does the upstream request."""
        self._call.cancel()
        if self._status:
            # What had arrived was served, too, and may be where the usage is told.
            self._take()
        self._record(CLIENT_CLOSED_REQUEST, "cancelled", self._usage() if self._status else None)
        self._over()

    def give_up(self) -> None:
        """Something ended it that nobody foresaw. What was set aside is free again; the visit answers."""
        self._call.cancel()
        # Nothing counts as served, so nothing is read of it once more.
        self._status = 0
        self._record(ERRORS["internal_error"].status, "failed", None)
        self._over()

    def pause(self) -> None:
        """Let the upstream wait for the caller."""
        self._call.pause()

    def resume(self) -> None:
        """Let the upstream go on."""
        self._call.resume()

    # What the upstream says.

    def on_whole(self, head: AnswerHead, body: bytes) -> None:
        """A whole answer, which most requests get that do not stream, or quickly. It takes the short way."""
        try:
            self._relay_whole(head, body)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
            self._fail(error)

    def _relay_whole(self, head: AnswerHead, body: bytes) -> None:
        connection, reading = self._connection, head.reading
        if connection is None or head.status != _OK or reading is None:
            self._on_pieces(head, body)
            return
        self._first_byte = self._gateway.monotonic()
        self._target.succeeded()
        usage = None
        if reading.is_json:
            usage = usage_of(body)
        elif reading.is_stream and self._hides_usage():
            body, usage = without_usage(body)
        if usage is None and not reading.is_json:
            usage = usage_in_tail(body[-TAIL_BYTES:])
        self._status = _OK
        if usage is None:
            # Only what the answer may have cost is left to be read of it.
            self._reader = UsageReader(reading.content_type)
            self._reader.feed(body)
        self._record(_OK, "complete", usage)
        self._over()
        connection.answer_with(_OK, self._lines(reading.lines), body)

    def _on_pieces(self, head: AnswerHead, body: bytes) -> None:
        self.on_head(head)
        if self._status:
            self.on_body(body)
            self._relay_end()

    def on_head(self, head: AnswerHead) -> None:
        """An answer begins; whether it is one to relay shows at once."""
        status = head.status
        refused = refused_by(status)
        if refused is None:
            reading = head.reading or read_answer(head.headers)
            if not (reading.is_encoded and _is_served(status)):
                # What is left in the head saves the next answer this way, so it must be one to relay.
                head.reading = reading
                self._target.succeeded()
                self._prepare(status, reading)
                return
            refused = refused_for_its_encoding(status)
        log.warning("an upstream failed", upstream=self._target.upstream.base_url, why=refused.message)
        wait = retry_after(head.headers)
        if not is_well(status):
            self._target.failed(self._gateway.monotonic(), wait)
        if wait is not None and len(self._gateway.models.targets[self._body.model]) == 1:
            refused = refused_by(status, wait) or refused
        if not self._candidates and status in TOLD_IN_ITS_OWN_WORDS:
            self._prepare(status, head.reading or read_answer(head.headers))
            return
        self._call.cancel()
        self._ask_another_or(refused)

    def on_body(self, chunk: bytes) -> None:
        """A piece of the answer; it goes out when all that has arrived is known."""
        if self._first_byte is None:
            # Not the head, which many model servers send before they have read the prompt.
            self._first_byte = self._gateway.monotonic()
        self._pending.append(chunk)

    def on_turn(self) -> None:
        """No more has arrived for now: what is here must not wait."""
        if self._connection is None:
            return
        if not self._has_begun:
            self._has_begun = True
            self._connection.begin(self._status, self._start, self._length)
        data = self._take()
        if data:
            self._connection.write(data)
        else:
            self._connection.send_head()

    def on_end(self) -> None:
        """The answer is whole. What it cost is on record before the caller has the end of it."""
        try:
            self._relay_end()
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
            self._fail(error)

    def _relay_end(self) -> None:
        connection = self._connection
        if connection is None:
            return
        data = self._take()
        if self._events is not None:
            data += self._events.finish()
        self._record(self._status, "complete", self._usage())
        if not self._has_begun:
            connection.begin(self._status, self._start, len(data))
        self._over()
        connection.end(data)

    def on_failure(self, failure: Failure) -> None:
        """There is no whole answer."""
        if failure.kind is FailureKind.SHUT_DOWN:
            self._end_early()
            return
        log.warning("an upstream failed", upstream=self._target.upstream.base_url, why=failure.text)
        self._target.failed(self._gateway.monotonic())
        refused = failed(failure)
        if self._has_begun:
            self._break_off(refused)
        elif failure.kind is FailureKind.TIMED_OUT and failure.reached:
            # It took all its time, which is the caller's, too.
            self._refuse(refused)
        else:
            self._ask_another_or(refused)

    def _fail(self, error: Exception) -> None:
        """Something went wrong that nobody foresaw: say so, or cut an answer that has begun."""
        connection, has_begun = self._connection, self._has_begun
        if connection is None or not has_begun:
            self._visit.fail(error)
            return
        log.error("unexpected", request_id=self._visit.request_id, exc_info=error)
        self.give_up()
        connection.break_off()

    def _end_early(self) -> None:
        """The gateway stops, and its patience with this request is over."""
        stopping = refusal("service_unavailable", "The gateway is restarting. Try again shortly.")
        if self._has_begun:
            self._break_off(stopping)
        else:
            self._refuse(stopping)

    def _over(self) -> None:
        """Let go of whatever refers back here, so that all of it is freed at once."""
        self._connection = None
        self._visit.passage = None
        self._call = NO_CALL

    # Asking.

    def _ask(self, target: Target) -> None:
        self._target = target
        arrival, body = self._visit.arrival, self._body
        if isinstance(body, JsonBody):
            content = body.encode(
                target.upstream, usage_option=arrival.knows_usage_option, cap=self._cap_for(target)
            )
        else:
            content = body.encode(target.upstream)
        try:
            self._call = target.send(arrival, content, self, self._visit.span)
        except ValueError as error:
            self._refuse(refusal("invalid_request", f"The request cannot be forwarded: {error}."))
        except RuntimeError:
            # The transport is closed, since the server is stopping.
            self._refuse(refusal("service_unavailable"))

    def _cap_for(self, target: Target) -> tuple[str, int] | None:
        """What keeps the answer within the budget, where nothing else does."""
        if self._reservation is None or self._quoting is None:
            return None
        cap = self._quoting.answer_cap(self._reservation)
        if cap is None:
            return None
        upstream = target.upstream
        return cap_member(self._visit.arrival.route.path, upstream.base_url, upstream.cap_member), cap

    def _ask_another_or(self, refused: Refusal) -> None:
        # Nothing of an answer that broke before any of it was relayed counts as served.
        self._status = 0
        self._events = self._length = self._first_byte = None
        self._pending = []
        if self._candidates:
            self._ask(self._candidates.pop(0))
        else:
            self._refuse(refused)

    # Answering.

    def _prepare(self, status: int, reading: AnswerReading) -> None:
        self._status = status
        self._reader = UsageReader(reading.content_type)
        self._is_stream = reading.is_stream
        hides_usage = reading.is_stream and self._hides_usage()
        if reading.is_stream:
            self._events = Events(hides_usage=hides_usage)
        if not hides_usage:
            self._length = reading.content_length
        self._start = self._lines(reading.lines)

    def _lines(self, relayed: bytes) -> bytes:
        """The answer's headers: the upstream's, and what the gateway says of the request."""
        rate = self._rate
        reset = as_duration(rate.reset_ns).encode()
        return _START % (relayed, self._visit.request_id.encode(), rate.limit, rate.remaining, reset)

    def _hides_usage(self) -> bool:
        """Whether the gateway asked for usage on its own account, which the caller must not see."""
        body = self._body
        return (
            isinstance(body, JsonBody)
            and self._visit.arrival.knows_usage_option
            and body.asks_for_hidden_usage(self._target.upstream)
        )

    def _take(self) -> bytes:
        """What has arrived since the last time, as the caller may see it."""
        pending, self._pending = self._pending, []
        data = pending[0] if len(pending) == 1 else b"".join(pending)
        if self._events is not None:
            data = self._events.feed(data)
        self._reader.feed(data)
        return data

    def _refuse(self, refused: Refusal) -> None:
        connection = self._connection
        self._record(refused.kind.status, "failed", None)
        self._over()
        if connection is not None:
            connection.refuse(InnoError.of(refused), self._visit.request_id)

    def _break_off(self, refused: Refusal) -> None:
        """Tell the caller that the answer will not be whole.

        A stream ends with an error event, which OpenAI's clients raise as an error; anything else can
        only be cut.
        """
        connection = self._connection
        data = self._take()
        self._record(self._status, "failed", self._usage())
        self._over()
        if connection is None:
            return
        if self._is_stream and self._length is None:
            event = msgspec.json.encode(refused.envelope(self._visit.request_id))
            ended = b"\n\n" if self._events is not None and self._events.is_cut else b""
            connection.end(b"%b%bdata: %b\n\n" % (data, ended, event))
        else:
            connection.break_off()

    # Metering.

    def _usage(self) -> Usage | None:
        return (self._events and self._events.usage) or self._reader.usage()

    def _record(self, status: int, outcome: str, usage: Usage | None) -> None:
        gateway, visit, principal = self._gateway, self._visit, self._principal
        customer = principal.customer
        started, now = visit.started, gateway.monotonic()
        first_byte = self._first_byte
        tariff = gateway.models.tariffs[self._body.model]
        is_served = _is_served(self._status)
        if is_served and usage is None and self._reader.tells_only_an_error():
            # Its head was sent before the model server knew, so the status does not say so.
            is_served = False
            outcome = "failed" if outcome == "complete" else outcome
        cost, estimated = self._cost(tariff, usage, is_served=is_served) if tariff.prices else _UNPRICED
        started_at = gateway.clock() - (now - started)
        reservation, self._reservation = self._reservation, None
        if reservation is not None:
            # An estimate is no reason to charge more than what was set aside.
            cost = min(cost, reservation.amount) if cost is not None and estimated else cost
            gateway.door.settle(reservation, cost or 0)
            if usage is not None and self._quoting is not None:
                self._quoting.learn(usage.prompt_tokens)
            # Whose month is that of the reservation, too.
            started_at = reservation.at
        record = UsageRecord(
            visit.request_id,
            principal.account.id,
            principal.key.id,
            visit.arrival.route.path,
            status,
            outcome,
            started_at,
            (now - started) * 1000,
            self._body.model,
            self._target.upstream.base_url,
            None if customer is None else customer.id,
            None if customer is None else customer.customer_id,
            None if first_byte is None else (first_byte - started) * 1000,
            None if usage is None else usage.prompt_tokens,
            None if usage is None else usage.cached_tokens,
            None if usage is None else usage.completion_tokens,
            cost,
            estimated,
            principal.account.currency if cost else None,
        )
        if gateway.spool.append(record):
            # Where an answer follows, it sees to that itself.
            gateway.departures.add(gateway.spool.flush)
        if gateway.door.tail.is_watched:
            gateway.door.tail.finished(record)
        if visit.span is not None:
            visit.span.finished(record)

    def _cost(self, tariff: Tariff, usage: Usage | None, *, is_served: bool) -> tuple[int | None, bool]:
        """What the request costs in the account's currency, and whether that had to be estimated."""
        price = tariff.prices.get(self._principal.account.currency)
        if price is None:
            return _UNPRICED
        if not is_served:
            return 0, False
        requests = 1 if self._quoting is None else self._quoting.requests
        if usage is not None:
            prompt, cached, completion = usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens
            return price.cost(prompt, cached, completion, requests), False
        body = self._body
        prompt = (
            estimates.prompt_tokens(map(bytes, body.members.values())) if isinstance(body, JsonBody) else 0
        )
        if tariff.context_window is not None:
            prompt = min(prompt, tariff.context_window)
        return price.cost(prompt, 0, self._reader.estimated_tokens(), requests), True


def _is_served(status: int) -> bool:
    """Whether an answer of this status is what was asked for, and so costs something."""
    return _OK <= status < _FIRST_REDIRECT
