"""Questions about a credential: answered on the connection, byte for byte as the control plane does."""

from __future__ import annotations

import dataclasses
import json
import re
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any

import pytest

from innoai.config import Upstream
from innoai.errors import InnoError
from innoai.gateway.inquiry import MOST_CONTENT
from innoai.store import changes
from tests.gateway.house import Answer, House, open_house
from tests.support.settings import about_shortcuts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.gateway.connection import Connection
    from tests.gateway.house import Caller, Installation

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")

HOME, ABROAD = "203.0.113.7", "198.51.100.1"
OWN = re.compile(
    rb"req_[0-9A-Za-z]{22}|(?<=-requests: )[^\r]+|(?<=retry-after: )\d+|(?<=\"retry_after\":)\d+"
    rb"|(?<=content-length: )\d+"
)
"""What is another one in each answer; a length follows from the rest."""
TOKEN = re.compile(rb"[\w-]+\.([\w-]+)\.[\w-]+")
FLEETING = ("jti", "sid", "iat", "exp")
NOBODY = Upstream("http://127.0.0.1:9/v1")
NOTHING = Answer(204, b"", b"")


@pytest.fixture
async def house(installed: Installation) -> AsyncIterator[House]:
    async with open_house(installed, NOBODY, trusted_proxies=("127.0.0.1/32",)) as house:
        yield house


class Lanes:
    """Two connections to one gateway: one answers itself what it can, one leaves all to the control plane."""

    def __init__(self, house: House, quick: Caller, slow: Caller) -> None:
        self.house = house
        self.quick, self.slow = quick, slow
        self.connection, other = house.connections[-2:]
        other.gateway = dataclasses.replace(house.gateway, desk=None)

    async def agree(self, request: bytes) -> tuple[Answer, bool]:
        """The quick answer, which is the slow one's double; and whether the control plane had no part."""
        slow = await told(self.slow, request)
        before: Any = self.connection.cycle
        quick = await told(self.quick, request)
        assert doubled(quick) == doubled(slow)
        return quick, self.connection.cycle is before

    async def make(self, path: str, key: str | None = None, **members: object) -> dict[str, Any]:
        """What the control plane makes."""
        answer = await self.house.ask(self.house.post(json.dumps(members).encode(), key=key, path=path))
        assert answer.status in (200, 201), answer
        made: dict[str, Any] = answer.json()
        return made

    async def key(self, **members: object) -> str:
        made: str = (await self.make("/v1/keys", None, name="A test's", **members))["key"]
        return made


@pytest.fixture
async def lanes(house: House) -> AsyncIterator[Lanes]:
    async with house.caller() as quick, house.caller() as slow:
        await house.until(lambda: len(house.connections) == 2)
        yield Lanes(house, quick, slow)


async def told(caller: Caller, request: bytes) -> Answer:
    if request.startswith(b"HEAD "):
        await caller.send(request)
        head = await caller.head()
        return dataclasses.replace(NOTHING, status=int(head.split()[1]), head=head)
    return await caller.ask(request)


def doubled(answer: Answer) -> tuple[bytes, bytes]:
    """The answer without what is its own."""
    return OWN.sub(b"_", answer.head), TOKEN.sub(_lasting, OWN.sub(b"_", answer.body))


def _lasting(token: re.Match[bytes]) -> bytes:
    claims = json.loads(urlsafe_b64decode(token[1] + b"=="))
    assert claims["exp"] - claims["iat"] == 3600 or claims["token_use"] == "refresh"
    return json.dumps({name: claim for name, claim in claims.items() if name not in FLEETING}).encode()


def get(target: str, credential: str | None, *lines: str, method: str = "GET", body: str = "") -> bytes:
    shown = [] if credential is None else [f"Authorization: Bearer {credential}"]
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: x", *shown, *lines, "", body]).encode()


def mint(credential: str | None, body: str = "{}", *lines: str) -> bytes:
    return get(
        "/v1/auth/token",
        credential,
        *lines,
        f"Content-Length: {len(body.encode())}",
        method="POST",
        body=body,
    )


