"""Spans of inference requests for an OpenTelemetry collector, by OpenTelemetry's own SDK.

Where they go, under which name and how many of them, is said by OpenTelemetry's environment variables
(OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER, …). Attributes are named by its
semantic conventions for HTTP servers and generative AI. Nothing that was asked or answered is in them.

This module needs packages that a server without traces need not have: only server.py imports it, and
only when they are wanted.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from innoai.money import show

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from innoai.errors import Refusal
    from innoai.store.usage import UsageRecord

_SERVICE = "innoai"
_PARENT = (b"traceparent", b"tracestate")
_OPERATIONS = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "text_completion",
    "/v1/embeddings": "embeddings",
    "/v1/responses": "chat",
}
"""gen_ai.operation.name of the routes that have one."""

_FIRST_SERVER_ERROR = 500
_context = TraceContextTextMapPropagator()
_extract, _inject = _context.extract, _context.inject

_Attributes = dict[str, str | int | float | None]
Headers = list[tuple[bytes, bytes]]


class Traces:
    """Begins a span for each inference request, and has the SDK's thread send those that are over."""

    def __init__(self) -> None:
        own = {"service.version": version(_SERVICE)}
        if "OTEL_SERVICE_NAME" not in os.environ:
            own["service.name"] = _SERVICE
        self._provider = TracerProvider(resource=Resource.create(own))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(_SERVICE)

    def begin(self, route: str, request_id: str, headers: Headers, started_at: float) -> RequestSpan:
        """The span of a request that began at `started_at` (Unix seconds), as part of its caller's trace."""
        span = self._tracer.start_span(
            f"POST {route}",
            context=_parent(headers),
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": "POST",
                "http.route": route,
                "innoai.request_id": request_id,
            },
            start_time=_nanoseconds(started_at),
        )
        return RequestSpan(span, route)

    def close(self) -> None:
        """Send what waits; blocks until it is sent, or given up after the exporter's timeout."""
        self._provider.shutdown()


class RequestSpan:
    """A request's span, until `refused` or `finished` says how it went."""

    __slots__ = ("_operation", "_span")

    def __init__(self, span: Span, route: str) -> None:
        self._span = span
        self._operation = _OPERATIONS.get(route)

    def continued(self, headers: Headers) -> Headers:
        """These headers for a model server, whose spans are then this one's children (W3C Trace Context)."""
        carrier: dict[str, str] = {}
        _inject(carrier, set_span_in_context(self._span))
        own = [(name.encode(), value.encode("latin-1")) for name, value in carrier.items()]
        return [*(header for header in headers if header[0] not in _PARENT), *own]

    def refused(self, refused: Refusal, ended_at: float) -> None:
        """The request was not admitted; that was at `ended_at` (Unix seconds)."""
        self._end(refused.kind.status, ended_at, {"error.type": refused.code})

    def finished(self, record: UsageRecord) -> None:
        """The request was admitted, and this is its record."""
        if self._operation is not None and record.model is not None:
            self._span.update_name(f"{self._operation} {record.model}")
        told: _Attributes = {
            "gen_ai.operation.name": self._operation,
            "gen_ai.request.model": record.model,
            "gen_ai.usage.input_tokens": record.prompt_tokens,
            "gen_ai.usage.output_tokens": record.completion_tokens,
            "innoai.outcome": record.outcome,
            "innoai.upstream": record.upstream,
            "innoai.account_id": record.account_id,
            "innoai.key_id": record.key_id,
            "innoai.customer_id": record.customer_id,
            "innoai.cost": None if record.cost is None else show(record.cost),
            "innoai.time_to_first_byte_ms": record.first_byte_ms,
            "error.type": str(record.status) if record.is_failure else None,
        }
        if record.outcome == "failed":
            self._span.set_status(StatusCode.ERROR)
        self._end(record.status, record.started_at + record.duration_ms / 1000, told)

    def _end(self, status: int, ended_at: float, told: _Attributes) -> None:
        self._span.set_attribute("http.response.status_code", status)
        self._span.set_attributes({name: value for name, value in told.items() if value is not None})
        if status >= _FIRST_SERVER_ERROR:
            self._span.set_status(StatusCode.ERROR)
        self._span.end(_nanoseconds(ended_at))


def _parent(headers: Headers) -> Context:
    """The trace that the caller says it is part of (W3C Trace Context)."""
    return _extract({name.decode(): value.decode("latin-1") for name, value in headers if name in _PARENT})


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
