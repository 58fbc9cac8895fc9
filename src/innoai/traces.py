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
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from innoai.money import show

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.context import Context

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
_extract = TraceContextTextMapPropagator().extract

_Attributes = dict[str, str | int | float | None]


class Traces:
    """Makes a span of each inference request when it is over, and has the SDK's thread send it."""

    def __init__(self) -> None:
        own = {"service.version": version(_SERVICE)}
        if "OTEL_SERVICE_NAME" not in os.environ:
            own["service.name"] = _SERVICE
        self._provider = TracerProvider(resource=Resource.create(own))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(_SERVICE)

    def finished(self, record: UsageRecord, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """A request that was admitted, by its record. `headers`: the caller's, which name its trace."""
        told: _Attributes = {
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
        }
        if record.is_failure:
            told["error.type"] = str(record.status)
        self._tell(
            record.route,
            record.model,
            record.request_id,
            record.status,
            record.started_at,
            record.duration_ms / 1000,
            told,
            headers,
        )

    def refused(
        self,
        refused: Refusal,
        route: str,
        request_id: str,
        started_at: float,
        seconds: float,
        headers: Iterable[tuple[bytes, bytes]],
    ) -> None:
        """A request that was not admitted; it began at `started_at` (Unix seconds) and took `seconds`."""
        told: _Attributes = {"error.type": refused.code}
        self._tell(route, None, request_id, refused.kind.status, started_at, seconds, told, headers)

    def close(self) -> None:
        """Send what waits; blocks until it is sent, or given up after the exporter's timeout."""
        self._provider.shutdown()

    def _tell(
        self,
        route: str,
        model: str | None,
        request_id: str,
        status: int,
        started_at: float,
        seconds: float,
        told: _Attributes,
        headers: Iterable[tuple[bytes, bytes]],
    ) -> None:
        operation = _OPERATIONS.get(route)
        attributes: _Attributes = {
            "http.request.method": "POST",
            "http.route": route,
            "http.response.status_code": status,
            "gen_ai.operation.name": operation,
            "innoai.request_id": request_id,
            **told,
        }
        span = self._tracer.start_span(
            f"{operation} {model}" if operation and model else f"POST {route}",
            context=_parent(headers),
            kind=SpanKind.SERVER,
            attributes={name: value for name, value in attributes.items() if value is not None},
            start_time=int(started_at * 1e9),
        )
        if status >= _FIRST_SERVER_ERROR or told.get("innoai.outcome") == "failed":
            span.set_status(StatusCode.ERROR)
        span.end(int((started_at + seconds) * 1e9))


def _parent(headers: Iterable[tuple[bytes, bytes]]) -> Context:
    """The trace that the caller says it is part of (W3C Trace Context)."""
    return _extract({name.decode(): value.decode("latin-1") for name, value in headers if name in _PARENT})