def original(method: str, uri: str) -> tuple[str, str]:
    return f"X-Original-Method: {method}", f"X-Original-URI: {uri}"


def asks(credential: str | None) -> list[bytes]:
    """Plain questions with one credential."""
    return [
        get("/v1/auth/validate", credential),
        get("/v1/auth/validate?x=1", credential, f"X-Forwarded-For: {HOME}"),
        get("/v1/auth/validate", credential, f"X-Forwarded-For: {ABROAD}, 127.0.0.1"),
        get("/v1/auth/forward", credential),
        get("/v1/auth/forward?scope=billing:read", credential),
        get("/v1/auth/forward?scope=inference%3Awrite", credential, *original("GET", "/private")),
        get("/v1/auth/forward", credential, *original("POST", "/v1/chat/completions"), "X-Innoai-Model: no"),
        get("/v1/auth/forward", credential, *original("GET", "/v1/audit")),
        get("/v1/auth/forward", credential, "X-Forwarded-Method: GET", "X-Forwarded-Uri: /v1//models/"),
        get("/v1/auth/forward/v1/customers?limit=1", credential, method="POST"),
        get("/v1/auth/forward/", credential, method="OPTIONS"),
        mint(credential),
        mint(credential, '{"customer_id": "known"}'),
        mint(credential, '{"scopes": ["inference:read"], "rotate": true}', "Content-Type: application/json"),
        mint(credential, '{"scopes": ["customers:delete"]}', "Content-Type: application/json; charset=utf-8"),
        mint(credential, '{"scopes": ["unheard:of"]}'),
        mint(credential, '{"customer_id": "known", "scopes": ["admin:full"]}'),
        mint(credential, '{"customer_id": "disabled"}'),
    ]


async def credentials(lanes: Lanes) -> dict[str, str | None]:
    """One of every kind that memory can know about, or that it needs not know."""
    admin = lanes.house.key
    await lanes.make("/v1/customers", customer_id="known")
    await lanes.make("/v1/auth/token", customer_id="disabled")
    token = (await lanes.make("/v1/auth/token"))["access_token"]
    revoked = (await lanes.make("/v1/auth/token"))["access_token"]
    await lanes.make("/v1/auth/revoke", token=revoked)
    gone = await lanes.key()
    await lanes.make("/v1/auth/revoke", token=gone)
    spent = await lanes.key(rate_limit=1)
    await lanes.house.ask(get("/v1/auth/validate", spent))
    stopped = await lanes.key(customer_id="disabled")
    await lanes.quick.send(
        get("/v1/customers/disabled", admin, "Content-Length: 17", method="PATCH", body='{"disabled":true}')
    )
    assert (await lanes.quick.answer()).status == 200
    return {
        "admin": admin,
        "a key with one scope": await lanes.key(scopes=["inference:read"]),
        "a key with few models": await lanes.key(models=["model"]),
        "a key from home": await lanes.key(allowed_ips=[f"{HOME}/32"]),
        "a key of a customer": await lanes.key(customer_id="known"),
        "a key of a disabled customer": stopped,
        "a revoked key": gone,
        "a spent key": spent,
        "a token": token,
        "a customer's token": (await lanes.make("/v1/auth/token", customer_id="known"))["access_token"],
        "a revoked token": revoked,
        "an altered token": f"{token[:-1]}{'A' if token[-1] != 'A' else 'B'}",
        "a mistyped key": f"{admin[:-1]}{'a' if admin[-1] != 'a' else 'b'}",
        "garbage": "garbage",
        "nothing": "",
        "none": None,
    }


@about_shortcuts
async def test_every_plain_question_gets_the_control_planes_answer(lanes: Lanes) -> None:
    known = await credentials(lanes)
    left_out = []
    for name, credential in known.items():
        for request in asks(credential):
            for _ in range(2):
                answer, was_quick = await lanes.agree(request)
                if not was_quick:
                    left_out.append((name, request.split(b"\r\n")[0], answer.status))
    assert not left_out


