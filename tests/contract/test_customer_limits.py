"""What may be set on customers and keys: rate limits, budgets, and notes that every receiver can read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.contract.clients import bearer, create_key, mint
from tests.support.envelope import refused
from tests.support.server import MODEL
from tests.support.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import Server

BRONZE = {"default_rate_limit": 60, "max_rate_limit": 100}
LONE = "\\ud83e"
"""Half of a surrogate pair, as JSON may write it."""


@pytest.fixture(scope="module")
def own(new_server: Callable[..., Server]) -> Server:
    return new_server(settings({MODEL: [{"base_url": "echo:"}]}, {"tiers.bronze": BRONZE}))


@pytest.fixture
def admin(own: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=30) as client:
        yield client


def create(admin: httpx.Client, customer_id: str, **members: Any) -> dict[str, Any]:
    answer = admin.post("/customers", json={"customer_id": customer_id, **members})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_customer_has_a_rate_limit_and_budgets(admin: httpx.Client) -> None:
    made = create(admin, "limited", rate_limit=30, budgets={"monthly": "12.50"})
    assert (made["rate_limit"], made["budgets"]) == (30, {"monthly": "12.5", "total": None})
    assert admin.get("/customers/limited").json() == made
    assert made in admin.get("/customers").json()["data"]
    changed = admin.patch("/customers/limited", json={"budgets": {"total": 100}, "rate_limit": None}).json()
    assert (changed["rate_limit"], changed["budgets"]) == (None, {"monthly": "12.5", "total": "100"})
    changed = admin.patch("/customers/limited", json={"budgets": {"monthly": None}}).json()
    assert changed["budgets"] == {"monthly": None, "total": "100"}


def test_a_customer_without_limits_says_so(admin: httpx.Client) -> None:
    made = create(admin, "unlimited")
    assert (made["rate_limit"], made["budgets"]) == (None, {"monthly": None, "total": None})


def test_a_key_has_budgets_that_its_successor_inherits(admin: httpx.Client) -> None:
    made = create_key(admin, budgets={"monthly": "1", "total": "10.000000001"})
    assert made["budgets"] == {"monthly": "1", "total": "10.000000001"}
    path = f"/keys/{made['id']}"
    assert admin.patch(path, json={"budgets": {"monthly": 2}}).json()["budgets"]["monthly"] == "2"
    successor = admin.post(f"{path}/rotate", json={}).json()
    assert successor["budgets"] == {"monthly": "2", "total": "10.000000001"}
    assert admin.get(path).json()["budgets"] == successor["budgets"]
    shown = {key["id"]: key["budgets"] for key in admin.get("/keys").json()["data"]}
    assert shown[made["id"]] == successor["budgets"]


@pytest.mark.parametrize("path", ["/customers", "/keys"])
@pytest.mark.parametrize(
    "budgets",
    [{"monthly": 0.1}, {"monthly": "-1"}, {"monthly": "1e3"}, {"weekly": "1"}, {"total": "1.0000000001"}],
)
def test_a_budget_that_is_no_amount_is_refused(
    admin: httpx.Client, path: str, budgets: dict[str, Any]
) -> None:
    body = {"name": "Odd", **({"customer_id": "odd"} if path == "/customers" else {}), "budgets": budgets}
    assert "budgets" in refused(admin.post(path, json=body), "invalid_request")["message"]


def test_a_customers_rate_limit_is_bounded_by_the_tier(own: Server, admin: httpx.Client) -> None:
    ended = own.cli("accounts", "create", "--name", "Bronze", "--tier", "bronze", "--json")
    key = httpx.Response(200, content=ended.stdout).json()["api_key"]
    with httpx.Client(base_url=own.base_url, headers=bearer(key)) as client:
        body = {"customer_id": "fast", "rate_limit": 101}
        assert refused(client.post("/customers", json=body), "invalid_request")["param"] == "rate_limit"
        create(client, "fast", rate_limit=100)
        changed = client.patch("/customers/fast", json={"rate_limit": 101})
        assert refused(changed, "invalid_request")["param"] == "rate_limit"


def test_budgets_of_a_customer_ask_for_the_scope_of_billing(admin: httpx.Client, own: Server) -> None:
    create(admin, "budgeted")
    poor = create_key(admin, scopes=["customers:write"])["key"]
    rich = create_key(admin, scopes=["customers:write", "billing:write"])["key"]
    change = {"budgets": {"total": "5"}}
    with httpx.Client(base_url=own.base_url) as client:
        for ask in (
            lambda key: client.patch("/customers/budgeted", json=change, headers=bearer(key)),
            lambda key: client.post(
                "/customers", json={"customer_id": "budgeted-2", **change}, headers=bearer(key)
            ),
        ):
            assert refused(ask(poor), "insufficient_permissions")["required_scope"] == "billing:write"
            assert ask(rich).json()["budgets"]["total"] == "5"


@pytest.mark.parametrize("change", [{"budgets": {"total": None}}, {"rate_limit": None}, {"disabled": False}])
def test_a_customers_own_credential_does_not_set_its_bounds(
    admin: httpx.Client, own: Server, change: dict[str, Any]
) -> None:
    scopes = ["customers:write", "billing:write"]
    key = create_key(admin, customer_id="bounded", scopes=scopes)["key"]
    token = mint(admin, key, scopes=scopes)["access_token"]
    for credential in (key, token):
        url = f"{own.base_url}/customers/bounded"
        answer = httpx.patch(url, json=change, headers=bearer(credential))
        assert next(iter(change)) in refused(answer, "insufficient_permissions")["message"]


@pytest.mark.parametrize("bounds", [{"budgets": {"total": "5"}}, {"rate_limit": 5}])
def test_a_customers_own_credential_does_not_delete_its_bounds(
    admin: httpx.Client, own: Server, bounds: dict[str, Any]
) -> None:
    # The next token minted for that customer_id would make it anew, without them.
    name = next(iter(bounds))
    customer = f"kept-by-{name}"
    create(admin, customer, **bounds)
    scopes = ["customers:delete", "billing:write"]
    key = create_key(admin, customer_id=customer, scopes=scopes)["key"]
    for credential in (key, mint(admin, key, scopes=scopes)["access_token"]):
        answer = httpx.delete(f"{own.base_url}/customers/{customer}", headers=bearer(credential))
        assert name in refused(answer, "insufficient_permissions")["message"]
    without = {"rate_limit": None, "budgets": {"monthly": None, "total": None}}
    assert admin.patch(f"/customers/{customer}", json=without).status_code == 200
    gone = httpx.delete(f"{own.base_url}/customers/{customer}", headers=bearer(key))
    assert gone.status_code == 204


def test_a_customers_token_gets_unasked_what_concerns_itself(admin: httpx.Client) -> None:
    scopes = ["inference:read", "customers:read", "customers:delete", "billing:write", "webhooks:read"]
    key = create_key(admin, scopes=scopes)["key"]
    token = mint(admin, key, customer_id="itself")["access_token"]
    shown = admin.post("/auth/introspect", json={"token": token}).json()
    assert shown["scope"].split() == ["inference:read", "customers:read"]
    asked = mint(admin, key, customer_id="itself", scopes=["customers:delete"])["access_token"]
    assert admin.post("/auth/introspect", json={"token": asked}).json()["scope"] == "customers:delete"


def test_a_key_without_such_scopes_is_told_to_name_some(admin: httpx.Client) -> None:
    key = create_key(admin, scopes=["webhooks:read"])["key"]
    answer = admin.post("/auth/token", json={"customer_id": "itself"}, headers=bearer(key))
    assert "Name the scopes" in refused(answer, "invalid_request")["message"]


@pytest.mark.parametrize(
    "body",
    [
        '{"customer_id": "odd", "name": "%s"}',
        '{"customer_id": "odd", "metadata": {"note": "%s"}}',
        '{"customer_id": "odd", "metadata": {"%s": "note"}}',
        '{"customer_id": "odd%s"}',
    ],
)
@pytest.mark.parametrize("text", [LONE, f"{LONE}x", "\\udd8a", "\\u0000", "\x00", "\x01"])
def test_text_that_not_everybody_can_read_is_refused(admin: httpx.Client, body: str, text: str) -> None:
    answer = admin.post("/customers", content=body % text, headers={"content-type": "application/json"})
    assert len(refused(answer, "invalid_request")["message"]) > len("The request is not valid.")
    refused(admin.get("/customers/odd"), "not_found")


@pytest.mark.parametrize("path", ["/keys", "/members"])
@pytest.mark.parametrize("text", [LONE, "\\u0000"])
def test_names_of_keys_and_members_are_text_that_everybody_can_read(
    admin: httpx.Client, path: str, text: str
) -> None:
    body = (
        f'{{"name": "{text}", "email": "odd@example.com"}}' if path == "/members" else f'{{"name": "{text}"}}'
    )
    answer = admin.post(path, content=body, headers={"content-type": "application/json"})
    refused(answer, "invalid_request")


def test_metadata_has_no_member_that_would_change_what_an_object_is(admin: httpx.Client) -> None:
    body = {"customer_id": "proto", "metadata": {"__proto__": "x"}}
    assert "metadata" in refused(admin.post("/customers", json=body), "invalid_request")["message"]
    create(admin, "proto", metadata={"__proto": "x", "proto__": "y", "constructor": "z", "a__proto__": "w"})
    change = {"metadata": {"__proto__": "x"}}
    refused(admin.patch("/customers/proto", json=change), "invalid_request")
