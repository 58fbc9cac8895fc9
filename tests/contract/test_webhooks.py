"""Endpoints and deliveries over HTTP."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema_rs
import pytest
import standardwebhooks

from tests.contract.clients import bearer, create_key, mint
from tests.contract.webhooks import create_endpoint, deliveries_of, until, webhook_settings
from tests.support.envelope import refused
from tests.support.receiver import Receiver
from tests.support.store import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import Server

UNKNOWN = "whe_0000000000000000000000"
SHOWN = {
    "id",
    "object",
    "url",
    "event_types",
    "description",
    "headers",
    "disabled",
    "disabled_because",
    "failing_since",
    "previous_secret_expires_at",
    "created_at",
    "updated_at",
}


@pytest.fixture(scope="module")
def own(new_server: Callable[..., Server]) -> Server:
    return new_server(webhook_settings(timeout=5.0))


@pytest.fixture(scope="module")
def caller(own: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=30) as client:
        yield client


@pytest.fixture
def receiver(caller: httpx.Client) -> Iterator[Receiver]:
    """A receiver of the test's own; no endpoint is left afterwards."""
    with Receiver().running() as running:
        yield running
        for endpoint in caller.get("/webhooks", params={"limit": 100}).json()["data"]:
            assert caller.delete(f"/webhooks/{endpoint['id']}").status_code == 204


def finished(caller: httpx.Client, delivery_id: str) -> dict[str, Any]:
    """A delivery, once an attempt was made."""

    def ask() -> dict[str, Any]:
        shown: dict[str, Any] = caller.get(f"/webhooks/deliveries/{delivery_id}").json()
        return shown

    return until(ask, lambda shown: shown["attempts"] > 0)


def test_an_endpoint_is_made_shown_changed_and_deleted(caller: httpx.Client, receiver: Receiver) -> None:
    made = create_endpoint(
        caller, "https://example.com/hooks", event_types=["key.*", "key.*"], headers={"X-Token": "t0p"}
    )
    assert made.keys() == SHOWN | {"secret"}
    assert made["secret"].startswith("whsec_")
    assert made["event_types"] == ["key.*"]
    assert made["headers"] == {"X-Token": "[hidden]"}
    path = f"/webhooks/{made['id']}"
    shown = caller.get(path).json()
    assert shown == {name: made[name] for name in SHOWN}
    changed = caller.patch(path, json={"url": "https://example.com/new", "description": "Ours"}).json()
    assert (changed["url"], changed["description"]) == ("https://example.com/new", "Ours")
    assert changed["headers"] == {"X-Token": "[hidden]"}
    assert changed in caller.get("/webhooks").json()["data"]
    assert caller.delete(path).status_code == 204
    refused(caller.get(path), "not_found")
    refused(caller.delete(path), "not_found")


def test_neither_secret_nor_headers_are_readable_in_the_store_or_the_audit_log(
    own: Server, caller: httpx.Client, receiver: Receiver
) -> None:
    made = create_endpoint(caller, "https://example.com/", headers={"authorization": "Bearer t0psecret"})
    rotated = caller.post(f"/webhooks/{made['id']}/rotate-secret", json={}).json()
    caller.patch(f"/webhooks/{made['id']}", json={"headers": {"authorization": "Bearer t0psecret2"}})
    endpoints, entries = "SELECT * FROM webhook_endpoints", "SELECT * FROM audit_entries"
    text = repr([rows_of(own, endpoints), rows_of(own, entries)])
    for secret in ("t0psecret", made["secret"][6:], rotated["secret"][6:]):
        assert secret not in text