async def test_refusals_come_in_every_kind(lanes: Lanes) -> None:
    """The questions above are no good if all of them are admitted."""
    known = await credentials(lanes)
    seen = set()
    for credential in known.values():
        for request in asks(credential):
            answer = await told(lanes.quick, request)
            seen.add(answer.status if answer.status < 400 else answer.code)
    assert seen >= {200, 204, "invalid_api_key", "insufficient_permissions", "ip_not_allowed"}
    assert seen >= {"rate_limit_exceeded", "model_not_found", "model_not_allowed", "invalid_request"}


ODD = {
    "HEAD": lambda key: get("/v1/auth/validate", key, method="HEAD"),
    "HEAD through Envoy": lambda key: get("/v1/auth/forward/v1/audit", key[:-1], method="HEAD"),
    "another method": lambda key: get("/v1/auth/validate", key, "Content-Length: 0", method="POST"),
    "another method of forward": lambda key: get("/v1/auth/forward", key, method="DELETE"),
    "GET for a token": lambda key: get("/v1/auth/token", key),
    "another path": lambda key: get("/v1/auth/validate/", key),
    "a path in other letters": lambda key: get("/v1/auth/%76alidate", key),
    "a body with GET": lambda key: get("/v1/auth/validate", key, "Content-Length: 2", body="{}"),
    "the whole URL": lambda key: get("http://x/v1/auth/validate", key),
    "a fragment": lambda key: get("/v1/auth/validate#x", key),
    "another scheme": lambda key: get("/v1/auth/validate", None, f"Authorization: Basic {key}"),
    "two credentials": lambda key: get("/v1/auth/validate", key, "Authorization: Bearer other"),
    "two of forward": lambda key: get("/v1/auth/forward", key, "Authorization: Bearer other"),
    "letters beyond ASCII": lambda key: get("/v1/auth/validate", key + "ä"),
    "an offer": lambda key: get("/v1/auth/validate", key, "Connection: Upgrade", "Upgrade: websocket"),
    "two of a header": lambda key: get(
        "/v1/auth/validate", key, f"X-Forwarded-For: {HOME}", "X-Forwarded-For: x"
    ),
    "no address": lambda key: get("/v1/auth/validate", key, "X-Forwarded-For: unknown"),
    "half a description": lambda key: get("/v1/auth/forward", key, "X-Original-Method: GET"),
    "two descriptions": lambda key: get(
        "/v1/auth/forward", key, *original("GET", "/"), "X-Forwarded-Method: POST"
    ),
    "a description that Envoy contradicts": lambda key: get(
        "/v1/auth/forward/a", key, *original("GET", "/b")
    ),
    "Envoy's odd target": lambda key: get("/v1/auth/forward/a%7B{}?x=%00|", key),
    "an unknown scope": lambda key: get("/v1/auth/forward?scope=everything", key),
    "an empty scope": lambda key: get("/v1/auth/forward?scope=", key),
    "a scope without a value": lambda key: get("/v1/auth/forward?scope", key),
    "a blank scope": lambda key: get("/v1/auth/forward?scope=%20", key),
    "a header with an empty scope": lambda key: get("/v1/auth/forward", key, "X-Innoai-Required-Scope:"),
    "two scopes": lambda key: get("/v1/auth/forward?scope=billing:read&scope=billing:write", key),
    "another parameter": lambda key: get("/v1/auth/forward?x=1", key),
    "no JSON": lambda key: mint(key, "{"),
    "no body": lambda key: mint(key, ""),
    "an unknown member": lambda key: mint(key, '{"x": 1}'),
    "a member of another type": lambda key: mint(key, '{"expires_in": "60"}'),
    "a whole number": lambda key: mint(key, '{"expires_in": 3600.0}'),
    "a lifetime too long": lambda key: mint(key, '{"expires_in": 86401}'),
    "no UTF-8 but so called": lambda key: mint(key, '{"customer_id": "ä"}', "Content-Type: application/json"),
    "a form": lambda key: mint(key, "{}", "Content-Type: application/x-www-form-urlencoded"),
    "text": lambda key: mint(key, "{}", "Content-Type: text/plain"),
    "no type": lambda key: mint(key, "{}", "Content-Type:"),
    "the key in the body": lambda key: mint(None, json.dumps({"api_key": key})),
    "the key twice": lambda key: mint(key, json.dumps({"api_key": key})),
    "two keys": lambda key: mint(key, json.dumps({"api_key": "other"})),
    "much white space": lambda key: mint(key, "{" + " " * MOST_CONTENT + "}"),
    "chunks": lambda key: get(
        "/v1/auth/token", key, "Transfer-Encoding: chunked", method="POST", body="2\r\n{}\r\n0\r\n\r\n"
    ),
}


