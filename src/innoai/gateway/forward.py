"""Forwarding an admitted request: the model's upstreams in turn, the answer relayed, the usage recorded."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from innoai.envelope import rate_headers
from innoai.errors import ERRORS, InnoError, Refusal, refusal
from innoai.gateway.body import JsonBody
from innoai.gateway.exchange import CallerGone, Exchange
from innoai.gateway.headers import find
from innoai.gateway.relay import Relay
from innoai.gateway.upstream import FailureKind
from innoai.store.usage import UsageRecord

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from innoai.access.limits import RateOutcome
    from innoai.access.principal import Principal
    from innoai.gateway.body import MultipartBody
    from innoai.gateway.headers import Headers, RequestHeaders
    from innoai.gateway.models import Models, Target
    from innoai.gateway.upstream import RequestHead
    from innoai.metering.spool import Spool
    from innoai.metering.usage import Usage

    Send = Callable[[Any], Awaitable[None]]

USAGE_OPTION_PATHS = frozenset(("/v1/chat/completions", "/v1/completions"))
"""The routes whose streams know `stream_options.include_usage`."""

_TOO_MANY_REQUESTS = 429
_FAIL_OVER_STATUSES = frozenset((_TOO_MANY_REQUESTS, 500, 502, 503, 504))
_CREDENTIAL_STATUSES = frozenset((401, 403))
_CLIENT_CLOSED_REQUEST = 499

log = structlog.get_logger()


@dataclass(slots=True)
class Inquiry:
    """An admitted request, with everything that forwarding and metering need of it."""

    request_id: str
    method: str
    path: str
    query: bytes
    headers: RequestHeaders
    body: JsonBody | MultipartBody
    principal: Principal
    rate: RateOutcome
    started_at: float
    """Unix seconds."""
    started: float
    """Seconds on the monotonic clock, as is `first_byte`."""
    first_byte: float | None = None
    gone: bool = False
    exchange: Exchange = field(default_factory=Exchange)
    target: Target = field(init=False)

    def hang_up(self) -> None:
        """The caller's connection is gone."""
        self.gone = True
        self.exchange.hang_up()

    def turn_to(self, target: Target) -> Exchange:
        """Begin anew with one upstream. CallerGone when nobody waits."""
        self.target = target
        self.exchange = Exchange()
        if self.gone:
            raise CallerGone
        return self.exchange

    def added_headers(self) -> Headers:
        """What the gateway says of the request in its answer."""
        return [(b"x-request-id", self.request_id.encode()), *rate_headers(self.rate)]

    def encoded(self, target: Target) -> tuple[RequestHead, bytes]:
        """The request in the words of one upstream."""
        head = target.head(self.method, self.path, self.query, self.headers.forwarded)
        if isinstance(self.body, JsonBody):
            usage_option = self.path in USAGE_OPTION_PATHS
            return head, self.body.encode(target.upstream, usage_option=usage_option)
        return head, self.body.encode(target.upstream)

    def hides_usage(self, target: Target) -> bool:
        """Whether the gateway asked for usage that the caller must not see."""
        return (
            isinstance(self.body, JsonBody)
            and self.path in USAGE_OPTION_PATHS
            and self.body.asks_for_hidden_usage(target.upstream)
        )


