"""The operator's accounts: isolated from one another, bounded by tiers, changed while the server runs."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from innoai.access.routes import ROUTES
from tests.contract.clients import HELLO, bearer, create_key, mint
from tests.contract.walks import Subject, request_of
from tests.support.envelope import refused
from tests.support.server import MODEL
from tests.support.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from innoai.access.routes import Route
    from tests.support.server import Server

PROMISE = 1.0
"""Seconds within which a running server obeys the operator."""

GOLD = {"default_rate_limit": 5, "max_rate_limit": 10, "max_keys": 3, "models": [MODEL]}
ROUTES_WITH_IDS = [route for route in ROUTES if "{" in route.path.replace("{model}", "")]
ONES_OWN = {"/keys": 1, "/audit": 2}
"""How many objects an account has from the start: its first key, and what the log says of how it began."""


@pytest.fixture(scope="module")
def own(new_server: Callable[..., Server]) -> Server:
    models = {MODEL: [{"base_url": "echo:"}], "other-model": [{"base_url": "echo:"}]}
    return new_server(settings(models, {"tiers.gold": GOLD}))


class Account:
    """An account that the operator made, and a client with its first key."""

    def __init__(self, server: Server, name: str, tier: str) -> None:
        made = operator(server, "create", "--name", name, "--tier", tier)
        self.id: str = made["id"]
        self.key: str = made["api_key"]
        self.client = httpx.Client(base_url=server.base_url, headers=bearer(self.key), timeout=30)


def operator(server: Server, *arguments: str) -> dict[str, Any]:
    ended = server.cli("accounts", *arguments, "--json")
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def within_the_promise(holds: Callable[[], bool]) -> None:
    """Ask until it holds, for no longer than is promised."""
    until = time.monotonic() + PROMISE
    while not holds():
        assert time.monotonic() < until, "the running server has not obeyed in time"


@pytest.fixture
def accounts(own: Server) -> Iterator[Callable[..., Account]]:
    with ExitStack() as clients:

        def make(tier: str = "startup") -> Account:
            account = Account(own, "A test's account", tier)
            clients.enter_context(account.client)
            return account

        yield make


@pytest.fixture(scope="module")
def neighbours(own: Server) -> Iterator[tuple[Account, Account]]:
    """Two accounts: one that has nothing but its first key, and one that has something of everything."""
    mine, theirs = (Account(own, name, "enterprise") for name in ("Mine", "Theirs"))
    yield mine, theirs
    mine.client.close()
    theirs.client.close()


@pytest.mark.parametrize("route", ROUTES_WITH_IDS, ids=lambda route: f"{route.method} {route.path}")
def test_another_accounts_ids_are_not_found(neighbours: tuple[Account, Account], route: Route) -> None:
    mine, theirs = neighbours
    path, body = request_of(route, Subject(theirs.client))
    before = everything(theirs)
    refused(mine.client.request(route.method, path.removeprefix("/v1"), json=body), "not_found")
    assert everything(theirs) == before
    assert theirs.client.request(route.method, path.removeprefix("/v1"), json=body).is_success


def everything(account: Account) -> dict[str, Any]:
    """All that an account's lists show."""
    found = {}
    for path in ("/keys", "/customers", "/members", "/webhooks", "/audit"):
        answer = account.client.get(path)
        assert answer.status_code == 200, answer.text
        found[path] = [without_use(item) for item in answer.json()["data"]]
    return found


def without_use(item: dict[str, Any]) -> dict[str, Any]:
    """Without what changes as the server goes about its work."""
    return {name: value for name, value in item.items() if name not in ("last_used_at", "failing_since")}


@pytest.mark.parametrize(
    "path",
    ["/keys", "/customers", "/members", "/webhooks", "/webhooks/deliveries", "/audit", "/billing/usage",
     "/billing/statements"],
)  # fmt: skip
def test_lists_hold_ones_own_alone(neighbours: tuple[Account, Account], path: str) -> None:
    mine, theirs = neighbours
    subject = Subject(theirs.client).all_made()
    theirs.client.post("/chat/completions", json=HELLO).raise_for_status()
    data = mine.client.get(path).json()["data"]
    assert len(data) == ONES_OWN.get(path, 0)
    ids = [theirs.id, *(value for name, value in subject.items() if name.endswith("_id"))]
    assert [value for value in ids if value in json.dumps(data)] == []


def test_the_same_customer_id_means_another_customer_in_each_account(
    accounts: Callable[..., Account],
) -> None:
    made = [
        account.client.post("/customers", json={"customer_id": "the-same"}).json()["id"]
        for account in (accounts(), accounts())
    ]
    assert len(set(made)) == 2


def test_another_accounts_credentials_are_nothing_to_know_of(accounts: Callable[..., Account]) -> None:
    mine, theirs = accounts(), accounts()
    key = create_key(theirs.client)
    pair = mint(theirs.client, theirs.key)
    for credential in (key["key"], pair["access_token"], pair["refresh_token"]):
        assert mine.client.post("/auth/introspect", json={"token": credential}).json() == {"active": False}
    for credential in (key["id"], key["key"], pair["access_token"]):
        asked = {"key": credential, "method": "GET", "path": "/v1/models"}
        explained = mine.client.post("/auth/explain", json=asked).json()
        assert explained["allowed"] is False
        assert [check["name"] for check in explained["checks"] if check["outcome"] == "refused"] == [
            "standing"
        ]


def test_another_accounts_token_is_not_revoked_under_ones_own_name(accounts: Callable[..., Account]) -> None:
    mine, theirs = accounts(), accounts()
    token = mint(theirs.client, theirs.key)["access_token"]
    assert mine.client.post("/auth/revoke", json={"token": token}).json() == {}
    assert mine.client.get("/auth/validate", headers=bearer(token)).status_code == 200