def test_what_is_done_to_an_endpoint_is_on_record(caller: httpx.Client, receiver: Receiver) -> None:
    made = create_endpoint(caller, receiver.url("/ok"))
    path = f"/webhooks/{made['id']}"
    caller.patch(path, json={"description": "Changed"})
    caller.post(f"{path}/rotate-secret")
    delivery = caller.post(f"{path}/test").json()
    finished(caller, delivery["id"])
    caller.post(f"/webhooks/deliveries/{delivery['id']}/replay")
    caller.post(f"{path}/replay", json={"since": "2026-01-01T00:00:00Z"})
    caller.delete(path)
    entries = caller.get("/audit", params={"target_id": made["id"], "action": "webhook.*"}).json()["data"]
    assert [entry["action"] for entry in reversed(entries)] == [
        "webhook.created",
        "webhook.updated",
        "webhook.secret_rotated",
        "webhook.tested",
        "webhook.replayed",
        "webhook.replayed",
        "webhook.deleted",
    ]
    assert {entry["actor"]["kind"] for entry in entries} == {"key"}


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://example.com/hooks",
        "https://example.org/hooks",
        "https://sub.example.com/hooks",
        "https://example.com:8443/hooks",
        "https://example.com./hooks",
    ],
)
def test_hidden_headers_never_go_to_another_receiver(
    caller: httpx.Client, receiver: Receiver, elsewhere: str
) -> None:
    made = create_endpoint(caller, "https://example.com/hooks", headers={"authorization": "Bearer ours"})
    path = f"/webhooks/{made['id']}"
    error = refused(caller.patch(path, json={"url": elsewhere, "description": "Mine"}), "invalid_request")
    assert error["param"] == "headers"
    assert "together with url" in error["message"]
    assert caller.get(path).json() == {name: made[name] for name in SHOWN}


def test_what_is_sent_to_another_receiver_is_what_came_with_it(
    caller: httpx.Client, receiver: Receiver
) -> None:
    for number, headers in enumerate(({}, {"x-new": "theirs"})):
        made = create_endpoint(caller, "https://example.com/", headers={"authorization": "Bearer ours"})
        path, place = f"/webhooks/{made['id']}", f"/ok/{number}"
        caller.patch(path, json={"url": receiver.url(place), "headers": headers}).raise_for_status()
        caller.post(f"{path}/test")
        (received,) = receiver.wait_for(place, lambda came: len(came) == 1)
        assert "authorization" not in received.headers
        assert received.headers.get("x-new") == headers.get("x-new")


def test_what_was_shown_can_be_written_back_and_what_is_hidden_stays(
    caller: httpx.Client, receiver: Receiver
) -> None:
    ours = {"Authorization": "Bearer ours", "X-Old": "old", "X-Gone": "gone"}
    made = create_endpoint(caller, receiver.url("/ok/first"), headers=ours)
    path = f"/webhooks/{made['id']}"
    shown = caller.get(path).json()
    assert caller.patch(path, json={"headers": shown["headers"]}).raise_for_status().json() == shown
    written = {"authorization": "[hidden]", "X-Old": "new"}
    changed = {"url": receiver.url("/ok/second"), "headers": written}
    answer = caller.patch(path, json=changed).raise_for_status().json()
    assert answer["headers"] == {"authorization": "[hidden]", "X-Old": "[hidden]"}
    caller.post(f"{path}/test")
    (received,) = receiver.wait_for("/ok/second", lambda came: len(came) == 1)
    assert (received.headers["authorization"], received.headers["x-old"]) == ("Bearer ours", "new")
    assert "x-gone" not in received.headers


def test_what_is_hidden_is_refused_where_there_is_nothing_to_keep(
    caller: httpx.Client, receiver: Receiver
) -> None:
    body: dict[str, Any] = {"url": "https://example.com/", "headers": {"x-new": "[hidden]"}}
    assert refused(caller.post("/webhooks", json=body), "invalid_request")["param"] == "headers"
    made = create_endpoint(caller, body["url"], headers={"x-old": "old"})
    error = refused(
        caller.patch(f"/webhooks/{made['id']}", json={"headers": {"x-old": "[hidden]", "x-new": "[hidden]"}}),
        "invalid_request",
    )
    assert error["param"] == "headers"
    assert "x-new" in error["message"]


