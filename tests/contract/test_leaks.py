"""Keys that stand where they should not: found in a text, on record, revoked if that is wanted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx

from innoai.access.keys import mint
from tests.contract.clients import bearer, create_key
from tests.support.envelope import refused

if TYPE_CHECKING:
    from tests.support.server import Server


def test_a_leaked_key_is_found_put_on_record_and_revoked(server: Server, admin: httpx.Client) -> None:
    made = create_key(admin, name="In a build log")
    text = f"$ curl -H 'Authorization: Bearer {made['key']}'\n{mint(b'?' * 32)} {made['key']}"
    first = admin.post("/keys/leaks", json={"text": text, "source": "build 7"}).json()
    assert ([key["id"] for key in first["keys"]], first["others"]) == ([made["id"]], 1)
    assert first["keys"][0]["status"] == "active"
    assert httpx.get(f"{server.base_url}/auth/validate", headers=bearer(made["key"])).status_code == 200
    second = admin.post("/keys/leaks", json={"text": text, "revoke": True}).json()
    assert second["keys"][0]["status"] == "revoked"
    refused(httpx.get(f"{server.base_url}/auth/validate", headers=bearer(made["key"])), "invalid_api_key")
    log = admin.get("/audit", params={"target_id": made["id"]}).json()["data"]
    assert [(entry["action"], (entry["after"] or {}).get("source")) for entry in reversed(log)] == [
        ("key.created", None),
        ("key.leak_reported", "build 7"),
        ("key.leak_reported", None),
        ("key.revoked", None),
    ]


def test_the_report_of_a_revoked_key_says_so_and_revokes_nothing(admin: httpx.Client) -> None:
    made = create_key(admin)
    assert admin.delete(f"/keys/{made['id']}").status_code == 204
    report = admin.post("/keys/leaks", json={"text": made["key"], "revoke": True}).json()
    assert [key["status"] for key in report["keys"]] == ["revoked"]
    log = admin.get("/audit", params={"target_id": made["id"], "action": "key.revoked"}).json()["data"]
    assert len(log) == 1


def test_keys_are_shown_in_the_order_of_the_text_and_each_leak_stands_before_its_end(
    admin: httpx.Client,
) -> None:
    made = [create_key(admin) for _ in range(3)]
    text = " ".join(key["key"] for key in reversed(made))
    report = admin.post("/keys/leaks", json={"text": text, "revoke": True}).json()
    assert [key["id"] for key in report["keys"]] == [key["id"] for key in reversed(made)]
    assert {key["status"] for key in report["keys"]} == {"revoked"}
    for key in made:
        log = admin.get("/audit", params={"target_id": key["id"]}).json()["data"]
        actions = [entry["action"] for entry in reversed(log)]
        assert actions == ["key.created", "key.leak_reported", "key.revoked"]


def test_another_accounts_key_is_neither_shown_nor_touched(server: Server, admin: httpx.Client) -> None:
    ended = server.cli("accounts", "create", "--name", "Neighbour", "--json")
    theirs = json.loads(ended.stdout)["api_key"]
    report = admin.post("/keys/leaks", json={"text": theirs, "revoke": True}).json()
    assert report == {"object": "leak_report", "keys": [], "others": 1}
    assert httpx.get(f"{server.base_url}/auth/validate", headers=bearer(theirs)).status_code == 200


def test_a_text_without_keys_and_one_that_is_too_long(admin: httpx.Client) -> None:
    assert admin.post("/keys/leaks", json={"text": "sk-inno-"}).json()["keys"] == []
    refused(admin.post("/keys/leaks", json={"text": "x" * 262_145}), "invalid_request")
    refused(admin.post("/keys/leaks", json={"text": ""}), "invalid_request")
