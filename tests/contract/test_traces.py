"""`telemetry.traces`: each inference request as a span at a real OTLP receiver, and nothing that was said."""

from __future__ import annotations

import gzip
import sys
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from innoai.config import ConfigError, load
from innoai.server import open_traces
from tests.contract.clients import bearer, create_key
from tests.support.local_http import listening
from tests.support.ports import free_port
from tests.support.server import MODEL
from tests.support.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.server import Server
    from tests.support.upstream import Upstream

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
MARKER, BEGINS = "traced", "begins a trace"
TRACED = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1", "x-marker": MARKER}
SAMPLED = 1
SECRET_WORDS = "what only the model may read"
BROKEN = "broken"
CHAT = "/v1/chat/completions"


class Told(NamedTuple):
    """A span, its attributes, and the body that it came in."""

    span: Span
    attributes: dict[str, Any]
    body: bytes


@pytest.fixture(scope="module")
def told(new_server: Callable[..., Server], upstream: Upstream) -> dict[str, Told]:
    """The one span of each question, once the server has stopped."""
    bodies: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            bodies.append(gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body)
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    models = {
        MODEL: [{"base_url": upstream.base_url()}],
        BROKEN: [{"base_url": f"http://127.0.0.1:{free_port()}/v1"}],
    }
    with listening(Collector) as where:
        text = settings(models, {"telemetry": {"traces": True}})
        server = new_server(text, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{where}")
        asked = ask(server)
        server.stop()
    spans = [one for body in bodies for one in spans_in(body)]
    by_request = {one.attributes["innoai.request_id"]: one for one in spans}
    assert len(spans) == len(asked)
    return {name: by_request[request_id] for name, request_id in asked.items()}


def ask(server: Server) -> dict[str, str]:
    """Ask each question once; their request ids."""
    with httpx.Client(base_url=server.base_url, headers=bearer(server.admin_key), timeout=30) as client:
        weak = create_key(client, scopes=["billing:read"])["key"]
        body = {"model": MODEL, "messages": [{"role": "user", "content": SECRET_WORDS}]}
        questions: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
            "plain": (TRACED, {}),
            "streamed": ({"x-marker": BEGINS}, {"stream": True}),
            "refused": (bearer(weak), {}),
            "unknown model": ({}, {"model": "none"}),
            "failed": ({}, {"model": BROKEN}),
        }
        return {
            name: client.post("/chat/completions", json=body | changed, headers=headers).headers[
                "x-request-id"
            ]
            for name, (headers, changed) in questions.items()
        }


def spans_in(body: bytes) -> list[Told]:
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    assert attributes_of(resource.resource)["service.name"] == "innoai"
    spans = [span for scope in resource.scope_spans for span in scope.spans]
    return [Told(span, attributes_of(span), body) for span in spans]


def attributes_of(described: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in described.attributes}


@pytest.mark.parametrize("name", ["plain", "streamed"])
def test_a_span_says_what_was_used(told: dict[str, Told], name: str) -> None:
    span, attributes, _ = told[name]
    assert (span.name, span.kind) == (f"chat {MODEL}", Span.SpanKind.SPAN_KIND_SERVER)
    assert attributes["gen_ai.operation.name"] == "chat"
    assert attributes["gen_ai.request.model"] == MODEL
    assert attributes["gen_ai.usage.input_tokens"] > 0
    assert attributes["gen_ai.usage.output_tokens"] > 0
    assert (attributes["http.route"], attributes["http.response.status_code"]) == (CHAT, 200)
    assert attributes["innoai.key_id"].startswith("key_")
    assert attributes["innoai.outcome"] == "complete"
    assert "error.type" not in attributes
    assert span.status.code == Status.StatusCode.STATUS_CODE_UNSET
    assert (
        0
        <= attributes["innoai.time_to_first_byte_ms"] * 1e6
        <= span.end_time_unix_nano - span.start_time_unix_nano
    )


def test_a_span_is_part_of_the_callers_trace(told: dict[str, Told]) -> None:
    span = told["plain"].span
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    alone = told["streamed"].span
    assert (alone.trace_id.hex() != TRACE, alone.parent_span_id) == (True, b"")


@pytest.mark.parametrize(
    ("name", "status", "error", "code"),
    [
        ("refused", 403, "insufficient_permissions", Status.StatusCode.STATUS_CODE_UNSET),
        ("unknown model", 404, "model_not_found", Status.StatusCode.STATUS_CODE_UNSET),
        ("failed", 502, "502", Status.StatusCode.STATUS_CODE_ERROR),
    ],
)
def test_a_refusal_and_a_failure_are_spans_too(
    told: dict[str, Told], name: str, status: int, error: str, code: int
) -> None:
    span, attributes, _ = told[name]
    assert attributes["http.response.status_code"] == status
    assert attributes["error.type"] == error
    assert span.status.code == code


def test_nothing_that_was_said_and_no_credential_is_in_them(told: dict[str, Told]) -> None:
    for one in told.values():
        assert SECRET_WORDS.encode() not in one.body
        assert b"sk-" not in one.body


def test_the_model_servers_spans_are_children_of_the_gateways(
    told: dict[str, Told], upstream: Upstream
) -> None:
    span = told["plain"].span
    headers = upstream.request(MARKER).headers
    assert headers["traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"
    assert headers["tracestate"] == TRACED["tracestate"]
    began, flags = upstream.request(BEGINS).headers["traceparent"].rsplit("-", 1)
    alone = told["streamed"].span
    assert began == f"00-{alone.trace_id.hex()}-{alone.span_id.hex()}"
    assert int(flags, 16) & SAMPLED


def test_a_collector_that_is_gone_holds_nothing_up(
    new_server: Callable[..., Server], upstream: Upstream
) -> None:
    text = settings({MODEL: [{"base_url": upstream.base_url()}]}, {"telemetry": {"traces": True}})
    server = new_server(text, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}")
    body = {"model": MODEL, "messages": []}
    with httpx.Client(base_url=server.base_url, headers=bearer(server.admin_key), timeout=30) as client:
        assert [client.post("/chat/completions", json=body).status_code for _ in range(20)] == [200] * 20
    assert server.stop() == 0


def test_without_its_packages_the_start_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(sys.modules, "innoai.traces", raising=False)
    file = tmp_path / "innoai.toml"
    file.write_text("[telemetry]\ntraces = true\n")
    with pytest.raises(
        ConfigError, match=r"telemetry\.traces: opentelemetry.* -m pip install opentelemetry-exporter"
    ):
        open_traces(load(str(file), {}))
    file.write_text("")
    assert open_traces(load(str(file), {})) is None