def test_what_is_hidden_is_not_kept_for_another_receiver(caller: httpx.Client, receiver: Receiver) -> None:
    made = create_endpoint(caller, "https://example.com/", headers={"authorization": "Bearer ours"})
    headers = {"authorization": "[hidden]", "x-mine": "mine"}
    path, elsewhere = f"/webhooks/{made['id']}", "https://example.org/"
    error = refused(caller.patch(path, json={"url": elsewhere, "headers": headers}), "invalid_request")
    assert (error["param"], "url names another" in error["message"]) == ("headers", True)
    assert caller.get(path).json() == {name: made[name] for name in SHOWN}


@pytest.mark.parametrize(
    "same", ["https://example.com/new?a=b", "https://EXAMPLE.com/hooks", "https://example.com:443/hooks"]
)
def test_another_path_of_the_same_receiver_keeps_the_headers(
    caller: httpx.Client, receiver: Receiver, same: str
) -> None:
    made = create_endpoint(caller, "https://example.com/hooks", headers={"authorization": "Bearer ours"})
    changed = caller.patch(f"/webhooks/{made['id']}", json={"url": same}).raise_for_status().json()
    assert (changed["url"], changed["headers"]) == (same, {"authorization": "[hidden]"})


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"url": "ftp://example.com/"}, "url"),
        ({"url": "https://user:password@example.com/"}, "url"),
        ({"url": "https://example.com/#fragment"}, "url"),
        ({"url": "https://example.com/\r\nx: y"}, "url"),
        ({"url": "https://example.com/" + "a" * 2048}, "url"),
        ({"url": "http://169.254.169.254/latest/meta-data/"}, "url"),
        ({"url": "http://10.0.0.1/"}, "url"),
        ({"url": "http://0xa000001/"}, "url"),
        ({"url": "http://[::1]/"}, "url"),
        ({"url": "http://[fd00:ec2::254]/"}, "url"),
        ({"event_types": []}, "event_types"),
        ({"event_types": ["key.exploded"]}, "event_types"),
        ({"event_types": ["k*"]}, "event_types"),
        ({"headers": {"Content-Type": "text/plain"}}, "headers"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "headers"),
        ({"headers": {"X-Innoai-Signature": "mine"}}, "headers"),
        ({"headers": {"webhook-id": "mine"}}, "headers"),
        ({"headers": {"x-a": "b\r\nx-c: d"}}, "headers"),
        ({"headers": {"x a": "b"}}, "headers"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "headers"),
        ({"headers": {f"x-{number}": "y" for number in range(21)}}, "headers"),
        ({"description": ""}, "description"),
    ],
)
def test_what_no_endpoint_can_be_is_refused_by_name(
    caller: httpx.Client, receiver: Receiver, members: dict[str, Any], param: str
) -> None:
    answer = caller.post("/webhooks", json={"url": "https://example.com/", **members})
    assert refused(answer, "invalid_request")["param"].startswith(param)
    made = create_endpoint(caller, "https://example.com/")
    answer = caller.patch(f"/webhooks/{made['id']}", json=members)
    assert refused(answer, "invalid_request")["param"].startswith(param)


def test_a_change_that_changes_nothing_is_none(caller: httpx.Client) -> None:
    fixed: dict[str, Any] = {
        "url": "https://example.com/",
        "event_types": ["key.*"],
        "description": "Ours",
        "headers": {"x-to": "us", "x-from": "them"},
    }
    made = create_endpoint(caller, fixed["url"], **{name: fixed[name] for name in fixed if name != "url"})
    path = f"/webhooks/{made['id']}"
    before = caller.get(path).json()
    for same in ({}, fixed, {"disabled": False}, {"headers": {"x-from": "them", "x-to": "us"}}):
        assert caller.patch(path, json=same).raise_for_status().json() == before

    def updates() -> int:
        query = {"target_id": made["id"], "action": "webhook.updated"}
        return len(caller.get("/audit", params=query).json()["data"])

    assert updates() == 0
    caller.patch(path, json={"headers": {"x-to": "you", "x-from": "them"}}).raise_for_status()
    assert updates() == 1


