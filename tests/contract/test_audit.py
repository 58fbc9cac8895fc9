"""The audit log of real servers: what is done is in it once, with who, from where and in which request."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from innoai.access.routes import INFERENCE_POSTS, ROUTES
from innoai.access.scopes import ADMIN_FULL
from innoai.events.actions import ACTIONS
from tests.contract.clients import bearer, create_key, mint
from tests.contract.walks import CALLS, HOME, Subject, Walker
from tests.support.chain import first_broken
from tests.support.envelope import refused
from tests.support.server import MODEL
from tests.support.settings import settings
from tests.support.store import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from innoai.access.routes import Route
    from tests.support.server import Server
    from tests.support.upstream import Upstream

PROXIED = {"trusted_proxies": ["127.0.0.1/32"]}
PATIENCE = 10.0
FEW_FAILURES = 5
WRITERS = 8
CHANGES_EACH = 4
BRONZE = {"default_rate_limit": 60, "max_rate_limit": 60, "features": ["webhooks"]}
SECRETS = re.compile(r"sk-inno-[0-9A-Za-z]{5}|whsec_|\beyJ[0-9A-Za-z_-]{10}|invite=|innoai-secret")
READING_POSTS = {
    *INFERENCE_POSTS,
    "/v1/auth/token",
    "/v1/auth/refresh",
    "/v1/auth/introspect",
    "/v1/auth/explain",
    "/v1/keys/{key_id}/preview",
    # It writes what it finds: test_leaks.py.
    "/v1/keys/leaks",
}


@pytest.fixture(scope="module")
def own(new_server: Callable[..., Server], upstream: Upstream) -> Server:
    models = {MODEL: [{"base_url": upstream.base_url()}]}
    return new_server(settings(models, {"server": PROXIED, "tiers.bronze": BRONZE}))


@pytest.fixture(scope="module")
def walker(own: Server) -> Iterator[Walker]:
    walker = Walker(own)
    yield walker
    walker.close()


@pytest.fixture
def admin(own: Server) -> Iterator[httpx.Client]:
    headers = {**bearer(own.admin_key), "x-forwarded-for": HOME}
    with httpx.Client(base_url=own.base_url, headers=headers, timeout=30) as client:
        yield client


def entries(admin: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    answer = admin.get("/audit", params={"limit": 100, **query})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def left_by(admin: httpx.Client, answer: httpx.Response) -> list[dict[str, Any]]:
    """The entries of the request that got this answer, oldest first."""
    assert answer.is_success, answer.text
    request_id = answer.headers["x-request-id"]
    return [entry for entry in reversed(entries(admin)) if entry["request_id"] == request_id]


def head_of(admin: httpx.Client) -> int:
    sequence: int = admin.get("/audit", params={"limit": 1}).json()["head"]["sequence"]
    return sequence


def export(admin: httpx.Client, **query: Any) -> list[str]:
    answer = admin.get("/audit", params={"format": "jsonl", **query})
    assert answer.headers["content-type"].startswith("application/jsonl")
    return answer.text.splitlines()


def awaited(admin: httpx.Client, action: str, number: int) -> list[dict[str, Any]]:
    """The entries of an action, once there are so many."""
    until = time.monotonic() + PATIENCE
    while len(found := entries(admin, action=action)) < number:
        assert time.monotonic() < until, f"{len(found)} of {action}"
    return found


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_each_mutation_leaves_its_entry_and_nothing_else_does(
    walker: Walker, admin: httpx.Client, route: Route
) -> None:
    made = create_key(walker.admin, scopes=[ADMIN_FULL])
    pair = mint(walker.admin, made["key"], scopes=[ADMIN_FULL])
    token = walker.admin.post("/auth/introspect", json={"token": pair["access_token"]}).json()
    actors = {
        made["key"]: {"kind": "key", "id": made["id"]},
        pair["access_token"]: {"kind": "token", "id": token["jti"]},
    }
    if route.path == "/v1/auth/token":
        del actors[pair["access_token"]]
    for credential, actor in actors.items():
        left = left_by(admin, walker.walk(route, credential))
        assert [entry["action"] for entry in left] == list(CALLS[route.method, route.path].leaves)
        for entry in left:
            assert entry["actor"] == actor | {"key_id": made["id"], "customer_id": None}
            assert entry["address"] == HOME
            assert entry["action"] in ACTIONS


def test_every_route_that_writes_is_expected_to_leave_something() -> None:
    writing = {
        (route.method, route.path)
        for route in ROUTES
        if route.method != "GET" and route.path not in READING_POSTS
    }
    assert {route for route, call in CALLS.items() if call.leaves} == writing


def test_before_and_after_are_what_the_api_shows(admin: httpx.Client) -> None:
    made = create_key(admin, "Before")
    del made["key"]
    answer = admin.patch(f"/keys/{made['id']}", json={"name": "After", "budgets": {"total": "1.50"}})
    (entry,) = left_by(admin, answer)
    assert (entry["before"], entry["after"]) == (made, answer.json())
    assert entry["target_id"] == made["id"]
    (created,) = entries(admin, action="key.created", target_id=made["id"])
    assert (created["before"], created["after"]) == (None, made)


@pytest.mark.parametrize("action", ["key.creatd", "nope.*", "typo"])
def test_an_action_that_there_is_not_is_refused(admin: httpx.Client, action: str) -> None:
    """It would read as one that never happened."""
    error = refused(admin.get("/audit", params={"action": action}), "invalid_request")
    assert (error["param"], action in error["message"]) == ("action", True)


def test_a_rotation_records_both_keys(admin: httpx.Client) -> None:
    made = create_key(admin, budgets={"monthly": "5"})
    answer = admin.post(f"/keys/{made['id']}/rotate", json={})
    (entry,) = left_by(admin, answer)
    successor = answer.json()
    del successor["key"]
    shown = admin.get(f"/keys/{made['id']}").json()
    # How often it was used is no part of the key, and is not on record.
    del shown["requests_this_month"]
    assert entry["before"] == shown | {"expires_at": None, "rotated_to": None}
    assert entry["after"] == {"key": shown, "successor": successor}
    assert (shown["rotated_to"], successor["rotated_from"]) == (successor["id"], shown["id"])
    assert successor["budgets"] == {"monthly": "5", "total": None}


def test_deleting_a_customer_records_each_key_that_ends_with_it(admin: httpx.Client) -> None:
    keys = [create_key(admin, customer_id="leaving")["id"] for _ in range(2)]
    customer = admin.get("/customers/leaving").json()
    left = left_by(admin, admin.delete("/customers/leaving"))
    assert [entry["action"] for entry in left] == ["key.revoked", "key.revoked", "customer.deleted"]
    assert sorted(entry["target_id"] for entry in left[:2]) == sorted(keys)
    assert [(entry["before"]["status"], entry["after"]["status"]) for entry in left[:2]] == [
        ("active", "revoked"),
        ("active", "revoked"),
    ]
    assert (left[2]["before"], left[2]["after"]) == (customer, None)


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/keys/{key_id}", {}),
        ("/keys/{key_id}", {"name": "A test's key", "allowed_ips": [], "models": None, "expires_at": None}),
        ("/keys/{key_id}", {"scopes": ["inference:write", "inference:read"], "budgets": {"total": None}}),
        ("/customers/{customer_id}", {}),
        ("/customers/{customer_id}", {"name": None, "metadata": {}, "disabled": False, "rate_limit": None}),
        ("/customers/{customer_id}", {"budgets": {"monthly": None}}),
        ("/members/{member_id}", {"role": "developer", "name": None}),
    ],
)
def test_a_change_that_changes_nothing_leaves_nothing(
    admin: httpx.Client, path: str, change: dict[str, Any]
) -> None:
    path = path.format_map(Subject(admin))
    before = admin.get(path).json()
    assert left_by(admin, admin.patch(path, json=change)) == []
    after = admin.get(path).json()
    # That the key has minted tokens a moment ago is noted when there is time for it.
    assert {**after, "last_used_at": None} == {**before, "last_used_at": None}


def test_revoking_twice_leaves_one_entry(admin: httpx.Client) -> None:
    made = create_key(admin)
    assert len(left_by(admin, admin.delete(f"/keys/{made['id']}"))) == 1
    assert left_by(admin, admin.delete(f"/keys/{made['id']}")) == []


def test_a_create_that_is_sent_twice_leaves_one_entry(admin: httpx.Client) -> None:
    for path, body in (
        ("/keys", {"name": "Once"}),
        ("/customers", {"customer_id": "once"}),
        ("/members", {"email": "once@example.com"}),
    ):
        answers = [
            admin.post(path, json=body, headers={"idempotency-key": f"once {path}".replace(" ", "-")})
            for _ in range(2)
        ]
        assert [len(left_by(admin, answer)) for answer in answers] == [1, 0]


def test_what_is_refused_leaves_nothing(admin: httpx.Client) -> None:
    customer_id = Subject(admin)["customer_id"]
    revoked = create_key(admin)["id"]
    admin.delete(f"/keys/{revoked}").raise_for_status()
    head = head_of(admin)
    refused(admin.patch(f"/keys/{revoked}", json={"name": "Too late"}), "conflict")
    refused(admin.post(f"/keys/{revoked}/rotate", json={}), "conflict")
    refused(admin.delete("/keys/key_" + "0" * 22), "not_found")
    refused(admin.post("/customers", json={"customer_id": customer_id}), "conflict")
    refused(admin.delete("/customers/nobody"), "not_found")
    refused(admin.patch(f"/customers/{customer_id}", json={"name": ""}), "invalid_request")
    assert head_of(admin) == head


def test_a_customer_is_on_record_who_is_created_by_its_first_token(own: Server, admin: httpx.Client) -> None:
    made = create_key(admin)
    answer = httpx.post(
        f"{own.base_url}/auth/token", json={"api_key": made["key"], "customer_id": "first-seen"}
    )
    (entry,) = left_by(admin, answer)
    assert (entry["action"], entry["actor"]["id"]) == ("customer.created", made["id"])
    assert entry["address"] == "127.0.0.1"
    again = httpx.post(
        f"{own.base_url}/auth/token", json={"api_key": made["key"], "customer_id": "first-seen"}
    )
    assert left_by(admin, again) == []


def test_a_customers_own_credential_is_shown_as_such(own: Server, admin: httpx.Client) -> None:
    key = create_key(admin, customer_id="acting", scopes=["customers:write"])
    token = mint(admin, key["key"], scopes=["customers:write"])["access_token"]
    answer = admin.patch("/customers/acting", json={"name": "Self-made"}, headers=bearer(token))
    (entry,) = left_by(admin, answer)
    assert (entry["actor"]["kind"], entry["actor"]["customer_id"]) == ("token", "acting")
    assert entry["actor"]["key_id"] == key["id"]
    assert [found["id"] for found in entries(admin, actor_id=key["id"])] == [entry["id"]]
    assert [found["id"] for found in entries(admin, actor_id=entry["actor"]["id"])] == [entry["id"]]


@pytest.mark.parametrize("what", ["key", "access_token", "refresh_token"])
def test_whoever_revokes_what_it_holds_is_on_record(own: Server, admin: httpx.Client, what: str) -> None:
    key = create_key(admin)
    credential = (key | mint(admin, key["key"]))[what]
    answer = httpx.post(f"{own.base_url}/auth/revoke", json={"token": credential})
    (entry,) = left_by(admin, answer)
    action = {"key": "key", "access_token": "token", "refresh_token": "token.family"}[what]
    action = f"{action}_revoked" if "." in action else f"{action}.revoked"
    assert (entry["action"], entry["actor"]["key_id"]) == (action, key["id"])
    assert left_by(admin, httpx.post(f"{own.base_url}/auth/revoke", json={"token": credential})) == []


def test_a_refresh_token_that_is_used_again_is_on_record_once(own: Server, admin: httpx.Client) -> None:
    key = create_key(admin)
    first = mint(admin, key["key"], rotate=True)["refresh_token"]
    refresh = f"{own.base_url}/auth/refresh"
    second = httpx.post(refresh, json={"refresh_token": first}).json()["refresh_token"]
    httpx.post(refresh, json={"refresh_token": second}).raise_for_status()
    for _ in range(2):
        refused(httpx.post(refresh, json={"refresh_token": first}), "invalid_api_key")
    (entry,) = entries(admin, action="token.reuse_detected")
    assert entry["actor"]["key_id"] == key["id"]
    assert entry["after"] == {"key_id": key["id"], "customer_id": None, "family_id": entry["target_id"]}
    assert published(own, "token.reuse_detected")[-1]["data"] == entry["after"]


def published(own: Server, kind: str) -> list[dict[str, Any]]:
    """The events of a type, as their bodies are in the outbox."""
    rows = rows_of(own, "SELECT body FROM events WHERE type = ? ORDER BY id", kind)
    return [json.loads(body) for (body,) in rows]


def test_an_event_says_what_the_entry_says(own: Server, admin: httpx.Client) -> None:
    made = create_key(admin, customer_id="told")
    admin.patch(f"/keys/{made['id']}", json={"rate_limit": 7}).raise_for_status()
    admin.post(f"/keys/{made['id']}/rotate", json={}).raise_for_status()
    admin.patch("/customers/told", json={"metadata": {"2": "b", "1": "a"}}).raise_for_status()
    admin.delete("/customers/told").raise_for_status()
    for action in (
        "key.created", "key.updated", "key.rotated", "key.revoked",
        "customer.created", "customer.updated", "customer.deleted",
    ):  # fmt: skip
        entry = entries(admin, action=action)[0]
        assert published(own, action)[-1]["data"] == (entry["after"] or entry["before"])


def test_no_entry_holds_a_secret(walker: Walker, admin: httpx.Client) -> None:
    for route in ROUTES:
        if CALLS[route.method, route.path].leaves:
            assert walker.walk(route, walker.key(scopes=[ADMIN_FULL])).is_success
    lines = export(admin)
    assert len(lines) > len(CALLS)
    assert [line for line in lines if SECRETS.search(line)] == []


def test_pages_show_everything_newest_first(admin: httpx.Client) -> None:
    for number in range(12):
        create_key(admin, f"Paged {number}")
    head = admin.get("/audit").json()["head"]
    seen: list[int] = []
    cursor: str | None = str(head["sequence"] + 1)
    while cursor:
        page = admin.get("/audit", params={"limit": 3, "cursor": cursor}).json()
        seen += [entry["sequence"] for entry in page["data"]]
        cursor = page["next_cursor"] if len(seen) < 12 else None
    assert seen == list(range(head["sequence"], head["sequence"] - 12, -1))


def test_filters_narrow_pages_and_exports_alike(admin: httpx.Client) -> None:
    made = create_key(admin)
    admin.delete(f"/keys/{made['id']}").raise_for_status()
    created, revoked = reversed(entries(admin, target_id=made["id"]))
    query = {"action": "key.*", "target_id": made["id"], "from": created["at"]}
    assert entries(admin, **query) == [revoked, created]
    assert [json.loads(line) for line in export(admin, **query)] == [created, revoked]
    assert entries(admin, target_id=made["id"], action="key.revoked") == [revoked]
    assert entries(admin, target_id=made["id"], to=created["at"]) == []
    assert entries(admin, target_id=made["id"], to="2020-01-01") == []
    assert entries(admin, target_id=made["id"], **{"from": "2020-01-01"}) == [revoked, created]
    assert entries(admin, target_id=made["id"], action="customer.*") == []


@pytest.mark.parametrize(
    "query",
    [
        {"from": "yesterday"},
        {"from": "2026-11-25T00:00:00"},
        {"cursor": "x"},
        {"cursor": "0"},
        {"limit": 101},
        {"format": "xml"},
        {"action": "key*"},
        {"action": "KEY.created"},
        {"actor_id": "a b"},
        {"target_id": "\0"},
    ],
    ids=str,
)
def test_a_query_that_makes_no_sense_is_refused_by_name(admin: httpx.Client, query: dict[str, Any]) -> None:
    error = refused(admin.get("/audit", params=query), "invalid_request")
    assert error["param"] == next(iter(query))


def test_the_whole_log_is_one_chain_up_to_its_head(admin: httpx.Client) -> None:
    head = admin.get("/audit").json()["head"]
    assert first_broken(export(admin)[: head["sequence"]], head) is None


def test_the_command_finds_the_log_whole(own: Server) -> None:
    ended = own.cli("audit", "verify")
    assert ended.returncode == 0, ended.stderr


@pytest.fixture(params=["sqlite", "postgres"])
def replicas(
    request: pytest.FixtureRequest,
    new_server: Callable[..., Server],
    new_replica: Callable[[Server], Server],
    new_postgres: Callable[[str | None], str],
) -> tuple[Server, Server]:
    store = {"store": {"url": new_postgres(None)}} if request.param == "postgres" else {}
    first = new_server(settings({MODEL: [{"base_url": "echo:"}]}, {**store, "server": PROXIED}))
    return first, new_replica(first)


def test_replicas_where_everything_changes_at_once_keep_one_chain(replicas: tuple[Server, Server]) -> None:
    """Nobody waits for ever for somebody who waits for him, either."""
    first, second = replicas

    def change_everything(number: int) -> None:
        server = replicas[number % 2]
        with httpx.Client(base_url=server.base_url, headers=bearer(first.admin_key), timeout=60) as client:
            for turn in range(CHANGES_EACH):
                shared = f"shared-{turn}"
                hook = {"url": "https://hooks.example.com/", "event_types": [("*", "key.*")[number % 2]]}
                endpoint = done(client.post("/webhooks", json=hook))
                key = done(client.post("/keys", json={"name": "A", "customer_id": shared}))
                done(client.patch(f"/keys/{key['id']}", json={"budgets": {"total": 5}, "name": "B"}), 409)
                done(client.patch(f"/keys/{key['id']}", json={"budgets": {"total": 6}}), 409)
                done(client.patch("/billing/settings", json={"budgets": {"monthly": 1000 + number}}))
                done(client.patch(f"/customers/{shared}", json={"budgets": {"monthly": number}}), 404)
                done(client.get("/auth/validate", headers=bearer(key["key"])), 401)
                done(client.post(f"/keys/{key['id']}/rotate", json={}), 409)
                done(client.patch(f"/webhooks/{endpoint['id']}", json={"description": "B"}))
                done(client.delete(f"/customers/{shared}"), 404)
                done(client.delete(f"/webhooks/{endpoint['id']}"))

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(change_everything, range(WRITERS)))
    with httpx.Client(base_url=second.base_url, headers=bearer(first.admin_key), timeout=60) as admin:
        head = admin.get("/audit").json()["head"]
        assert head["sequence"] > 7 * WRITERS * CHANGES_EACH
        assert first_broken(export(admin)[: head["sequence"]], head) is None


def done(answer: httpx.Response, otherwise: int = 200) -> Any:
    """The answer to what succeeds, or is refused since somebody else was faster."""
    assert answer.is_success or answer.status_code == otherwise, answer.text
    return answer.json() if answer.content else None


def test_a_log_is_its_accounts_own(own: Server, admin: httpx.Client) -> None:
    made = operator(own, "create", "--name", "Another", "--tier", "startup")
    with httpx.Client(base_url=own.base_url, headers=bearer(made["api_key"])) as other:
        shown = entries(other)
        assert [(entry["action"], entry["actor"]["kind"]) for entry in shown] == [
            ("key.created", "operator"),
            ("account.created", "operator"),
        ]
        assert shown[1]["target_id"] == made["id"]
        assert first_broken(export(other), other.get("/audit").json()["head"]) is None
    assert entries(admin, target_id=made["id"]) == []


def operator(own: Server, *arguments: str) -> dict[str, Any]:
    ended = own.cli("accounts", *arguments, "--json")
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def test_the_operators_doings_are_on_record_once(own: Server) -> None:
    made = operator(own, "create", "--name", "Moved", "--tier", "startup")
    for _ in range(2):
        operator(own, "set-tier", made["id"], "business")
        operator(own, "disable", made["id"])
    for _ in range(2):
        operator(own, "enable", made["id"])
    with httpx.Client(base_url=own.base_url, headers=bearer(made["api_key"])) as client:
        until = time.monotonic() + PATIENCE
        while client.get("/auth/validate").status_code != 200:
            assert time.monotonic() < until
        enabled, disabled, moved, *_ = entries(client)
    assert [entry["action"] for entry in (moved, disabled, enabled)] == [
        "tier.changed",
        "account.disabled",
        "account.enabled",
    ]
    assert (moved["before"]["tier"], moved["after"]["tier"]) == ("startup", "business")
    assert (disabled["before"]["disabled"], disabled["after"]["disabled"]) == (False, True)
    assert [event["data"] for event in published(own, "tier.changed")] == [
        {"before": "startup", "after": "business"}
    ]


def test_a_new_signing_key_is_on_record_in_the_first_account(own: Server, admin: httpx.Client) -> None:
    ended = own.operator("rotate-signing-key")
    assert ended.returncode == 0, ended.stderr
    (entry,) = entries(admin, action="signing_key.rotated")
    assert entry["actor"]["kind"] == "operator"
    assert set(entry["after"]) == {"id", "algorithm", "ends_former"}
    assert entry["after"]["ends_former"] is False


def test_a_tier_without_the_log_does_not_show_it(own: Server) -> None:
    key = operator(own, "create", "--name", "Bronze", "--tier", "bronze")["api_key"]
    error = refused(httpx.get(f"{own.base_url}/audit", headers=bearer(key)), "insufficient_permissions")
    assert "audit" in error["message"]


def test_a_customers_own_credential_does_not_see_the_log(own: Server, admin: httpx.Client) -> None:
    key = create_key(admin, customer_id="curious", scopes=["customers:read"])["key"]
    refused(httpx.get(f"{own.base_url}/audit", headers=bearer(key)), "insufficient_permissions")


@pytest.fixture(scope="module")
def strict(new_server: Callable[..., Server]) -> Server:
    limits = {"failed_auth": FEW_FAILURES}
    return new_server(settings({MODEL: [{"base_url": "echo:"}]}, {"limits": limits, "server": PROXIED}))


def fail(server: Server, address: str, credential: str | None, times: int) -> None:
    headers = {"x-forwarded-for": address, **({} if credential is None else bearer(credential))}
    with httpx.Client(base_url=server.base_url, headers=headers) as client:
        for _ in range(times):
            assert client.get("/models").status_code in (401, 429)


def test_a_burst_of_failures_is_recorded_once_an_address(strict: Server) -> None:
    with httpx.Client(base_url=strict.base_url, headers=bearer(strict.admin_key)) as admin:
        fail(strict, "198.51.100.7", None, FEW_FAILURES - 1)
        fail(strict, "2001:db8::1", "a guess", 3 * FEW_FAILURES)
        fail(strict, "2001:db8::2", "another", 3 * FEW_FAILURES)
        awaited(admin, "auth.failed_burst", 1)
        fail(strict, "198.51.100.8", None, 3 * FEW_FAILURES)
        second, first = awaited(admin, "auth.failed_burst", 2)
        assert (first["address"], second["address"]) == ("2001:db8::1", "198.51.100.8")
        assert first["actor"] == {"kind": "anonymous", "id": None, "key_id": None, "customer_id": None}
        assert first["after"] == {"address": "2001:db8::1", "key_id": None, "limit": FEW_FAILURES}
        assert published(strict, "auth.failed_burst")[0]["data"] == first["after"]


def test_a_burst_with_a_known_key_is_recorded_for_its_account(strict: Server) -> None:
    made = operator(strict, "create", "--name", "Leaky", "--tier", "startup")
    with httpx.Client(base_url=strict.base_url, headers=bearer(made["api_key"])) as client:
        leaked = create_key(client)
        client.delete(f"/keys/{leaked['id']}").raise_for_status()
        fail(strict, "198.51.100.9", leaked["key"], 2 * FEW_FAILURES)
        (entry,) = awaited(client, "auth.failed_burst", 1)
    assert (entry["target_id"], entry["after"]["key_id"]) == (leaked["id"], leaked["id"])