@pytest.mark.parametrize("odd", ODD)
async def test_an_odd_request_gets_the_control_planes_answer(lanes: Lanes, odd: str) -> None:
    assert (await told(lanes.quick, get("/v1/auth/validate", lanes.house.key))).status == 200
    for _ in range(3):
        await lanes.agree(ODD[odd](lanes.house.key))


@pytest.mark.parametrize("odd", [odd for odd in ODD if "scope" in odd])
async def test_a_scope_that_is_none_demands_nothing_less(lanes: Lanes, odd: str) -> None:
    """Else a proxy whose variable is not set would let every live credential in."""
    answer, _ = await lanes.agree(ODD[odd](lanes.house.key))
    assert (answer.status, answer.code) == (400, "invalid_request")


@pytest.mark.parametrize("line", ["Connection: close", "Connection: keep-alive, close"])
async def test_a_last_request_gets_the_control_planes_answer(lanes: Lanes, line: str) -> None:
    answer, _ = await lanes.agree(get("/v1/auth/validate", lanes.house.key, line))
    assert b"connection: close\r\n" in answer.head
    assert await lanes.quick.closed() == b""


async def test_leave_to_send_a_body_is_given(house: House) -> None:
    async with house.caller() as caller:
        head, _, body = mint(house.key, "{}", "Expect: 100-continue").partition(b"{}")
        await caller.send(head)
        assert (await caller.head()).startswith(b"HTTP/1.1 100 ")
        assert (await caller.ask(b"{}" + body)).status == 200


async def test_a_question_may_come_in_any_pieces(house: House) -> None:
    async with house.caller() as caller:
        await caller.ask(get("/v1/auth/validate", house.key))
        for request in (
            get("/v1/auth/validate", house.key),
            mint(house.key, '{"scopes": ["inference:read"]}'),
        ):
            for size in (1, 7, len(request) - 1, len(request)):
                for start in range(0, len(request), size):
                    house.connections[-1].data_received(request[start : start + size])
                assert (await caller.answer()).status == 200


@pytest.mark.parametrize("length", ["2", "0000000000002"])
async def test_a_body_may_come_behind_its_head(house: House, length: str) -> None:
    async with house.caller() as caller:
        await caller.ask(get("/v1/auth/validate", house.key))
        connection = house.connections[-1]
        for method, path in (("POST", "/v1/auth/token"), ("GET", "/v1/auth/validate")):
            for _ in range(3):
                connection.data_received(get(path, house.key, f"Content-Length: {length}", method=method))
                connection.data_received(b"{}")
                assert (await caller.answer()).status == 200


async def test_questions_in_one_packet_are_answered_in_turn(house: House) -> None:
    async with house.caller() as caller:
        await caller.ask(get("/v1/auth/validate", house.key))
        await caller.send(
            get("/v1/auth/validate", house.key) + mint(house.key) + get("/v1/auth/forward", "x")
        )
        assert [(await caller.answer()).status for _ in range(3)] == [200, 200, 401]