def test_a_tier_bounds_the_endpoints(new_server: Callable[..., Server]) -> None:
    server = new_server(webhook_settings() + "[tiers.enterprise]\nmax_endpoints = 3\n")
    with httpx.Client(base_url=server.base_url, headers=bearer(server.admin_key), timeout=30) as client:
        statuses: list[int] = []

        def create() -> None:
            statuses.append(client.post("/webhooks", json={"url": "https://example.com/"}).status_code)

        threads = [threading.Thread(target=create) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [201] * 3 + [409] * 5
        refused(client.post("/webhooks", json={"url": "https://example.com/"}), "conflict")


def test_a_customers_credential_and_another_scope_do_not_suffice(
    caller: httpx.Client, receiver: Receiver
) -> None:
    reader = create_key(caller, "Reader", scopes=["webhooks:read"])["key"]
    assert caller.get("/webhooks", headers=bearer(reader)).status_code == 200
    answer = caller.post("/webhooks", json={"url": "https://example.com/"}, headers=bearer(reader))
    assert refused(answer, "insufficient_permissions")["required_scope"] == "webhooks:write"
    writer = create_key(caller, "Writer", scopes=["webhooks:read", "webhooks:write"])["key"]
    token = mint(caller, writer, customer_id="customer-1", scopes=["webhooks:read"])["access_token"]
    refused(caller.get("/webhooks", headers=bearer(token)), "insufficient_permissions")


def test_the_same_idempotency_key_makes_one_endpoint(caller: httpx.Client, receiver: Receiver) -> None:
    body = {"url": "https://example.com/once"}
    once = {"idempotency-key": "once"}
    first, second = (caller.post("/webhooks", json=body, headers=once).json() for _ in range(2))
    assert first == second
    assert [each["url"] for each in caller.get("/webhooks").json()["data"]].count(body["url"]) == 1


def test_a_change_arrives_with_its_new_state(caller: httpx.Client, receiver: Receiver) -> None:
    made = create_endpoint(caller, receiver.url("/ok"), event_types=["key.created"])
    key = create_key(caller, "Told of")
    (received,) = receiver.wait_for("/ok", lambda came: len(came) == 1)
    event = standardwebhooks.Webhook(made["secret"]).verify(received.body, received.headers)
    assert event["type"] == "key.created"
    assert event["data"] == {name: value for name, value in key.items() if name != "key"}
    (delivery,) = until(
        lambda: deliveries_of(caller, made["id"]), lambda found: found[0]["state"] == "succeeded"
    )
    shown = caller.get(f"/webhooks/deliveries/{delivery['id']}").json()
    assert shown["event"] == event
    (attempt,) = shown["log"]
    assert (attempt["number"], attempt["status"], attempt["response_body"]) == (1, 200, "so be it")
    assert attempt["request_headers"]["webhook-id"] == event["id"]


def test_a_test_goes_to_one_endpoint_alone(caller: httpx.Client, receiver: Receiver) -> None:
    made = create_endpoint(caller, receiver.url("/ok/tested"), event_types=["key.*"])
    create_endpoint(caller, receiver.url("/ok/other"))
    delivery = caller.post(f"/webhooks/{made['id']}/test")
    assert delivery.status_code == 202
    shown = finished(caller, delivery.json()["id"])
    assert (shown["event_type"], shown["state"]) == ("webhook.test", "succeeded")
    assert shown["event"]["data"]["endpoint_id"] == made["id"]
    assert len(receiver.at("/ok/tested")) == 1
    assert receiver.at("/ok/other") == []


def test_a_replay_is_a_new_delivery_of_the_same_event(caller: httpx.Client, receiver: Receiver) -> None:
    made = create_endpoint(caller, receiver.url("/ok"), event_types=["key.created"])
    create_key(caller, "Replayed")
    (first,) = receiver.wait_for("/ok", lambda came: len(came) == 1)
    (delivery,) = deliveries_of(caller, made["id"])
    again = caller.post(f"/webhooks/deliveries/{delivery['id']}/replay")
    assert again.status_code == 202
    assert again.json()["id"] != delivery["id"]
    assert again.json()["event_id"] == delivery["event_id"]
    _, second = receiver.wait_for("/ok", lambda came: len(came) == 2)
    assert (second.event_id, second.body) == (first.event_id, first.body)


def test_what_a_gone_endpoint_missed_is_replayed_after_it_was_enabled(
    caller: httpx.Client, receiver: Receiver
) -> None:
    made = create_endpoint(caller, receiver.url("/status/410"), event_types=["key.created"])
    path = f"/webhooks/{made['id']}"
    create_key(caller, "Missed")
    gone = until(lambda: caller.get(path).json(), lambda shown: shown["disabled"])
    assert gone["disabled_because"] == "gone"
    replay = {"since": made["created_at"]}
    refused(caller.post(f"{path}/replay", json=replay), "conflict")
    refused(caller.post(f"{path}/test"), "conflict")
    (failed,) = deliveries_of(caller, made["id"], state="failed")
    refused(caller.post(f"/webhooks/deliveries/{failed['id']}/replay"), "conflict")
    enabled = caller.patch(path, json={"disabled": False, "url": receiver.url("/ok")}).json()
    assert (enabled["disabled"], enabled["disabled_because"], enabled["failing_since"]) == (False, None, None)
    answer = caller.post(f"{path}/replay", json=replay)
    assert (answer.status_code, answer.json()) == (202, {"object": "replay", "count": 1})
    (received,) = receiver.wait_for("/ok", lambda came: len(came) == 1)
    assert received.event_id == failed["event_id"]
    assert caller.post(f"{path}/replay", json=replay).json()["count"] == 0


def test_deliveries_are_paged_and_filtered(caller: httpx.Client, receiver: Receiver) -> None:
    made = create_endpoint(caller, receiver.url("/ok"))
    for _ in range(3):
        caller.post(f"/webhooks/{made['id']}/test")
    seen: list[str] = []
    query: dict[str, Any] = {"endpoint_id": made["id"], "event_type": "webhook.test", "limit": 2}
    while True:
        page = caller.get("/webhooks/deliveries", params=query).json()
        seen += [each["id"] for each in page["data"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert len(set(seen)) == 3
    assert seen == sorted(seen, reverse=True)
    assert deliveries_of(caller, made["id"], event_type="key.created") == []
    assert deliveries_of(caller, UNKNOWN) == []


def test_every_event_type_is_shown_with_a_schema_that_its_example_fits(caller: httpx.Client) -> None:
    shown = caller.get("/webhooks/event-types").json()["data"]
    assert {"key.created", "webhook.test", "billing.budget_exhausted"} <= {each["type"] for each in shown}
    for each in shown:
        jsonschema_rs.validator_for(each["schema"]).validate(each["example"])
        assert each["example"]["type"] == each["type"]


@pytest.mark.parametrize("path", ["", "/rotate-secret", "/test", "/replay"])
def test_an_endpoint_that_is_not_there_is_not_found(
    caller: httpx.Client, receiver: Receiver, path: str
) -> None:
    if path:
        body = {"since": "2026-01-01T00:00:00Z"} if path == "/replay" else None
        refused(caller.post(f"/webhooks/{UNKNOWN}{path}", json=body), "not_found")
    else:
        refused(caller.patch(f"/webhooks/{UNKNOWN}", json={"disabled": True}), "not_found")
    refused(caller.post("/webhooks/deliveries/dlv_0000000000000000000000/replay"), "not_found")
