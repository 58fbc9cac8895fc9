"""Request after request on one connection: nothing that was decided about one rubs off on the next."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from innoai.access.scopes import INFERENCE_READ
from tests.contract.clients import HELLO, create_key, mint
from tests.support.envelope import refused
from tests.support.forger import claims_of
from tests.support.upstream import marked
from tests.support.wire import KeptConnection

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.support.forger import Forger
    from tests.support.server import Server
    from tests.support.upstream import Upstream


@pytest.fixture
def connection(server: Server) -> Iterator[KeptConnection]:
    with KeptConnection(server.address) as connection:
        yield connection


def post(credential: str, said: str = "Hello there", **headers: str) -> bytes:
    body = json.dumps({**HELLO, "messages": [{"role": "user", "content": said}]}).encode()
    return head(credential, f"Content-Length: {len(body)}", **headers) + body


def head(credential: str, *lines: str, **headers: str) -> bytes:
    fixed = ["Host: x", f"Authorization: Bearer {credential}", "Content-Type: application/json"]
    others = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(["POST /v1/chat/completions HTTP/1.1", *fixed, *others, *lines, "", ""]).encode()


def test_the_same_bytes_again_are_another_request(
    connection: KeptConnection, admin: httpx.Client, upstream: Upstream
) -> None:
    marker, headers = marked()
    request = post(create_key(admin)["key"], **headers)
    answers = [connection.ask(request) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert len({answer.headers["x-request-id"] for answer in answers}) == 5
    asked = upstream.requests(marker)
    assert len(asked) == 5
    assert len({request.body for request in asked}) == 1


def test_a_key_revoked_between_two_requests_is_refused_the_second_time(
    connection: KeptConnection, admin: httpx.Client
) -> None:
    key = create_key(admin)
    request = post(key["key"])
    assert connection.ask(request).status_code == connection.ask(request).status_code == 200
    assert admin.delete(f"/keys/{key['id']}").status_code == 204
    refused(connection.ask(request), "invalid_api_key")


def test_a_token_that_expires_between_two_requests_is_refused_from_then_on(
    connection: KeptConnection, admin: httpx.Client, forger: Forger
) -> None:
    token = mint(admin, create_key(admin)["key"])["access_token"]
    brief = forger.remade(token, exp=int(time.time()) + 3)
    request = post(brief)
    assert connection.ask(request).status_code == 200
    patience = time.monotonic() + 20
    while (answer := connection.ask(request)).status_code == 200:
        assert time.monotonic() < patience
    refused(answer, "token_expired")
    assert time.time() >= claims_of(brief).exp


def test_callers_who_share_a_connection_keep_their_own_rights(
    connection: KeptConnection, admin: httpx.Client
) -> None:
    """As behind a proxy. The keys have one length, so the heads differ in nothing else."""
    writer = create_key(admin)["key"]
    reader = create_key(admin, scopes=[INFERENCE_READ])["key"]
    stranger = "sk-inno-" + "0" * (len(writer) - len("sk-inno-"))
    for _ in range(3):
        assert connection.ask(post(writer)).status_code == 200
        refused(connection.ask(post(reader)), "insufficient_permissions")
        refused(connection.ask(post(stranger)), "invalid_api_key")


def test_each_caller_on_a_shared_connection_has_its_own_limit(
    connection: KeptConnection, admin: httpx.Client
) -> None:
    keys = [create_key(admin, rate_limit=2)["key"] for _ in range(2)]
    statuses = [[connection.ask(post(key)).status_code for key in keys] for _ in range(3)]
    assert statuses == [[200, 200], [200, 200], [429, 429]]


def test_bodies_of_every_length_follow_one_another(
    connection: KeptConnection, server: Server, upstream: Upstream
) -> None:
    marker, headers = marked()
    said = ["x" * length for length in (0, 1, 9, 10, 99, 100, 70_000, 1, 1, 200_000, 0)]
    for text in said:
        assert connection.ask(post(server.admin_key, text, **headers)).status_code == 200
    assert [asked.json()["messages"][0]["content"] for asked in upstream.requests(marker)] == said


def test_framings_may_change_from_request_to_request(connection: KeptConnection, server: Server) -> None:
    body = json.dumps(HELLO).encode()
    whole = post(server.admin_key)
    chunked = head(server.admin_key, "Transfer-Encoding: chunked")
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\n\r\n"
    credential = f"Authorization: Bearer {server.admin_key}"
    validate = f"GET /v1/auth/validate HTTP/1.1\r\nHost: x\r\n{credential}\r\n\r\n"
    for _ in range(3):
        assert connection.ask(whole).json()["object"] == "chat.completion"
        assert connection.ask(chunked + chunks).json()["object"] == "chat.completion"
        assert connection.ask(chunked, *(bytes([byte]) for byte in chunks)).status_code == 200
        assert connection.ask(validate.encode()).json()["valid"] is True


@pytest.mark.parametrize("step", [1, 7, 64])
def test_a_repeated_head_may_come_in_any_pieces(
    connection: KeptConnection, server: Server, step: int
) -> None:
    request = post(server.admin_key)
    assert connection.ask(request).status_code == 200
    for split in range(1, len(request), step * 5):
        assert connection.ask(request[:split], request[split:]).json()["object"] == "chat.completion"
    pieces = [request[start : start + step] for start in range(0, len(request), step)]
    assert connection.ask(*pieces).json()["object"] == "chat.completion"


def test_a_repeated_head_with_a_broken_body_is_refused(connection: KeptConnection, server: Server) -> None:
    request = post(server.admin_key)
    assert connection.ask(request).status_code == 200
    refused(connection.ask(request[:-1] + b"x"), "invalid_request")
    assert connection.ask(request).status_code == 200


def test_a_repeated_head_is_judged_by_its_own_body(connection: KeptConnection, server: Server) -> None:
    """The head is one; only the bodies, of one length, tell a known model from an unknown one."""
    known: dict[str, Any] = {**HELLO}
    unknown = {**HELLO, "model": HELLO["model"][:-1] + "6"}
    for body, status in ((known, 200), (unknown, 404), (known, 200), (unknown, 404)):
        content = json.dumps(body).encode()
        request = head(server.admin_key, f"Content-Length: {len(content)}") + content
        assert connection.ask(request).status_code == status


def test_a_caller_who_says_close_is_let_go(server: Server) -> None:
    for said in ("Connection: close", "Connection: keep-alive, close"):
        body = json.dumps(HELLO).encode()
        request = head(server.admin_key, f"Content-Length: {len(body)}", said) + body
        with KeptConnection(server.address) as connection:
            assert connection.ask(request).headers["connection"] == "close"
            with pytest.raises((AssertionError, ConnectionError)):
                connection.ask(request)
