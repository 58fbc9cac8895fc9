"""Requests that no well-behaved client sends: each is answered by the envelope, on both planes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.contract.clients import HELLO, bearer, create_key
from tests.support.envelope import refused
from tests.support.server import MODEL
from tests.support.settings import settings
from tests.support.upstream import marked
from tests.support.wire import exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import Server
    from tests.support.upstream import Upstream
    from tests.support.wire import RawAnswer

JSON = {"content-type": "application/json"}
MEGABYTE = "x" * 1_000_000

NOT_JSON_OBJECTS = {
    "nothing": b"",
    "a word": b"hello",
    "half an object": b'{"name":',
    "two objects": b'{"name":"a"}{"name":"b"}',
    "a list": b"[]",
    "a string": b'"name"',
    "null": b"null",
    "a NUL": b"\x00",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "not UTF-8": b'{"name":"\xff\xfe"}',
    "an overlong encoding": b'{"name":"\xc0\x80"}',
    "half a surrogate": b'{"name":"\xed\xa0\x80"}',
    "deep lists": b'{"name":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "a number beyond doubles": b'{"name":1e999999}',
    "NaN": b'{"name":NaN}',
    "a comment": b'{"name":"a" /* b */}',
    "a trailing comma": b'{"name":"a",}',
    "single quotes": b"{'name':'a'}",
}
WRITES = [
    ("POST", "/chat/completions"),
    ("POST", "/embeddings"),
    ("POST", "/auth/token"),
    ("POST", "/auth/refresh"),
    ("POST", "/auth/revoke"),
    ("POST", "/auth/introspect"),
    ("POST", "/auth/explain"),
    ("POST", "/keys"),
    ("PATCH", "/keys/KEY"),
    ("POST", "/customers"),
    ("PATCH", "/customers/known"),
]

KEY_FAULTS: list[tuple[dict[str, Any], str | None]] = [
    ({}, "name"),
    ({"name": None}, "name"),
    ({"name": 7}, "name"),
    ({"name": ""}, "name"),
    ({"name": MEGABYTE[:500_000]}, "name"),
    ({"name": "a\u0000b"}, "name"),
    ({"name": "a\nb"}, "name"),
    ({"name": "a", "scopes": "inference:read"}, "scopes"),
    ({"name": "a", "scopes": ["inference:everything"]}, "scopes"),
    ({"name": "a", "scopes": [""]}, "scopes"),
    ({"name": "a", "scopes": [7]}, "scopes"),
    ({"name": "a", "scopes": ["inference:read"] * 65}, "scopes"),
    ({"name": "a", "level": "owner"}, "level"),
    ({"name": "a", "allowed_ips": "10.0.0.0/8"}, "allowed_ips"),
    ({"name": "a", "allowed_ips": ["10.0.0.0/33"]}, "allowed_ips"),
    ({"name": "a", "allowed_ips": ["10.0.0/8"]}, "allowed_ips"),
    ({"name": "a", "allowed_ips": ["010.0.0.1"]}, "allowed_ips"),
    ({"name": "a", "allowed_ips": ["fe80::/129"]}, "allowed_ips"),
    ({"name": "a", "allowed_ips": ["localhost"]}, "allowed_ips"),
    ({"name": "a", "allowed_ips": ["10.0.0.0/8\u0000"]}, "allowed_ips"),
    ({"name": "a", "allowed_ips": ["10.0.0.1"] * 257}, "allowed_ips"),
    ({"name": "a", "rate_limit": 0}, "rate_limit"),
    ({"name": "a", "rate_limit": -1}, "rate_limit"),
    ({"name": "a", "rate_limit": "60"}, "rate_limit"),
    ({"name": "a", "rate_limit": 1.5}, "rate_limit"),
    ({"name": "a", "rate_limit": 10**30}, "rate_limit"),
    ({"name": "a", "rate_limit": True}, "rate_limit"),
    ({"name": "a", "expires_at": "tomorrow"}, "expires_at"),
    ({"name": "a", "expires_at": "2030-01-01T00:00:00"}, "expires_at"),
    ({"name": "a", "expires_at": "2030-13-01T00:00:00Z"}, "expires_at"),
    ({"name": "a", "expires_at": 1900000000}, "expires_at"),
    ({"name": "a", "models": []}, "models"),
    ({"name": "a", "models": [""]}, "models"),
    ({"name": "a", "customer_id": "with space"}, "customer_id"),
    ({"name": "a", "customer_id": "../admin"}, "customer_id"),
    ({"name": "a", "customer_id": "x" * 129}, "customer_id"),
    ({"name": "a", "owner": "me"}, "owner"),
]
TOKEN_FAULTS: list[tuple[dict[str, Any], str | None]] = [
    ({"expires_in": 59}, "expires_in"),
    ({"expires_in": 86_401}, "expires_in"),
    ({"expires_in": "3600"}, "expires_in"),
    ({"expires_in": -1}, "expires_in"),
    ({"expires_in": 10**40}, "expires_in"),
    ({"scopes": []}, "scopes"),
    ({"scopes": ["admin"]}, "scopes"),
    ({"scopes": {"inference:read": True}}, "scopes"),
    ({"customer_id": ""}, "customer_id"),
    ({"customer_id": 7}, "customer_id"),
    ({"customer_id": "a/b"}, "customer_id"),
    ({"customer_id": "a\u0000"}, "customer_id"),
    ({"rotate": "yes"}, "rotate"),
    ({"api_key": 7}, "api_key"),
    ({"api_key": ""}, "api_key"),
    ({"apikey": "x"}, "apikey"),
]
CUSTOMER_FAULTS: list[tuple[dict[str, Any], str | None]] = [
    ({}, "customer_id"),
    ({"customer_id": ""}, "customer_id"),
    ({"customer_id": "a b"}, "customer_id"),
    ({"customer_id": "é"}, "customer_id"),
    ({"customer_id": "a", "name": 1}, "name"),
    ({"customer_id": "a", "metadata": []}, "metadata"),
    ({"customer_id": "a", "metadata": {"a": 1}}, "metadata"),
    ({"customer_id": "a", "metadata": {"": "x"}}, "metadata"),
    ({"customer_id": "a", "metadata": {"a": "\u0000"}}, "metadata"),
    ({"customer_id": "a", "metadata": {"a": "x" * 513}}, "metadata"),
    ({"customer_id": "a", "metadata": {str(n): "x" for n in range(51)}}, "metadata"),
    ({"customer_id": "a", "disabled": True}, "disabled"),
]
INFERENCE_FAULTS: list[tuple[dict[str, Any], str | None]] = [
    ({"messages": []}, "model"),
    ({"model": None}, "model"),
    ({"model": 7}, "model"),
    ({"model": ["a"]}, "model"),
    ({"model": ""}, "model"),
    ({"model": MEGABYTE}, "model"),
    ({"model": MODEL, "stream": True, "stream_options": "usage"}, "stream_options"),
    ({"model": MODEL, "Model": "other"}, "model"),
]


@pytest.fixture(scope="module", autouse=True)
def known(admin: httpx.Client) -> None:
    assert admin.post("/customers", json={"customer_id": "known"}).status_code in (201, 409)


@pytest.fixture(scope="module")
def key(admin: httpx.Client) -> dict[str, Any]:
    return create_key(admin, "To be changed")


@pytest.mark.parametrize("body", NOT_JSON_OBJECTS.values(), ids=NOT_JSON_OBJECTS.keys())
@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_body_that_is_no_json_object_is_refused(
    admin: httpx.Client, key: dict[str, Any], method: str, path: str, body: bytes
) -> None:
    answer = admin.request(method, path.replace("KEY", key["id"]), content=body, headers=JSON)
    if not body and path == "/auth/token":
        # With the key in the header nothing more need be said.
        assert answer.status_code == 200
    else:
        refused(answer, "invalid_request")


@pytest.mark.parametrize("path", ["/auth/token", "/auth/refresh", "/auth/revoke", "/auth/introspect"])
def test_a_question_about_a_credential_is_short(admin: httpx.Client, path: str) -> None:
    answer = admin.post(path, content=b" " * 65537, headers=JSON)
    assert "65536" in refused(answer, "payload_too_large")["message"]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        *(("/keys", *fault) for fault in KEY_FAULTS),
        *(("/auth/token", *fault) for fault in TOKEN_FAULTS),
        *(("/customers", *fault) for fault in CUSTOMER_FAULTS),
        *(("/chat/completions", *fault) for fault in INFERENCE_FAULTS),
        ("/auth/refresh", {}, "refresh_token"),
        ("/auth/refresh", {"refresh_token": None}, "refresh_token"),
        ("/auth/refresh", {"refresh_token": "x" * 9000}, "refresh_token"),
        ("/auth/revoke", {"token": ["x"]}, "token"),
        ("/auth/introspect", {"token": ""}, "token"),
        ("/auth/explain", {"key": "key_x", "method": "FETCH", "path": "/v1/models"}, "method"),
        ("/auth/explain", {"key": "key_x", "method": "GET", "path": "v1/models"}, "path"),
        ("/auth/explain", {"key": "key_x", "method": "GET", "path": "/v1/models", "ip": "here"}, "ip"),
    ],
)
def test_a_wrong_member_is_named(
    admin: httpx.Client, path: str, body: dict[str, Any], param: str | None
) -> None:
    error = refused(admin.post(path, json=body), "invalid_request")
    if param is None:
        assert "param" not in error
    else:
        assert error["param"].partition(".")[0].partition("[")[0] == param
        assert error["message"].startswith(param) or param in error["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"scopes": []},
        {"scopes": ["nothing"]},
        {"allowed_ips": ["10.0.0.0/8", "nowhere"]},
        {"rate_limit": 0},
        {"name": None},
        {"expires_at": "never"},
        {"status": "active"},
    ],
)
def test_a_wrong_change_changes_nothing(
    admin: httpx.Client, key: dict[str, Any], body: dict[str, Any]
) -> None:
    before = admin.get(f"/keys/{key['id']}").json()
    refused(admin.patch(f"/keys/{key['id']}", json={"rate_limit": 5, **body}), "invalid_request")
    assert admin.get(f"/keys/{key['id']}").json() == before


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=ten",
        "limit=-1",
        "limit=99999999999999999999",
        "cursor=nothing",
        "cursor=key_%00",
        "cursor=%FF",
        "status=alive",
        "customer_id=%20",
    ],
)
def test_a_wrong_query_is_refused(admin: httpx.Client, query: str) -> None:
    refused(admin.get(f"/keys?{query}"), "invalid_request")


@pytest.mark.parametrize(
    "path",
    [
        "/keys/key_doesnotexist",
        "/keys/%00",
        "/keys/%FF",
        "/keys/a%2Fb",
        "/keys/" + "x" * 5000,
        "/customers/nobody",
        "/customers/%00",
        "/customers/%F0%9F%99%82",
        "/customers/'%20OR%201=1--",
        "/nothing",
        "/chat",
        "/chat/completions/more",
        "/",
        "",
    ],
)
def test_what_is_not_there_is_not_found(admin: httpx.Client, path: str) -> None:
    refused(admin.get(path), "not_found")


@pytest.mark.parametrize("path", ["/nothing", "/v2/models", "/v1", "/v1x", "/%"])
def test_an_unknown_path_outside_the_routes_is_not_found(server: Server, path: str) -> None:
    answer = raw(server, f"GET {path} HTTP/1.1")
    refused(answer, "not_found")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("path", ["/chat/completions", "/embeddings", "/auth/token"])
def test_a_wrong_method_is_refused_with_the_right_ones(admin: httpx.Client, path: str, method: str) -> None:
    answer = admin.request(method, path)
    refused(answer, "method_not_allowed")
    assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/models", f"/models/{MODEL}", "/auth/validate", "/tiers"])
def test_a_write_to_what_is_only_read_is_refused(admin: httpx.Client, path: str, method: str) -> None:
    answer = admin.request(method, path)
    refused(answer, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/xml", "application/jsonx", "x", "a/b; c=d"]
)
@pytest.mark.parametrize("path", ["/chat/completions", "/auth/token", "/auth/revoke", "/customers"])
def test_another_media_type_is_refused(admin: httpx.Client, path: str, media_type: str) -> None:
    answer = admin.post(path, content=b"{}", headers={"content-type": media_type})
    refused(answer, "unsupported_media_type")


def part(name: str) -> bytes:
    return f'--a\r\nContent-Disposition: form-data; name="{name}"\r\n\r\nx\r\n'.encode()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"x"),
        ("multipart/form-data; boundary=a; boundary=b", b"--a\r\n\r\n\r\n--a--"),
        ("multipart/form-data; boundary=a", b""),
        ("multipart/form-data; boundary=a", part("model") * 2 + b"--a--"),
    ],
)
def test_a_broken_form_is_refused(admin: httpx.Client, content_type: str, body: bytes) -> None:
    answer = admin.post("/audio/transcriptions", content=body, headers={"content-type": content_type})
    refused(answer, "invalid_request")


@pytest.mark.parametrize("body", [b"token=a&token=b", b"token=%FF%FE&x", b"nothing", b"", b"token=\xff"])
def test_a_broken_revocation_form_is_refused(admin: httpx.Client, body: bytes) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    refused(admin.post("/auth/revoke", content=body, headers=form), "invalid_request")


@pytest.mark.parametrize(
    "credential",
    [
        "Bearer",
        "Basic dXNlcjpwYXNz",
        "Bearer sk-inno-",
        "Bearer sk-inno-" + "0" * 49,
        "Bearer \xff\xfe",
        "Bearer a.b.c",
        "Bearer " + "x" * 9000,
        "Bearer " + ".".join(["x" * 3000] * 3),
        "sk-inno-without-a-scheme",
    ],
)
@pytest.mark.parametrize("path", ["/models", "/auth/validate"])
def test_a_malformed_credential_is_invalid(anyone: httpx.Client, path: str, credential: str) -> None:
    headers = [(b"authorization", credential.encode("latin-1"))]
    refused(anyone.get(path, headers=headers), "invalid_api_key")


@pytest.mark.parametrize("path", ["/models", "/auth/validate"])
def test_two_credentials_are_none(anyone: httpx.Client, server: Server, path: str) -> None:
    twice = [("authorization", f"Bearer {server.admin_key}")] * 2
    assert anyone.get(path, headers=twice).status_code in (400, 401)
    assert anyone.get(path, headers=twice).json()["error"]["code"] in ("invalid_request", "invalid_api_key")


# Sizes.


@pytest.fixture(scope="module")
def small(new_server: Callable[..., Server], upstream: Upstream) -> Server:
    """A server that takes bodies up to 200 KB and heads up to 4 KB."""
    limits = {"server": {"max_body_bytes": 200_000, "max_header_bytes": 4096}}
    return new_server(settings({MODEL: [{"base_url": upstream.base_url()}]}, limits))


def pieces(count: int) -> Iterator[bytes]:
    yield b'{"x":"'
    for _ in range(count):
        yield b"y" * 10_000


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/audio/transcriptions"])
@pytest.mark.parametrize("chunked", [False, True])
def test_an_oversized_inference_body_is_refused(small: Server, path: str, chunked: bool) -> None:
    content = pieces(30) if chunked else b"{" + b"x" * 300_000
    answer = httpx.post(
        small.origin + path, content=content, headers={**JSON, **bearer(small.admin_key)}, timeout=20
    )
    assert "200000" in refused(answer, "payload_too_large")["message"]


@pytest.mark.parametrize("path", ["/keys", "/customers", "/auth/token", "/auth/refresh", "/auth/explain"])
@pytest.mark.parametrize("chunked", [False, True])
def test_an_oversized_control_body_is_refused(admin: httpx.Client, path: str, chunked: bool) -> None:
    content = pieces(150) if chunked else b'{"name":"' + b"x" * 1_500_000 + b'"}'
    refused(admin.post(path, content=content, headers=JSON), "payload_too_large")


@pytest.mark.parametrize("path", ["/v1/models", "/v1/auth/validate", "/nothing"])
@pytest.mark.parametrize("head", ["one long header", "many headers", "a long target", "an endless header"])
def test_an_oversized_head_is_refused(small: Server, path: str, head: str) -> None:
    shapes = {
        "one long header": f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Long: {'x' * 8000}\r\n\r\n",
        "many headers": f"GET {path} HTTP/1.1\r\nHost: x\r\n" + "X-A: b\r\n" * 1000 + "\r\n",
        "a long target": f"GET {path}?{'x' * 8000} HTTP/1.1\r\nHost: x\r\n\r\n",
        "an endless header": f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Long: " + "x" * 200_000,
    }
    (answer,) = exchange(small.address, shapes[head].encode())
    refused(answer, "headers_too_large")


def test_a_head_just_below_the_limit_passes(small: Server) -> None:
    headers = {**bearer(small.admin_key), "x-long": "x" * 3500}
    assert httpx.get(f"{small.base_url}/models", headers=headers).status_code == 200


# Bytes that are no HTTP, and shapes that two servers might read differently.


def raw(server: Server, request_line: str, *lines: str, body: bytes = b"") -> RawAnswer:
    """The one answer to one request on a connection of its own."""
    head = [
        request_line,
        "Host: x",
        f"Authorization: Bearer {server.admin_key}",
        "Connection: close",
        *lines,
        "",
        "",
    ]
    (answer,) = exchange(server.address, "\r\n".join(head).encode("latin-1") + body)
    return answer


SMUGGLED = b"POST /v1/keys HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
HELLO_BYTES = json.dumps(HELLO).encode()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/keys"])
@pytest.mark.parametrize(
    "framing",
    [
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 5"],
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: 5, 6"],
        ["Content-Length: -1"],
        ["Content-Length: 0x10"],
        ["Content-Length: +5"],
        ["Content-Length: 99999999999999999999999"],
        ["Transfer-Encoding: chunked, identity"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding : chunked"],
        ["Content-Length : 5"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
    ],
)
def test_ambiguous_framing_is_refused_and_nothing_behind_it_is_read(
    server: Server, path: str, framing: list[str]
) -> None:
    head = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {server.admin_key}", *framing, "", ""]
    body = b"0\r\n\r\n" + SMUGGLED
    (answer,) = exchange(server.address, "\r\n".join(head).encode() + body)
    refused(answer, "invalid_request")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,
        b"GET /v1/models HTTP/9.9\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: x\r\nNo colon here\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Folded: a\r\n b\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\n Host: x\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Nul: a\x00b\r\n\r\n",
        b"GET /v1/models HTTP/1.1\nHost: x\n\n",
        b"GET /v1/models HTTP/1.1\r\nHost: x\nX-Bare: line feed\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: x\rX-Bare: carriage return\r\n\r\n",
        b"GET /v1/mod\x00els HTTP/1.1\r\nHost: x\r\n\r\n",
        b"G\xc3\x8bT /v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(server: Server, request_bytes: bytes) -> None:
    (answer,) = exchange(server.address, request_bytes)
    refused(answer, "invalid_request")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"FFFFFFFFFFFFFFFFF\r\n",
        b"5 ;\r\nhello\r\n0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/keys"])
def test_broken_chunks_are_refused(server: Server, path: str, chunks: bytes) -> None:
    answer = raw(server, f"POST {path} HTTP/1.1", "Transfer-Encoding: chunked", body=chunks)
    refused(answer, "invalid_request")


@pytest.mark.parametrize(("path", "body"), [("/v1/chat/completions", HELLO_BYTES), ("/v1/auth/token", b"{}")])
def test_a_trailer_is_no_credential(server: Server, path: str, body: bytes) -> None:
    """RFC 9110 §6.5.1: what comes behind a body must not be taken for a field of the head."""
    lines = ["Host: x", "Content-Type: application/json", "Transfer-Encoding: chunked", "Connection: close"]
    head = "\r\n".join([f"POST {path} HTTP/1.1", *lines, "", ""]).encode()
    trailer = f"0\r\nAuthorization: Bearer {server.admin_key}\r\n\r\n".encode()
    (answer,) = exchange(server.address, head + b"%x\r\n%b\r\n" % (len(body), body) + trailer)
    refused(answer, "invalid_api_key")


def test_pipelined_requests_never_mix(server: Server, upstream: Upstream) -> None:
    """A server may close behind a pipelined request (RFC 9112 §9.3.2), and never mix two of them up."""
    marker, marked_headers = marked()
    lines = ["Host: x", f"Authorization: Bearer {server.admin_key}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in marked_headers.items()]
    post = ["POST /v1/chat/completions HTTP/1.1", *lines, f"Content-Length: {len(HELLO_BYTES)}", "", ""]
    last = ["GET /v1/auth/validate HTTP/1.1", *lines, "Connection: close", "", ""]
    sent = ["\r\n".join(post).encode() + HELLO_BYTES] * 2 + ["\r\n".join(last).encode()]
    answers = exchange(server.address, b"".join(sent))
    kinds = ["chat.completion" if "choices" in answer.json() else "validation" for answer in answers]
    assert kinds == ["chat.completion", "chat.completion", "validation"][: len(answers)] != []
    asked = upstream.ended(marker)
    assert len(asked) == kinds.count("chat.completion")
    assert all(request.json()["messages"] == HELLO["messages"] for request in asked)


def test_a_request_that_comes_byte_by_byte_is_answered(server: Server) -> None:
    lines = f"Host: x\r\nAuthorization: Bearer {server.admin_key}\r\nConnection: close\r\n"
    head = f"POST /v1/chat/completions HTTP/1.1\r\n{lines}Content-Length: {len(HELLO_BYTES)}\r\n\r\n"
    (answer,) = exchange(server.address, *(bytes([byte]) for byte in head.encode() + HELLO_BYTES))
    assert answer.json()["object"] == "chat.completion"


def test_the_server_still_serves_after_all_this(server: Server, small: Server, admin: httpx.Client) -> None:
    assert admin.post("/chat/completions", json=HELLO).status_code == 200
    for each in (server, small):
        assert not [line for line in each.child.log if '"level": "error"' in line]
