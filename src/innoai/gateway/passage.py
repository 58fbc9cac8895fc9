"""An admitted request's passage: upstreams are asked in turn, the answer relayed, the usage recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import structlog

from innoai.access.limits import as_duration
from innoai.errors import ERRORS, InnoError, refusal
from innoai.gateway.body import JsonBody
from innoai.gateway.headers import find, relayed_lines, retry_after
from innoai.gateway.sse import HiddenUsage
from innoai.gateway.upstream import FailureKind
from innoai.metering.usage import UsageReader
from innoai.store.usage import UsageRecord

if TYPE_CHECKING:
    from innoai.access.limits import RateOutcome
    from innoai.access.principal import Principal
    from innoai.errors import Refusal
    from innoai.gateway.body import MultipartBody
    from innoai.gateway.connection import Connection
    from innoai.gateway.gateway import Gateway
    from innoai.gateway.headers import Headers
    from innoai.gateway.models import Target
    from innoai.gateway.transport import Handle
    from innoai.gateway.upstream import Failure
    from innoai.metering.usage import Usage

USAGE_OPTION_PATHS = frozenset((b"/v1/chat/completions", b"/v1/completions"))
"""The routes whose streams know `stream_options.include_usage`."""

CLIENT_CLOSED_REQUEST = 499
"""What a record says of a request whose caller went away, as nginx does."""

_TOO_MANY_REQUESTS = 429
_FAIL_OVER_STATUSES = frozenset((_TOO_MANY_REQUESTS, 500, 502, 503, 504))
_CREDENTIAL_STATUSES = frozenset((401, 403))
_EVENT_STREAM = b"text/event-stream"

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
        "_first_byte",
        "_forwarded",
        "_gateway",
        "_has_begun",
        "_hidden",
        "_is_stream",
        "_path",
        "_pending",
        "_principal",
        "_query",
        "_rate",
        "_reader",
        "_request_id",
        "_start",
        "_started",
        "_started_at",
        "_status",
        "_target",
    )

    def __init__(
        self,
        gateway: Gateway,
        connection: Connection,
        *,
        request_id: str,
        path: bytes,
        query: bytes,
        forwarded: Headers,
        body: JsonBody | MultipartBody,
        principal: Principal,
        rate: RateOutcome,
        started_at: float,
        started: float,
    ) -> None:
        self._gateway = gateway
        self._connection: Connection | None = connection
        self._request_id = request_id
        self._path = path
        self._query = query
        self._forwarded = forwarded
        self._body = body
        self._principal = principal
        self._rate = rate
        self._started_at = started_at
        self._started = started
        self._candidates = gateway.models.candidates(body.model, started)
        self._target: Target
        self._call: Handle
        self._first_byte: float | None = None
        self._status = 0
        self._start = b""
        self._has_begun = False
        self._is_stream = False
        self._pending: list[bytes] = []
        self._reader: UsageReader
        self._hidden: HiddenUsage | None = None

    def begin(self) -> None:
        """Ask the first upstream."""
        self._ask(self._candidates.pop(0))

    # What the caller's connection says.

    def hang_up(self) -> None:
        """The caller went away: so does the upstream request."""
        self._connection = None
        self._call.cancel()
        self._record(CLIENT_CLOSED_REQUEST, "cancelled", self._usage() if self._status else None)

    def pause(self) -> None:
        """Let the upstream wait for the caller."""
        self._call.pause()

    def resume(self) -> None:
        """Let the upstream go on."""
        self._call.resume()

    # What the upstream says.

    def on_head(self, status: int, headers: Headers) -> None:
        """An answer begins; whether it is one to relay shows at once."""
        now = self._gateway.monotonic()
        self._first_byte = now
        failed = _refused_by(status)
        if failed is None:
            self._target.succeeded()
            self._prepare(status, headers)
            return
        log.warning("an upstream failed", upstream=self._target.upstream.base_url, why=failed.message)
        self._target.failed(now, retry_after(headers))
        if not self._candidates and status == _TOO_MANY_REQUESTS:
            # That the model server has had enough is said in its own words, with its own Retry-After.
            self._prepare(status, headers)
            return
        self._call.cancel()
        self._ask_another_or(failed)

    def on_body(self, chunk: bytes) -> None:
        """A piece of the answer; it goes out when all that has arrived is known."""
        if self._hidden is not None:
            chunk = self._hidden.feed(chunk)
        else:
            self._reader.feed(chunk)
        if chunk:
            self._pending.append(chunk)

    def on_turn(self) -> None:
        """No more has arrived for now: what is here must not wait."""
        if self._connection is None:
            return
        if not self._has_begun:
            self._has_begun = True
            length = None if self._hidden is not None else self._reader.announced
            self._connection.begin(self._status, self._start, length)
        data = self._take()
        if data:
            self._connection.write(data)

    def on_end(self) -> None:
        """The answer is whole. What it cost is on record before the caller has the end of it."""
        connection = self._connection
        if connection is None:
            return
        if self._hidden is not None:
            self._pending.append(self._hidden.finish())
        data = self._take()
        self._record(self._status, "complete", self._usage())
        if not self._has_begun:
            connection.begin(self._status, self._start, len(data))
        self._connection = None
        connection.end(data)

    def on_failure(self, failure: Failure) -> None:
        """There is no whole answer."""
        log.warning("an upstream failed", upstream=self._target.upstream.base_url, why=failure.text)
        self._target.failed(self._gateway.monotonic())
        failed = _failed(failure)
        if self._has_begun:
            self._break_off(failed)
        elif failure.kind is FailureKind.TIMED_OUT and failure.reached:
            # It took all its time, which is the caller's, too.
            self._refuse(failed)
        else:
            self._ask_another_or(failed)

    # Asking.

    def _ask(self, target: Target) -> None:
        self._target = target
        head = target.head(self._path, self._query, self._forwarded)
        body = self._body
        if isinstance(body, JsonBody):
            content = body.encode(target.upstream, usage_option=self._path in USAGE_OPTION_PATHS)
        else:
            content = body.encode(target.upstream)
        try:
            self._call = target.transport.send(head, content, self)
        except ValueError as error:
            self._refuse(refusal("invalid_request", f"The request cannot be forwarded: {error}."))

    def _ask_another_or(self, failed: Refusal) -> None:
        if self._candidates:
            self._ask(self._candidates.pop(0))
        else:
            self._refuse(failed)

    # Answering.

    def _prepare(self, status: int, headers: Headers) -> None:
        content_type = find(headers, b"content-type") or b""
        self._status = status
        self._is_stream = content_type.startswith(_EVENT_STREAM)
        self._reader = UsageReader(content_type, find(headers, b"content-length"))
        if self._is_stream and self._hides_usage():
            self._hidden = HiddenUsage()
        self._start = b"%bx-request-id: %b\r\n%b" % (
            relayed_lines(headers),
            self._request_id.encode(),
            _rate_lines(self._rate),
        )

    def _hides_usage(self) -> bool:
        """Whether the gateway asked for usage on its own account, which the caller must not see."""
        body = self._body
        return (
            isinstance(body, JsonBody)
            and self._path in USAGE_OPTION_PATHS
            and body.asks_for_hidden_usage(self._target.upstream)
        )

    def _take(self) -> bytes:
        pending, self._pending = self._pending, []
        return pending[0] if len(pending) == 1 else b"".join(pending)

    def _refuse(self, refused: Refusal) -> None:
        connection, self._connection = self._connection, None
        self._record(refused.kind.status, "failed", None)
        if connection is not None:
            connection.refuse(InnoError.of(refused), self._request_id)

    def _break_off(self, failed: Refusal) -> None:
        """Tell the caller that the answer will not be whole.

        A stream ends with an error event, which OpenAI's clients raise as an error; anything else can
        only be cut.
        """
        connection, self._connection = self._connection, None
        self._record(self._status, "failed", self._usage())
        if connection is None:
            return
        if self._is_stream and self._reader.announced is None:
            event = msgspec.json.encode(failed.envelope(self._request_id))
            connection.end(self._take() + b"data: " + event + b"\n\n")
        else:
            connection.break_off()

    # Metering.

    def _usage(self) -> Usage | None:
        return (self._hidden and self._hidden.usage) or self._reader.usage()

    def _record(self, status: int, outcome: str, usage: Usage | None) -> None:
        principal, customer, started = self._principal, self._principal.customer, self._started
        duration = self._gateway.monotonic() - started
        first_byte = None if self._first_byte is None else round((self._first_byte - started) * 1000, 3)
        self._gateway.spool.append(
            UsageRecord(
                request_id=self._request_id,
                account_id=principal.account.id,
                key_id=principal.key.id,
                route=self._path.decode(),
                status=status,
                outcome=outcome,
                started_at=self._started_at,
                duration_ms=round(duration * 1000, 3),
                model=self._body.model,
                upstream=self._target.upstream.base_url,
                customer_pk=None if customer is None else customer.id,
                customer_id=None if customer is None else customer.customer_id,
                first_byte_ms=first_byte,
                prompt_tokens=None if usage is None else usage.prompt_tokens,
                cached_tokens=None if usage is None else usage.cached_tokens,
                completion_tokens=None if usage is None else usage.completion_tokens,
            )
        )


def _rate_lines(rate: RateOutcome) -> bytes:
    return (
        b"x-ratelimit-limit-requests: %d\r\nx-ratelimit-remaining-requests: %d\r\n"
        b"x-ratelimit-reset-requests: %b\r\n"
    ) % (rate.limit, rate.remaining, as_duration(rate.reset_ns).encode())


def _refused_by(status: int) -> Refusal | None:
    """What the caller is told when the upstream's answer is not one to relay."""
    if status in _FAIL_OVER_STATUSES:
        message = f"The model server answered with status {status}. Try again shortly."
        return refusal("upstream_error", message, upstream_status=status)
    if status in _CREDENTIAL_STATUSES:
        # Relayed, it would tell the caller that its own key is wrong.
        message = "The model server refused the gateway's credential. The operator must check its api_key."
        return refusal("upstream_error", message, upstream_status=status)
    return None


def _failed(failure: Failure) -> Refusal:
    code = "upstream_timeout" if failure.kind is FailureKind.TIMED_OUT else "upstream_error"
    return refusal(code, f"{ERRORS[code].message} ({failure.text})")
