"""What an attacker tries: a dead key, another's id, a right that was taken back, two requests at once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from innoai.access.scopes import ADMIN_FULL
from tests.contract.clients import bearer, create_key, mint
from tests.support.envelope import refused
from tests.support.server import MODEL
from tests.support.settings import settings
from tests.support.store import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import Server

FEW_FAILURES = 5
MONTH = 30 * 86_400
SMALL = {"default_rate_limit": 1000, "max_rate_limit": 1000, "max_keys": 2, "max_token_lifetime": 600}
ECHO = {MODEL: [{"base_url": "echo:"}]}
PAST = "2001-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def own(new_server: Callable[..., Server]) -> Server:
    return new_server(settings(ECHO, {"tiers.small": SMALL}))


def accounts(server: Server, *arguments: str) -> dict[str, Any]:
    ended = server.cli("accounts", *arguments, "--json")
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def client_of(server: Server, key: str) -> httpx.Client:
    return httpx.Client(base_url=server.base_url, headers=bearer(key), timeout=30)


@pytest.fixture
def small(own: Server) -> Iterator[httpx.Client]:
    """A new account's first key, in a tier with room for one key more."""
    with client_of(own, accounts(own, "create", "--name", "Small", "--tier", "small")["api_key"]) as client:
        yield client


def changes_in(server: Server) -> int:
    ((head,),) = rows_of(server, "SELECT sequence FROM feed_head")
    return int(head)


def live_keys(client: httpx.Client) -> int:
    return len(client.get("/keys", params={"status": "active", "limit": 100}).json()["data"])


# What a dead or guessed credential may still cause.


def test_a_revoked_key_writes_nothing_any_more(own: Server) -> None:
    with client_of(own, own.admin_key) as admin:
        key = create_key(admin)["key"]
        assert httpx.post(f"{own.base_url}/auth/revoke", json={"token": key}).json() == {}
        before = changes_in(own)
        assert httpx.post(f"{own.base_url}/auth/revoke", json={"token": key}).json() == {}
    assert changes_in(own) == before


def test_guessing_by_revoking_is_refused_before_the_store_is_asked(new_server: Callable[..., Server]) -> None:
    server = new_server(settings(ECHO, {"limits": {"failed_auth": FEW_FAILURES}}))
    with client_of(server, server.admin_key) as admin:
        victim = create_key(admin)["key"]
    with httpx.Client(base_url=server.base_url) as guesser:
        for _ in range(FEW_FAILURES):
            assert guesser.post("/auth/revoke", json={"token": "a guess"}).status_code == 200
        refused(guesser.post("/auth/revoke", json={"token": victim}), "rate_limit_exceeded")


def test_a_refused_mint_creates_no_customer(admin: httpx.Client) -> None:
    key = create_key(admin)["key"]
    asked = {"customer_id": "never-came", "scopes": [ADMIN_FULL]}
    refused(admin.post("/auth/token", json=asked, headers=bearer(key)), "insufficient_permissions")
    refused(admin.get("/customers/never-came"), "not_found")


# What others may learn.


def test_an_explanation_tells_anothers_key_and_no_key_alike(own: Server, small: httpx.Client) -> None:
    with client_of(own, own.admin_key) as admin:
        theirs = create_key(admin)["id"]
    asked = {"method": "GET", "path": "/v1/models"}
    unknown = f"key_{'0' * 22}"
    answers = [small.post("/auth/explain", json={**asked, "key": key}).json() for key in (theirs, unknown)]
    assert answers[0] == answers[1]


# What outlives a right that was taken back.


def test_a_credential_tells_no_scope_that_its_key_has_lost(admin: httpx.Client, anyone: httpx.Client) -> None:
    key = create_key(admin, level="delete")
    pair = mint(anyone, key["key"])
    admin.patch(f"/keys/{key['id']}", json={"scopes": ["inference:read"]}).raise_for_status()
    shown = anyone.get("/auth/validate", headers=bearer(pair["access_token"])).json()
    assert shown["scopes"] == ["inference:read"]
    for token in (pair["access_token"], pair["refresh_token"]):
        introspected = admin.post("/auth/introspect", json={"token": token}).json()
        assert introspected["scope"] == "inference:read"


