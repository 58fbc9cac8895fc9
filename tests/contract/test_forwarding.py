"""What goes on to the model server, what comes back, and what neither side gets to see of the other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.conftest import UPSTREAM_KEY
from tests.contract.clients import HELLO, bearer, create_key, mint
from tests.support.server import MODEL
from tests.support.upstream import marked

if TYPE_CHECKING:
    from tests.support.server import Server
    from tests.support.upstream import Upstream

STREAM = {**HELLO, "stream": True}
ENOUGH = 50 * 1024 * 1024
"""Bytes that no pair of sockets and no well-behaved gateway keep for a reader who does not read."""


def events(body: bytes) -> list[bytes]:
    return [event + b"\n\n" for event in body.split(b"\n\n") if event]


def tells_usage(event: bytes) -> bool:
    return b'"choices":[]' in event


def test_the_model_servers_key_takes_the_place_of_the_callers(
    anyone: httpx.Client, admin: httpx.Client, upstream: Upstream
) -> None:
    key = create_key(admin)["key"]
    token = mint(anyone, key)["access_token"]
    for credential in (key, token):
        marker, headers = marked()
        said = {
            **headers,
            **bearer(credential),
            "cookie": f"session={credential}",
            "x-api-key": credential,
            "api-key": credential,
            "x-forwarded-for": "203.0.113.9",
            "forwarded": "for=203.0.113.9",
            "x-real-ip": "203.0.113.9",
            "true-client-ip": "203.0.113.9",
            "cf-connecting-ip": "203.0.113.9",
            "x-client-ip": "203.0.113.9",
            "x-request-id": "the-callers-own",
            "openai-organization": "the-callers-own",
        }
        assert anyone.post("/chat/completions", json=HELLO, headers=said).status_code == 200
        asked = upstream.request(marker)
        assert asked.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
        everything = asked.target.encode() + json.dumps(asked.headers).encode() + asked.body
        for private in (credential, "203.0.113.9", "the-callers-own"):
            assert private.encode() not in everything
        assert "cookie" not in asked.headers


def test_the_model_is_mapped_and_the_rest_of_the_body_goes_on_as_it_was(
    admin: httpx.Client, upstream: Upstream
) -> None:
    marker, headers = marked()
    rest = '"temperature":0.10,"seed":12345678901234567890,"messages":[ {"role":"user","content":"\\u00e9"} ]'
    body = f'{{"model":"{MODEL}",{rest}}}'.encode()
    answer = admin.post(
        "/chat/completions", content=body, headers={**headers, "content-type": "application/json"}
    )
    assert answer.status_code == 200
    assert upstream.request(marker).body == f'{{"model":"upstream-model",{rest}}}'.encode()


def test_hop_by_hop_headers_go_no_further_in_either_direction(
    server: Server, admin: httpx.Client, upstream: Upstream
) -> None:
    theirs = {
        "keep-alive": "timeout=5",
        "proxy-authenticate": "Basic",
        "set-cookie": "account=theirs",
        "www-authenticate": "Bearer",
        "x-ratelimit-limit-requests": "7",
        "openai-organization": "the-operators",
        "x-request-id": "theirs",
        "x-kept": "yes",
    }
    marker, headers = marked(headers=theirs)
    said = {**headers, "connection": "x-hop, keep-alive", "x-hop": "1", "te": "trailers", "x-end-to-end": "1"}
    answer = admin.post("/chat/completions", json=HELLO, headers=said)
    asked = upstream.request(marker)
    assert not {"x-hop", "te", "keep-alive", "upgrade"} & set(asked.headers)
    assert asked.headers["x-end-to-end"] == "1"
    private = {"proxy-authenticate", "set-cookie", "www-authenticate", "openai-organization", "keep-alive"}
    assert not private & set(answer.headers)
    assert answer.headers["x-kept"] == "yes"
    assert answer.headers["x-upstream-request-id"] == "theirs"
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers.get_list("x-ratelimit-limit-requests") == ["1000000"]


@pytest.mark.parametrize("count", [0, 1, 5, 400])
@pytest.mark.parametrize("path", ["/chat/completions", "/completions"])
def test_a_stream_passes_byte_for_byte_without_the_usage_nobody_asked_for(
    admin: httpx.Client, upstream: Upstream, path: str, count: int
) -> None:
    marker, headers = marked(events=count)
    answer = admin.post(path, json={**STREAM, "prompt": "Hello"}, headers=headers)
    asked = upstream.request(marker)
    assert asked.json()["stream_options"] == {"include_usage": True}
    sent = events(asked.sent)
    assert sum(map(tells_usage, sent)) == 1
    assert answer.content == b"".join(event for event in sent if not tells_usage(event))


@pytest.mark.parametrize("path", ["/chat/completions", "/completions"])
def test_a_stream_passes_byte_for_byte_with_the_usage_that_was_asked_for(
    admin: httpx.Client, upstream: Upstream, path: str
) -> None:
    marker, headers = marked()
    asked_for = {**STREAM, "prompt": "Hello", "stream_options": {"include_usage": True}}
    answer = admin.post(path, json=asked_for, headers=headers)
    asked = upstream.request(marker)
    assert asked.json()["stream_options"] == {"include_usage": True}
    assert answer.content == asked.sent
    assert sum(map(tells_usage, events(answer.content))) == 1


@pytest.mark.parametrize("size", [1, 7, 64])
@pytest.mark.parametrize("wanted", [False, True])
def test_a_stream_passes_byte_for_byte_however_it_was_cut(
    admin: httpx.Client, upstream: Upstream, size: int, wanted: bool
) -> None:
    marker, headers = marked(slice=size)
    asked_for = {**STREAM, "stream_options": {"include_usage": wanted}}
    answer = admin.post("/chat/completions", json=asked_for, headers=headers)
    sent = events(upstream.request(marker).sent)
    assert answer.content == b"".join(event for event in sent if wanted or not tells_usage(event))


def test_a_stream_that_refused_usage_keeps_its_other_options(admin: httpx.Client, upstream: Upstream) -> None:
    marker, headers = marked()
    options = {"include_usage": False, "include_obfuscation": False}
    answer = admin.post("/chat/completions", json={**STREAM, "stream_options": options}, headers=headers)
    asked = upstream.request(marker)
    assert asked.json()["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    assert not any(map(tells_usage, events(answer.content)))


def test_a_streamed_response_passes_byte_for_byte(admin: httpx.Client, upstream: Upstream) -> None:
    marker, headers = marked(events=20)
    answer = admin.post("/responses", json={"model": MODEL, "input": "Hi", "stream": True}, headers=headers)
    asked = upstream.request(marker)
    assert "stream_options" not in asked.json()
    assert answer.content == asked.sent


def test_a_whole_answer_passes_byte_for_byte_with_its_status(admin: httpx.Client, upstream: Upstream) -> None:
    for status in (200, 201):
        marker, headers = marked(status=status)
        answer = admin.post("/chat/completions", json=HELLO, headers=headers)
        assert (answer.status_code, answer.content) == (status, upstream.request(marker).sent)


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_what_the_model_server_says_of_the_request_is_relayed(admin: httpx.Client, status: int) -> None:
    _, headers = marked(status=status)
    answer = admin.post("/chat/completions", json=HELLO, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"]["message"] == "made to fail"


def test_the_query_string_goes_on(admin: httpx.Client, upstream: Upstream) -> None:
    marker, headers = marked()
    admin.post("/chat/completions?api-version=2&x=%20y", json=HELLO, headers=headers)
    assert upstream.request(marker).target == "/models/v1/chat/completions?api-version=2&x=%20y"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_caller_that_hangs_up_ends_the_request_upstream(
    server: Server, upstream: Upstream, streamed: bool
) -> None:
    marker, headers = marked(**({"events": None, "pace": 0.001} if streamed else {"hold": "head"}))
    with httpx.Client(base_url=server.base_url, headers=bearer(server.admin_key), timeout=20) as caller:
        if streamed:
            with caller.stream("POST", "/chat/completions", json=STREAM, headers=headers) as answer:
                next(answer.iter_bytes())
        else:
            impatient = httpx.Timeout(20, read=0.2)
            with pytest.raises(httpx.ReadTimeout):
                caller.post("/chat/completions", json=HELLO, headers=headers, timeout=impatient)
    (asked,) = upstream.ended(marker)
    assert asked.outcome == "client gone"


def test_a_slow_caller_holds_the_model_server_back(server: Server, upstream: Upstream) -> None:
    """An endless answer that nobody reads must not pile up in the gateway: its sender is made to wait."""
    marker, headers = marked(events=None)
    with (
        httpx.Client(base_url=server.base_url, headers=bearer(server.admin_key), timeout=20) as caller,
        caller.stream("POST", "/chat/completions", json=STREAM, headers=headers) as answer,
    ):
        next(answer.iter_bytes())
        size, polls_without_growth = 0, 0
        while polls_without_growth < 10:
            before, size = size, len(upstream.request(marker).sent)
            assert size < ENOUGH
            polls_without_growth = polls_without_growth + 1 if size == before else 0
    (asked,) = upstream.ended(marker)
    assert asked.outcome == "client gone"


def test_a_large_body_and_a_large_answer_pass_whole(admin: httpx.Client, upstream: Upstream) -> None:
    marker, headers = marked(events=200_000)
    said = "x" * 5_000_000
    body: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": said}]}
    answer = admin.post("/chat/completions", json=body, headers=headers)
    asked = upstream.request(marker)
    assert asked.json()["messages"][0]["content"] == said
    assert answer.content == asked.sent