def test_an_idempotency_key_belongs_to_its_account(accounts: Callable[..., Account]) -> None:
    made = [
        account.client.post("/keys", json={"name": "Once"}, headers={"idempotency-key": "the-same"}).json()
        for account in (accounts(), accounts())
    ]
    assert made[0]["key"] != made[1]["key"]


def test_a_tier_bounds_keys_rates_and_models(accounts: Callable[..., Account]) -> None:
    gold = accounts("gold").client
    assert gold.get("/auth/validate").json()["rate_limit"] == 5
    error = refused(gold.post("/keys", json={"name": "Greedy", "rate_limit": 11}), "invalid_request")
    assert error["param"] == "rate_limit"
    assert [model["id"] for model in gold.get("/models").json()["data"]] == [MODEL]


def test_a_tiers_room_for_keys_is_not_exceeded(accounts: Callable[..., Account]) -> None:
    account = accounts("gold")
    with httpx.Client(base_url=account.client.base_url, headers=account.client.headers) as client:
        create_key(client)
        create_key(client)
        refused(client.post("/keys", json={"name": "One too many"}), "conflict")


def test_a_model_outside_the_tier_is_not_allowed(accounts: Callable[..., Account]) -> None:
    gold = accounts("gold").client
    refused(gold.post("/chat/completions", json={**HELLO, "model": "other-model"}), "model_not_allowed")
    assert gold.post("/chat/completions", json=HELLO).status_code == 200


def test_lowering_the_tier_takes_effect_within_a_second(
    own: Server, accounts: Callable[..., Account]
) -> None:
    account = accounts("business")
    assert account.client.get("/auth/validate").json()["rate_limit"] == 10_000
    operator(own, "set-tier", account.id, "startup")
    within_the_promise(lambda: account.client.get("/auth/validate").json()["rate_limit"] == 1000)


def test_a_disabled_account_is_refused_within_a_second_and_its_tokens_too(
    own: Server, accounts: Callable[..., Account]
) -> None:
    account = accounts()
    token = mint(account.client, account.key)["access_token"]
    assert operator(own, "disable", account.id)["disabled"] is True
    for credential in (account.key, token):
        within_the_promise(
            lambda: account.client.get("/auth/validate", headers=bearer(credential)).status_code == 401  # noqa: B023
        )
    operator(own, "enable", account.id)
    within_the_promise(lambda: account.client.get("/auth/validate").status_code == 200)


def test_the_matrix_shows_the_operators_tiers(own: Server, accounts: Callable[..., Account]) -> None:
    tiers = {tier["name"]: tier for tier in accounts().client.get("/tiers").json()["data"]}
    assert tiers["gold"]["max_keys"] == GOLD["max_keys"]
    assert tiers["gold"]["models"] == [MODEL]


def test_a_server_does_not_start_with_accounts_on_a_tier_that_is_gone(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(settings({MODEL: [{"base_url": "echo:"}]}, {"tiers.gold": GOLD}))
    operator(server, "create", "--name", "Left behind", "--tier", "gold")
    without_gold = settings({MODEL: [{"base_url": "echo:"}]}, {"server": {"bind": "127.0.0.1:0"}})
    (server.directory / "without-gold.toml").write_text(without_gold)
    ended = server.cli("serve", "--config", "without-gold.toml")
    assert ended.returncode == 10
    assert "accounts are on gold" in ended.stderr


def test_who_lost_every_key_gets_another_from_the_operator(
    own: Server, accounts: Callable[..., Account]
) -> None:
    account = accounts()
    lost = account.client.get("/auth/validate").json()["key_id"]
    assert account.client.delete(f"/keys/{lost}").status_code == 204
    made = operator(own, "new-key", account.id, "--name", "After the loss")
    with httpx.Client(base_url=own.base_url, headers=bearer(made["api_key"]), timeout=30) as client:
        assert client.get("/auth/validate").json()["scopes"] == ["admin:full"]
        newest = client.get("/audit").json()["data"][0]
    assert (newest["action"], newest["target_id"]) == ("key.created", made["key_id"])
    assert newest["actor"]["kind"] == "operator"
    assert newest["after"]["name"] == "After the loss"


def test_who_lost_the_dashboard_gets_a_link_that_makes_an_owner(
    own: Server, accounts: Callable[..., Account]
) -> None:
    account = accounts()
    link = operator(own, "setup-link", account.id)["dashboard_setup_url"]
    (invited,) = account.client.get("/members").json()["data"]
    assert (invited["role"], invited["status"]) == ("owner", "invited")
    assert httpx.get(own.origin + link[link.index("/setup?") :]).status_code == 200
    newest = account.client.get("/audit").json()["data"][0]
    assert (newest["action"], newest["actor"]["kind"]) == ("member.invited", "operator")


@pytest.mark.parametrize("command", ["new-key", "setup-link"])
def test_a_disabled_account_is_opened_by_enabling_it_alone(
    own: Server, accounts: Callable[..., Account], command: str
) -> None:
    account = accounts()
    operator(own, "disable", account.id)
    ended = own.cli("accounts", command, account.id)
    assert (ended.returncode, ended.stdout) == (10, "")
    assert "innoai accounts enable" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("set-tier", "acc_none", "free"), "innoai accounts list"),
        (("disable", "acc_none"), "innoai accounts list"),
        (("new-key", "acc_none"), "innoai accounts list"),
        (("setup-link", "acc_none"), "innoai accounts list"),
        (("create", "--name", "x", "--tier", "none"), "the tiers are free"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(own: Server, arguments: tuple[str, ...], said: str) -> None:
    ended = own.cli("accounts", *arguments)
    assert (ended.returncode, ended.stdout) == (5, "")
    assert ended.stderr.startswith("error: there is no ")
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