class Forwarder:
    """Takes admitted requests to upstreams."""

    def __init__(
        self,
        models: Models,
        spool: Spool,
        *,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._models = models
        self._spool = spool
        self._clock = clock
        self._monotonic = monotonic

    async def forward(self, inquiry: Inquiry, send: Send) -> bool:
        """Answer the caller from an upstream; False when only hanging up can show that the answer broke off.

        Raises:
            InnoError: upstream_error or upstream_timeout when no upstream gave an answer.
        """
        try:
            await self._ask(inquiry)
            return await self._answer(inquiry, send)
        except CallerGone:
            self._record(inquiry, _CLIENT_CLOSED_REQUEST, "cancelled", None)
            return True
        except InnoError as error:
            self._record(inquiry, error.refusal.kind.status, "failed", None)
            raise
        finally:
            inquiry.exchange.cancel()

    async def _ask(self, inquiry: Inquiry) -> None:
        """Send the request to one upstream after another until one answers with something worth relaying."""
        candidates = self._models.candidates(inquiry.body.model, self._monotonic())
        for target in candidates:
            failed = await self._try(inquiry, target)
            if failed is None:
                return
            if target is candidates[-1] or not _may_go_elsewhere(inquiry.exchange):
                break
            inquiry.exchange.cancel()
        # That the model server has had enough is said in its own words, with its own Retry-After.
        if failed is not None and inquiry.exchange.status != _TOO_MANY_REQUESTS:
            raise InnoError.of(failed)

    async def _try(self, inquiry: Inquiry, target: Target) -> Refusal | None:
        """Ask one upstream; what speaks against its answer, if anything does."""
        head, body = inquiry.encoded(target)
        exchange = inquiry.turn_to(target)
        try:
            exchange.call = target.transport.send(head, body, exchange)
        except ValueError as error:
            raise InnoError("invalid_request", f"The request cannot be forwarded: {error}.") from None
        await exchange.head()
        now = self._monotonic()
        inquiry.first_byte = now
        failed = _failed(exchange)
        if failed is None:
            target.succeeded()
        else:
            log.warning("an upstream failed", upstream=target.upstream.base_url, why=failed.message)
            target.failed(now, _retry_after(exchange.headers))
        return failed

    async def _answer(self, inquiry: Inquiry, send: Send) -> bool:
        exchange, target = inquiry.exchange, inquiry.target
        relay = Relay(exchange, send, inquiry.added_headers(), hide_usage=inquiry.hides_usage(target))
        await relay.pass_on()
        failed = _failed(exchange) if exchange.failure is not None else None
        if failed is None:
            rest = relay.rest()
            self._record(inquiry, exchange.status, "complete", relay.usage())
            await relay.end(rest)
            return True
        log.warning("an answer broke off", upstream=target.upstream.base_url, why=failed.message)
        target.failed(self._monotonic())
        if not relay.has_begun:
            raise InnoError.of(failed)
        self._record(inquiry, exchange.status, "failed", relay.usage())
        return await relay.break_off(failed, inquiry.request_id)

    def _record(self, inquiry: Inquiry, status: int, outcome: str, usage: Usage | None) -> None:
        principal = inquiry.principal
        customer = principal.customer
        now = self._monotonic()
        self._spool.append(
            UsageRecord(
                request_id=inquiry.request_id,
                account_id=principal.account.id,
                key_id=principal.key.id,
                route=inquiry.path,
                status=status,
                outcome=outcome,
                started_at=inquiry.started_at,
                duration_ms=_milliseconds(now - inquiry.started),
                model=inquiry.body.model,
                upstream=inquiry.target.upstream.base_url,
                customer_pk=None if customer is None else customer.id,
                customer_id=None if customer is None else customer.customer_id,
                first_byte_ms=(
                    None
                    if inquiry.first_byte is None
                    else _milliseconds(inquiry.first_byte - inquiry.started)
                ),
                prompt_tokens=None if usage is None else usage.prompt_tokens,
                cached_tokens=None if usage is None else usage.cached_tokens,
                completion_tokens=None if usage is None else usage.completion_tokens,
            )
        )


def _may_go_elsewhere(exchange: Exchange) -> bool:
    """Whether another upstream may be asked: not after one took all its time, which is the caller's."""
    failure = exchange.failure
    return failure is None or failure.kind is not FailureKind.TIMED_OUT or not failure.reached


def _failed(exchange: Exchange) -> Refusal | None:
    """What the caller is told when the upstream did not answer, or not with an answer to relay."""
    failure, status = exchange.failure, exchange.status
    if failure is not None:
        code = "upstream_timeout" if failure.kind is FailureKind.TIMED_OUT else "upstream_error"
        return refusal(code, f"{ERRORS[code].message} ({failure.text})")
    if status in _FAIL_OVER_STATUSES:
        message = f"The model server answered with status {status}. Try again shortly."
        return refusal("upstream_error", message, upstream_status=status)
    if status in _CREDENTIAL_STATUSES:
        # Relayed, it would tell the caller that its own key is wrong.
        return refusal(
            "upstream_error",
            "The model server refused the gateway's credential. The operator must check its api_key.",
        )
    return None


def _retry_after(headers: Headers) -> float | None:
    value = find(headers, b"retry-after")
    with contextlib.suppress(ValueError):
        return max(0.0, float(value)) if value is not None else None
    return None


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