async def test_a_question_does_not_overtake_an_answer_of_the_control_plane(house: House) -> None:
    async with house.caller() as caller:
        await caller.ask(get("/v1/auth/validate", house.key))
        await caller.send(get("/v1/keys?limit=1", house.key) + get("/v1/auth/validate", house.key))
        assert "data" in (await caller.answer()).json()
        assert (await caller.answer()).json()["valid"] is True


async def test_half_a_head_behind_another_request_is_not_learnt_for_it(house: House) -> None:
    """Else the first request, sent again, would be taken for the second, with its credential."""
    async with house.caller() as caller:
        await caller.ask(get("/v1/auth/validate", house.key))
        first = get("/v1/auth/revoke", "garbage", "Content-Length: 2", method="POST", body="{}")
        second = mint(house.key)
        await caller.send(first + second[:40])
        assert (await caller.answer()).code == "invalid_request"
        assert (await caller.ask(second[40:])).status == 200
        assert (await caller.ask(first)).code == "invalid_request"


async def test_both_lanes_take_one_from_the_limit(lanes: Lanes) -> None:
    key = await lanes.key(rate_limit=1000)
    left = []
    for request in (get("/v1/auth/validate", key), get("/v1/auth/forward", key)):
        for caller in (lanes.slow, lanes.quick):
            answer = await told(caller, request)
            left.append(int(re.search(rb"remaining-requests: (\d+)", answer.head)[1]))  # type: ignore[index]
    assert left == [999, 998, 997, 996]


async def test_what_ends_a_credential_ends_it_between_two_questions(lanes: Lanes) -> None:
    key = await lanes.key()
    request = get("/v1/auth/validate", key)
    for _ in range(3):
        assert (await lanes.quick.ask(request)).status == 200
    await lanes.make("/v1/auth/revoke", token=key)
    assert (await lanes.quick.ask(request)).code == "invalid_api_key"


async def test_a_customer_that_memory_does_not_know_is_made_and_counted_once(lanes: Lanes) -> None:
    key = await lanes.key(rate_limit=2)
    request = mint(key, '{"customer_id": "new"}')
    assert [(await lanes.quick.ask(request)).status for _ in range(3)] == [200, 200, 429]


async def test_failures_are_counted_per_address(installed: Installation) -> None:
    async with open_house(installed, NOBODY) as house:
        house.gateway.door._failed_auth = 3
        async with house.caller() as caller:
            answers = [await caller.ask(get("/v1/auth/forward", "garbage")) for _ in range(4)]
        assert [answer.status for answer in answers] == [401, 401, 401, 429]
        assert b"x-innoai-error: rate_limit_exceeded\r\n" in answers[-1].head


async def test_the_server_stops_behind_a_question_that_is_under_way(house: House) -> None:
    async with house.caller() as caller:
        await caller.ask(get("/v1/auth/validate", house.key))
        connection: Connection = house.connections[-1]
        request = mint(house.key)
        connection.data_received(request[:-1])
        connection.shutdown()
        connection.data_received(request[-1:])
        answer = await caller.answer()
        assert answer.status == 200
        assert b"connection: close\r\n" in answer.head
        assert await caller.closed() == b""


async def test_a_key_that_was_made_is_answered_though_the_store_went_away_then(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_connection: AsyncConnection) -> int:
        raise InnoError("service_unavailable")

    validate = f"GET /v1/auth/validate HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {house.key}\r\n\r\n"
    assert (await house.ask(validate.encode())).status == 200
    with monkeypatch.context() as outage:
        outage.setattr(changes, "head", broken)
        made = await house.ask(house.post(b'{"name": "A test\'s"}', path="/v1/keys"))
        assert (made.status, made.json()["key"][:8]) == (201, "sk-inno-")
        assert (await house.ask(validate.encode())).code == "service_unavailable"
    await house.until(lambda: house.gateway.door._keyring._feed.silent_for < 1)
    of_it = validate.replace(house.key, made.json()["key"])
    assert (await house.ask(of_it.encode())).status == 200
