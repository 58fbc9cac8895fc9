"""What keys did and could do without, and requests as they happen: on a real server."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from innoai import InnoAI
from innoai.api.requests import MOST_WATCHERS
from tests.contract.clients import HELLO, bearer, create_key, mint
from tests.contract.walks import HOME
from tests.support.envelope import refused
from tests.support.server import MODEL
from tests.support.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import Server

ABROAD = "198.51.100.1"
SCOPES = ["inference:read", "inference:write", "billing:read"]


@pytest.fixture(scope="module")
def own(new_server: Callable[..., Server]) -> Server:
    """A server behind a proxy, so that callers are where they say."""
    text = settings({MODEL: [{"base_url": "echo:"}]}, {"server": {"trusted_proxies": ["127.0.0.1/32"]}})
    return new_server(text)


@pytest.fixture(scope="module")
def caller(own: Server) -> Iterator[httpx.Client]:
    headers = {**bearer(own.admin_key), "x-forwarded-for": HOME}
    with httpx.Client(base_url=own.base_url, headers=headers, timeout=60) as client:
        yield client


class Used:
    """A key, and requests that are made with it."""

    def __init__(self, admin: httpx.Client, **members: Any) -> None:
        self.admin = admin
        made = create_key(admin, **members)
        self.id, self.secret = made["id"], made["key"]

    def get(self, path: str, *, at: str = HOME, secret: str | None = None) -> httpx.Response:
        return self.admin.get(path, headers={**bearer(secret or self.secret), "x-forwarded-for": at})

    def chat(self, *, at: str = HOME, secret: str | None = None, model: str = MODEL) -> httpx.Response:
        headers = {**bearer(secret or self.secret), "x-forwarded-for": at}
        return self.admin.post("/chat/completions", json={**HELLO, "model": model}, headers=headers)

    def told(self, what: str, **query: Any) -> dict[str, Any]:
        answer = self.admin.get(f"/keys/{self.id}/{what}", params=query)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def preview(self, **change: Any) -> dict[str, Any]:
        answer = self.admin.post(f"/keys/{self.id}/preview", json=change)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told


@pytest.fixture(scope="module")
def used(caller: httpx.Client) -> Used:
    """A key that chatted from home, looked at models and was refused elsewhere."""
    key = Used(caller, scopes=SCOPES, allowed_ips=["203.0.113.0/24", "10.0.0.0/8"])
    for _ in range(3):
        assert key.chat().is_success
    assert key.get("/models").is_success
    refused(key.chat(at=ABROAD), "ip_not_allowed")
    refused(key.chat(model="no-such-model"), "model_not_found")
    refused(key.get("/keys"), "insufficient_permissions")
    return key


def test_a_key_and_the_list_of_keys_tell_of_its_last_use_at_once(caller: httpx.Client) -> None:
    key = Used(caller)
    assert caller.get(f"/keys/{key.id}").json()["last_used_at"] is None
    began = datetime.now(UTC) - timedelta(seconds=1)
    assert key.chat().status_code == 200
    told = caller.get(f"/keys/{key.id}").json()["last_used_at"]
    assert datetime.fromisoformat(told) >= began
    listed = caller.get("/keys", params={"search": key.id}).json()["data"]
    assert [one["last_used_at"] for one in listed] == [told]


def test_what_a_key_did_and_was_refused_is_on_record_at_once(used: Used) -> None:
    told = used.told("activity")
    assert (told["key_id"], told["allowed"], told["refused"], told["kept_days"]) == (used.id, 4, 3, 30)
    assert sum(hour["allowed"] for hour in told["hours"]) == 4
    assert sum(hour["refused"] for hour in told["hours"]) == 3
    routes = {
        (row["method"], row["path"], row["scope"]): (row["allowed"], row["refused"]) for row in told["routes"]
    }
    assert routes == {
        ("POST", "/v1/chat/completions", "inference:write"): (3, 2),
        ("GET", "/v1/models", "inference:read"): (1, 0),
        ("GET", "/v1/keys", "admin:full"): (0, 1),
    }
    assert {row["address"]: row["allowed"] for row in told["addresses"]} == {HOME: 4, ABROAD: 0}
    assert {row["model"]: row["allowed"] for row in told["models"]} == {MODEL: 3, "no-such-model": 0}
    assert {(row["code"], row["address"]) for row in told["refusals"]} == {
        ("ip_not_allowed", ABROAD),
        ("model_not_found", HOME),
        ("insufficient_permissions", HOME),
    }
    assert told["peak_minute"] >= 1


def test_another_time_and_a_time_that_is_none(used: Used) -> None:
    now = datetime.now(UTC)
    before = used.told("activity", **{"from": "2026-01-01", "to": "2026-01-02"})
    assert (before["allowed"], before["hours"], before["from"]) == (0, [], "2026-01-01T00:00:00Z")
    lasting = used.told("activity", **{"from": (now - timedelta(hours=2)).isoformat()})
    assert lasting["allowed"] == 4
    turned = used.admin.get(f"/keys/{used.id}/activity", params={"from": "2026-01-02", "to": "2026-01-01"})
    assert refused(turned, "invalid_request")["param"] == "from"
    for days in ("0", "401", "many"):
        answer = used.admin.get(f"/keys/{used.id}/advice", params={"days": days})
        assert refused(answer, "invalid_request")["param"] == "days"


def test_advice_says_what_could_go_and_refuses_nothing_when_it_is_taken(caller: httpx.Client) -> None:
    key = Used(caller, scopes=SCOPES, allowed_ips=["203.0.113.0/24", "10.0.0.0/8"])
    assert key.chat().is_success
    advice = key.told("advice", days=1)
    assert (advice["requests"], advice["would_refuse"]) == (1, 0)
    assert advice["scopes"]["unused"] == ["inference:read", "billing:read"]
    assert advice["allowed_ips"]["unused"] == ["10.0.0.0/8"]
    assert advice["change"] == {
        "scopes": ["inference:write"],
        "allowed_ips": ["203.0.113.0/24"],
        "models": [MODEL],
        "rate_limit": 10,
    }
    assert caller.patch(f"/keys/{key.id}", json=advice["change"]).is_success
    assert key.chat().is_success
    refused(key.get("/models"), "insufficient_permissions")
    assert key.told("advice")["change"] is None


def test_a_key_without_networks_is_advised_where_it_was_used(caller: httpx.Client) -> None:
    key = Used(caller)
    for at in ("192.0.2.10", "192.0.2.11", "2001:db8::5"):
        assert key.get("/models", at=at).is_success
    assert key.told("advice")["change"]["allowed_ips"] == ["192.0.2.10/31", "2001:db8::/64"]


def test_a_preview_tells_what_the_change_then_does(used: Used) -> None:
    told = used.preview(scopes=["inference:write"], allowed_ips=["203.0.113.0/24"])
    assert (told["requests"], told["refused"], told["uncertain"]) == (4, 1, 0)
    (reason,) = told["reasons"]
    assert (reason["check"], reason["code"], reason["required_scope"]) == (
        "scope",
        "insufficient_permissions",
        "inference:read",
    )
    assert (reason["examples"][0]["path"], reason["examples"][0]["address"]) == ("/v1/models", HOME)
    elsewhere = used.preview(allowed_ips=["192.0.2.0/24"])
    assert (elsewhere["refused"], elsewhere["reasons"][0]["code"]) == (4, "ip_not_allowed")
    wider = used.preview(allowed_ips=None, level="admin")
    assert (wider["refused"], wider["let_in"]) == (0, 2)
    assert {reason["code"] for reason in wider["admissions"]} == {
        "ip_not_allowed",
        "insufficient_permissions",
    }
    limited = used.preview(rate_limit=1)
    assert limited["rate"]["limit"] == 1
    assert limited["rate"]["hours_above"] == (limited["rate"]["peak_minute"] > 1)
    ended = used.preview(expires_at=(datetime.now(UTC) - timedelta(days=1)).isoformat())
    assert (ended["refused"], ended["reasons"][0]["check"]) == (4, "standing")
    later = used.preview(expires_at=(datetime.now(UTC) + timedelta(days=1)).isoformat())
    assert (later["refused"], later["rate"]) == (0, None)


def test_a_preview_changes_nothing(used: Used) -> None:
    before = used.admin.get(f"/keys/{used.id}").json()
    used.preview(scopes=["billing:read"], allowed_ips=["192.0.2.0/24"], models=["x"], rate_limit=1)
    after = used.admin.get(f"/keys/{used.id}").json()
    assert {**after, "last_used_at": None} == {**before, "last_used_at": None}


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"scopes": ["nope"]}, "scopes"),
        ({"allowed_ips": ["300.1.1.1"]}, "allowed_ips"),
        ({"days": 0}, "days"),
    ],
)
def test_a_change_that_could_not_be_made_cannot_be_tried(
    used: Used, change: dict[str, Any], param: str
) -> None:
    assert (
        refused(used.admin.post(f"/keys/{used.id}/preview", json=change), "invalid_request")["param"] == param
    )


def test_a_customers_key_is_not_tried_with_admin_rights(caller: httpx.Client) -> None:
    key = Used(caller, customer_id="customer-of-a-preview")
    answer = caller.post(f"/keys/{key.id}/preview", json={"level": "admin"})
    refused(answer, "insufficient_permissions")


def test_a_customers_token_sees_none_of_it(caller: httpx.Client) -> None:
    key = Used(caller, customer_id="customer-123", scopes=["inference:read"])
    token = mint(caller, key.secret)["access_token"]
    for path in (
        f"/keys/{key.id}/activity",
        f"/keys/{key.id}/advice",
        "/requests/refusals",
        "/requests/stream",
    ):
        refused(key.get(path, secret=token), "insufficient_permissions")


def test_tokens_count_for_their_key(caller: httpx.Client) -> None:
    key = Used(caller)
    token = mint(caller, key.secret)["access_token"]
    assert key.chat(secret=token).is_success
    told = key.told("activity")
    assert {row["path"] for row in told["routes"]} == {"/v1/auth/token", "/v1/chat/completions"}


def test_a_revoked_key_that_is_still_used_shows_from_where(caller: httpx.Client) -> None:
    key = Used(caller)
    assert key.chat().is_success
    assert caller.delete(f"/keys/{key.id}").status_code == 204
    refused(key.chat(at=ABROAD), "invalid_api_key")
    (refusal,) = key.told("activity")["refusals"]
    assert (refusal["code"], refusal["address"]) == ("invalid_api_key", ABROAD)
    assert key.preview(scopes=["inference:read"])["refused"] == 1


def test_what_was_counted_outlives_a_restart(new_server: Callable[..., Server]) -> None:
    server = new_server(settings({MODEL: [{"base_url": "echo:"}]}))
    with httpx.Client(base_url=server.base_url, headers=bearer(server.admin_key), timeout=60) as client:
        key = Used(client)
        assert key.chat().is_success
    server.stop()
    server.start()
    with httpx.Client(base_url=server.base_url, headers=bearer(server.admin_key), timeout=60) as client:
        told = client.get(f"/keys/{key.id}/activity").json()
    assert (told["allowed"], told["addresses"][0]["address"]) == (1, "127.0.0.1")


# Requests as they happen.


class Stream:
    """What comes on a stream, event by event."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()
        assert next(self._lines).startswith(": requests follow")

    def next(self) -> tuple[str, dict[str, Any]]:
        """The next event's name and data."""
        name = ""
        for line in self._lines:
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                return name, json.loads(value)
        raise AssertionError("the stream has ended")

    def ends(self) -> None:
        """Wait for the end."""
        for _ in self._lines:
            pass