def test_a_refreshed_token_lives_no_longer_than_the_tier_now_allows(own: Server) -> None:
    account = accounts(own, "create", "--name", "Lowered", "--tier", "business")
    with client_of(own, account["api_key"]) as client:
        pair = mint(client, account["api_key"], expires_in=86_400)
        accounts(own, "set-tier", account["id"], "small")
        while client.get("/auth/validate").json()["tier"] != "small":
            pass
        refreshed = client.post("/auth/refresh", json={"refresh_token": pair["refresh_token"]}).json()
    assert refreshed["expires_in"] == SMALL["max_token_lifetime"]


# What a tier bounds, whichever way is taken.


def test_rotating_again_and_again_makes_no_more_than_one_key_beside_each(small: httpx.Client) -> None:
    key = create_key(small)
    most = 2 * int(SMALL["max_keys"])
    while live_keys(small) < most:
        key = small.post(f"/keys/{key['id']}/rotate", json={"overlap": MONTH}).json()
    refused(small.post(f"/keys/{key['id']}/rotate", json={"overlap": MONTH}), "conflict")
    assert live_keys(small) == most


def test_an_expired_key_is_not_revived_beyond_the_tiers_room(small: httpx.Client) -> None:
    sleeping = create_key(small)["id"]
    small.patch(f"/keys/{sleeping}", json={"expires_at": PAST}).raise_for_status()
    create_key(small)
    refused(small.patch(f"/keys/{sleeping}", json={"expires_at": None}), "conflict")
    assert live_keys(small) == SMALL["max_keys"]


def test_a_rotated_key_is_kept_beyond_its_overlap_only_where_there_is_room(small: httpx.Client) -> None:
    key = create_key(small)
    successor = small.post(f"/keys/{key['id']}/rotate").json()
    refused(small.patch(f"/keys/{key['id']}", json={"expires_at": None}), "conflict")
    small.patch(f"/keys/{key['id']}", json={"name": "Still leaving"}).raise_for_status()
    small.delete(f"/keys/{successor['id']}").raise_for_status()
    small.patch(f"/keys/{key['id']}", json={"expires_at": None}).raise_for_status()


# What is asked for with care gives no more than was asked for.


def test_a_key_is_rotated_once_and_its_successor_lives_as_long_as_it_would_have(admin: httpx.Client) -> None:
    """A second successor would have the end that the first rotation set."""
    key = create_key(admin)
    successor = admin.post(f"/keys/{key['id']}/rotate", json={"overlap": 5}).json()
    assert successor["expires_at"] is None
    again = refused(admin.post(f"/keys/{key['id']}/rotate", json={}), "conflict")
    assert successor["id"] in again["message"]
    assert admin.post(f"/keys/{successor['id']}/rotate", json={}).json()["expires_at"] is None


def test_who_asks_for_no_rights_gets_no_key(admin: httpx.Client) -> None:
    assert (
        refused(admin.post("/keys", json={"name": "x", "scopes": []}), "invalid_request")["param"] == "scopes"
    )


def test_a_key_whose_limit_is_spent_still_ends_itself(admin: httpx.Client, anyone: httpx.Client) -> None:
    key = create_key(admin, rate_limit=1)
    headers = bearer(key["key"])
    assert anyone.get("/auth/validate", headers=headers).status_code == 200
    refused(anyone.get("/auth/validate", headers=headers), "rate_limit_exceeded")
    assert anyone.delete(f"/keys/{key['id']}", headers=headers).status_code == 204
    refused(anyone.get("/auth/validate", headers=headers), "invalid_api_key")


@pytest.mark.parametrize(
    ("path", "meant"),
    [("//v1/chat/completions", "/v1/chat/completions"), ("/keys", "/v1/keys"), ("//keys", "/v1/keys")],
)
def test_a_base_url_that_is_a_little_wrong_is_told(server: Server, path: str, meant: str) -> None:
    answer = httpx.post(server.base_url.removesuffix("/v1") + path, json={}, headers=bearer(server.admin_key))
    assert f"{meant} may be meant" in refused(answer, "not_found")["message"]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=B"]
)
def test_a_body_that_is_no_json_is_told_apart_from_broken_json(
    anyone: httpx.Client, content_type: str
) -> None:
    headers = {"content-type": content_type}
    answer = anyone.post("/auth/token", content=b"api_key=x&customer_id=c", headers=headers)
    assert "Send application/json" in refused(answer, "unsupported_media_type")["message"]


def test_a_token_is_minted_with_the_key_in_the_header_and_no_body(admin: httpx.Client) -> None:
    assert admin.post("/auth/token").json()["token_type"] == "Bearer"


# What hides in a name.


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/customers", {"customer_id": "acme\n"}),
        ("/keys", {"name": "A key", "customer_id": "acme\n"}),
        ("/auth/token", {"customer_id": "acme\n"}),
        ("/keys", {"name": "A key\n"}),
        ("/keys", {"name": "A key", "models": ["model\n"]}),
        ("/customers", {"customer_id": "acme", "metadata": {"plan\n": "free"}}),
    ],
)
def test_a_line_feed_at_the_end_is_a_control_character_as_well(
    admin: httpx.Client, path: str, body: dict[str, Any]
) -> None:
    refused(admin.post(path, json=body), "invalid_request")


# What Postgres answers where SQLite shrugs.


@pytest.fixture(scope="module")
def on_postgres(
    new_server: Callable[..., Server], new_postgres: Callable[[str | None], str]
) -> Iterator[httpx.Client]:
    server = new_server(settings(ECHO, {"store": {"url": new_postgres(None)}}))
    with client_of(server, server.admin_key) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/keys/key_%00"),
        ("DELETE", "/keys/%00"),
        ("PATCH", "/keys/%00"),
        ("POST", "/keys/%00/rotate"),
        ("GET", "/customers/%00"),
        ("PATCH", "/customers/a%00b"),
        ("DELETE", "/customers/a%00b"),
    ],
)
def test_an_id_with_a_nul_in_it_is_not_found(on_postgres: httpx.Client, method: str, path: str) -> None:
    refused(on_postgres.request(method, path, json={}), "not_found")


def test_an_id_with_a_nul_in_it_is_explained_as_no_key(on_postgres: httpx.Client) -> None:
    asked = {"key": "key_\0", "method": "GET", "path": "/v1/models"}
    answer = on_postgres.post("/auth/explain", json=asked)
    assert answer.status_code == 200, answer.text
    assert answer.json()["code"] == "invalid_api_key"


def test_of_rotations_at_once_one_is_made_with_the_overlap_that_it_asked_for(
    on_postgres: httpx.Client,
) -> None:
    with ThreadPoolExecutor() as pool:
        for _ in range(10):
            key = create_key(on_postgres)["id"]

            def rotate(overlap: int, key_id: str = key) -> int:
                body = {"overlap": overlap}
                return on_postgres.post(f"/keys/{key_id}/rotate", json=body).status_code

            answers = list(pool.map(rotate, (MONTH, 0, MONTH, MONTH)))
            assert sorted(answers) == [201, 409, 409, 409]
            ended = answers[1] == 201
            assert (on_postgres.get(f"/keys/{key}").json()["status"] == "expired") is ended


def test_making_and_rotating_keys_at_once_blocks_nobody(on_postgres: httpx.Client) -> None:
    key = create_key(on_postgres)["id"]
    calls = [("/keys", {"name": "Beside it"}), (f"/keys/{key}/rotate", {"overlap": MONTH})] * 10
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda call: on_postgres.post(call[0], json=call[1]).status_code, calls))
    assert set(answers[::2]) == {201}
    assert sorted(answers[1::2]) == [201] + [409] * 9


def test_deleting_a_customer_and_changing_its_keys_at_once_blocks_nobody(on_postgres: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            keys = [create_key(on_postgres, customer_id="leaving")["id"] for _ in range(6)]
            calls = [("PATCH", f"/keys/{key}", {"name": "Changed"}) for key in reversed(keys)]
            calls.insert(1, ("DELETE", "/customers/leaving", {}))
            answers = pool.map(
                lambda call: on_postgres.request(call[0], call[1], json=call[2]).status_code, calls
            )
            assert set(answers) <= {200, 204, 409}