@contextmanager
def streaming(client: httpx.Client, key: str | None = None, **query: Any) -> Iterator[Stream]:
    headers = {} if key is None else bearer(key)
    with client.stream("GET", "/requests/stream", params=query, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = Stream(answer)
        yield stream


def test_a_request_is_told_of_when_it_is_decided_and_when_it_is_finished(
    own: Server, caller: httpx.Client
) -> None:
    key = Used(caller)
    with streaming(caller, key_id=key.id) as stream:
        answer = key.chat()
        name, decided = stream.next()
        assert (name, decided["allowed"], decided["code"], decided["key_id"]) == (
            "decided",
            True,
            None,
            key.id,
        )
        assert decided["request_id"] == answer.headers["x-request-id"]
        assert (decided["path"], decided["address"], decided["model"]) == (
            "/v1/chat/completions",
            HOME,
            MODEL,
        )
        assert [check["outcome"] for check in decided["checks"]] == ["passed"] * 8
        name, finished = stream.next()
        assert (name, finished["request_id"], finished["status"]) == ("finished", decided["request_id"], 200)
        assert finished["completion_tokens"] > 0
        refusal = key.chat(at=HOME, model="none")
        name, decided = stream.next()
        assert (name, decided["code"], decided["request_id"]) == (
            "decided",
            "model_not_found",
            refusal.json()["error"]["request_id"],
        )
        assert key.get("/auth/validate").is_success
        assert [stream.next()[0] for _ in range(2)] == ["decided", "finished"]
        assert key.get("/billing/usage").status_code == 403
        assert stream.next()[1]["code"] == "insufficient_permissions"


def test_a_stream_of_refusals_leaves_the_rest_out(caller: httpx.Client) -> None:
    key = Used(caller, scopes=["inference:read"])
    with streaming(caller, key_id=key.id, only="refused") as stream:
        assert key.get("/models").is_success
        refused(key.chat(), "insufficient_permissions")
        assert stream.next()[1]["code"] == "insufficient_permissions"


def test_the_last_refusals_are_told_with_why_to_who_comes_later(caller: httpx.Client) -> None:
    key = Used(caller, scopes=["inference:read"])
    answer = key.chat()
    told = caller.get("/requests/refusals", params={"key_id": key.id}).json()
    (refusal,) = told["data"]
    assert refusal["request_id"] == answer.json()["error"]["request_id"]
    explained = caller.post(
        "/auth/explain",
        json={"key": key.id, "method": "POST", "path": "/v1/chat/completions", "ip": HOME, "model": MODEL},
    ).json()
    assert refusal["checks"] == explained["checks"]
    assert len(caller.get("/requests/refusals", params={"limit": 1}).json()["data"]) == 1


def test_a_stream_ends_within_the_promise_when_its_key_is_revoked(caller: httpx.Client) -> None:
    admin = Used(caller, scopes=["admin:full"])
    with streaming(caller, admin.secret) as stream:
        assert caller.delete(f"/keys/{admin.id}").status_code == 204
        began = time.monotonic()
        stream.ends()
        assert time.monotonic() - began < 10


def test_an_account_has_so_many_streams_and_closed_ones_make_room(caller: httpx.Client) -> None:
    with ExitStack() as streams:
        for _ in range(MOST_WATCHERS):
            streams.enter_context(streaming(caller))
        refused(caller.get("/requests/stream"), "conflict")
    until = time.monotonic() + 30
    while not has_room(caller):
        assert time.monotonic() < until, "streams that were closed are still counted"
        time.sleep(0.1)


async def test_streams_that_are_asked_for_at_once_are_no_more_than_there_may_be(own: Server) -> None:
    headers = {**bearer(own.admin_key), "x-forwarded-for": HOME}
    async with httpx.AsyncClient(base_url=own.base_url, headers=headers, timeout=60) as client:
        requests = [client.build_request("GET", "/requests/stream") for _ in range(3 * MOST_WATCHERS)]
        answers = await asyncio.gather(*(client.send(request, stream=True) for request in requests))
        statuses = [answer.status_code for answer in answers]
        for answer in answers:
            await answer.aclose()
    assert set(statuses) <= {200, 409}
    assert statuses.count(200) <= MOST_WATCHERS


def has_room(caller: httpx.Client) -> bool:
    with caller.stream("GET", "/requests/stream") as answer:
        return answer.status_code == 200


def test_a_server_that_stops_ends_its_streams(new_server: Callable[..., Server]) -> None:
    server = new_server(settings({MODEL: [{"base_url": "echo:"}]}))
    headers = bearer(server.admin_key)
    with (
        httpx.Client(base_url=server.base_url, headers=headers, timeout=60) as client,
        streaming(client) as stream,
    ):
        assert server.stop() == 0
        stream.ends()
    server.start()


# The SDK and the command line.


def test_the_sdk_tells_the_same(own: Server, used: Used) -> None:
    client = InnoAI(api_key=own.admin_key, base_url=own.base_url)
    activity = client.keys.activity(used.id)
    assert (activity.allowed, activity.hours[0].hour.tzinfo) == (4, UTC)
    assert client.keys.advice(used.id, days=1).scopes.unused == ["billing:read"]
    assert (
        client.keys.preview(used.id, scopes=["inference:write"]).reasons[0].required_scope == "inference:read"
    )
    refusal = next(iter(client.requests.refusals(key_id=used.id)))
    assert (refusal.allowed, refusal.checks[4].outcome) == (False, "refused")
    over = threading.Event()

    def keep_asking() -> None:
        while not over.wait(0.2):
            used.get("/models")

    asking = threading.Thread(target=keep_asking)
    asking.start()
    try:
        for news in client.requests.stream(key_id=used.id):
            assert news.to_dict()["key_id"] == used.id
            break
    finally:
        over.set()
        asking.join()


def test_the_command_line_shows_it(own: Server, used: Used) -> None:
    shown = own.cli("keys", "activity", used.id)
    assert (shown.returncode, "ip_not_allowed" in shown.stdout, ABROAD in shown.stdout) == (0, True, True)
    advice = json.loads(own.cli("keys", "advice", used.id, "--days", "7", "--json").stdout)
    assert advice["allowed_ips"]["unused"] == ["10.0.0.0/8"]
    assert "billing:read" in own.cli("keys", "advice", used.id).stdout
    preview = own.cli("keys", "preview", used.id, "--scope", "inference:write", "--rate-limit", "1")
    assert (preview.returncode, "insufficient_permissions" in preview.stdout) == (0, True)
    anywhere = json.loads(own.cli("keys", "preview", used.id, "--allow-ip", "any", "--json").stdout)
    assert anywhere["admissions"][0]["code"] == "ip_not_allowed"
    assert own.cli("keys", "preview", used.id).returncode == 2
    refusals = own.cli("requests", "refusals", "--key", used.id)
    assert (refusals.returncode, "model_not_found" in refusals.stdout) == (0, True)
