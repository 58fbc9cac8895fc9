"""Forms send what was changed in them, and nothing else; what contradicts itself is not guessed at."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.contract.clients import bearer, create_key
from tests.dashboard.conftest import signed_in_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.support.dashboard import Person
    from tests.support.server import Server

KEYS = "/settings/api-keys"
URL = "https://example.com/hook"


@pytest.fixture
def api(house: Server) -> Iterator[httpx.Client]:
    """The API with the first key."""
    with httpx.Client(base_url=house.base_url, headers=bearer(house.admin_key), timeout=30) as client:
        yield client


@pytest.fixture
def plain_page(browser: Browser, owner: Person, house: Server) -> Iterator[Page]:
    """A tab of the owner in a browser that runs no scripts."""
    with browser.new_context(base_url=house.origin, java_script_enabled=False) as context:
        yield signed_in_page(context, owner, house)


def form_of(person: Person, page: str) -> dict[str, Any]:
    """The hidden fields of the form of a page, as a tab holds them that was left open."""
    shown = person.get(page).text
    found = re.findall(r'<input type="hidden" name="(shown|once)" value="([^"]*)"', shown)
    return {name: unescape(value) for name, value in found}


def test_a_tab_that_was_open_before_undoes_no_change_of_a_key(owner: Person, api: httpx.Client) -> None:
    key = create_key(api, name="Two tabs", allowed_ips=["10.0.0.0/8"], scopes=["inference:read"])
    path = f"{KEYS}/{key['id']}"
    stale = form_of(owner, f"{path}/edit")
    narrowed = {"allowed_ips": ["10.1.0.0/16"], "rate_limit": 5, "expires_at": "2099-01-01T00:00:00Z"}
    api.patch(f"/keys/{key['id']}", json=narrowed).raise_for_status()
    fields = {"name": "Renamed", "scopes": "inference:read", "allowed_ips": "10.0.0.0/8", "expires": "never"}
    owner.post(path, {**stale, **fields}, page=f"{path}/edit")
    changed = api.get(f"/keys/{key['id']}").json()
    assert changed["name"] == "Renamed"
    assert {name: changed[name] for name in narrowed} == narrowed


def test_what_was_shown_outlives_a_refusal(owner: Person, api: httpx.Client) -> None:
    key = create_key(api, name="Refused once", allowed_ips=["10.0.0.0/8"], scopes=["inference:read"])
    path = f"{KEYS}/{key['id']}"
    stale = form_of(owner, f"{path}/edit")
    api.patch(f"/keys/{key['id']}", json={"allowed_ips": ["10.1.0.0/16"]}).raise_for_status()
    fields = {"name": "", "scopes": "inference:read", "allowed_ips": "10.0.0.0/8", "expires": "never"}
    refused = owner.post(path, {**stale, **fields}, page=f"{path}/edit")
    again = re.search(r'name="shown" value="([^"]*)"', refused.text)
    assert again is not None
    assert unescape(again[1]) == stale["shown"]


def test_a_tab_that_was_open_before_undoes_no_change_of_a_customer(owner: Person, api: httpx.Client) -> None:
    api.post("/customers", json={"customer_id": "two-tabs", "budgets": {"monthly": "5"}}).raise_for_status()
    path = "/customers/two-tabs"
    stale = form_of(owner, f"{path}/edit")
    later = {"budgets": {"monthly": "1", "total": "9"}, "rate_limit": 5, "metadata": {"plan": "gold"}}
    api.patch(path, json=later).raise_for_status()
    fields = {"name": "Renamed", "monthly": "5", "total": "", "rate_limit": "", "metadata": ""}
    assert owner.post(path, {**stale, **fields}, page=f"{path}/edit").status_code == 303
    changed = api.get(path).json()
    assert {name: changed[name] for name in later} == later
    assert changed["name"] == "Renamed"


def test_a_tab_that_was_open_before_undoes_no_change_of_an_endpoint(owner: Person, api: httpx.Client) -> None:
    made = api.post("/webhooks", json={"url": URL, "event_types": ["key.created"]}).json()
    path = f"/webhooks/{made['id']}"
    stale = form_of(owner, f"{path}/edit")
    api.patch(path, json={"event_types": ["key.revoked"], "url": f"{URL}/2"}).raise_for_status()
    fields = {"url": URL, "description": "Ours", "which": "chosen", "event_types": "key.created"}
    assert owner.post(path, {**stale, **fields}, page=f"{path}/edit").status_code == 303
    changed = api.get(path).json()
    assert (changed["event_types"], changed["url"], changed["description"]) == (
        ["key.revoked"],
        f"{URL}/2",
        "Ours",
    )


def test_a_tab_that_was_open_before_undoes_no_budget_and_no_role(owner: Person, api: httpx.Client) -> None:
    stale = form_of(owner, "/billing/settings")
    api.patch("/billing/settings", json={"budgets": {"monthly": "70"}}).raise_for_status()
    fields = {"currency": "USD", "monthly": "", "total": "900", "alert_thresholds": "80, 100"}
    assert owner.post("/billing/settings", {**stale, **fields}).status_code == 303
    assert api.get("/billing/settings").json()["budgets"] == {"monthly": "70", "total": "900"}
    api.patch("/billing/settings", json={"budgets": {"monthly": None, "total": None}}).raise_for_status()
    invited = api.post("/members", json={"email": "tabs@example.com", "role": "admin"}).json()
    path = f"/settings/members/{invited['id']}"
    stale = form_of(owner, path)
    api.patch(f"/members/{invited['id']}", json={"role": "viewer"}).raise_for_status()
    owner.post(path, {**stale, "role": "admin", "name": "Tab"})
    changed = api.get(f"/members/{invited['id']}").json()
    assert (changed["role"], changed["name"]) == ("viewer", "Tab")


# What contradicts itself.


def test_without_scripts_unticking_narrows_a_key_that_has_a_level(
    plain_page: Page, api: httpx.Client
) -> None:
    key = create_key(api, name="Narrowed without scripts", level="write")
    plain_page.goto(f"{KEYS}/{key['id']}/edit")
    plain_page.locator('[value="customers:write"]').uncheck()
    plain_page.get_by_role("button", name="Save changes").click()
    assert "The key was changed" in plain_page.content()
    assert "customers:write" not in api.get(f"/keys/{key['id']}").json()["scopes"]
    assert "billing:write" in api.get(f"/keys/{key['id']}").json()["scopes"]


def test_without_scripts_a_level_can_be_chosen_and_extra_ticks_beside_it_are_refused(
    plain_page: Page, api: httpx.Client
) -> None:
    plain_page.goto(f"{KEYS}/new")
    plain_page.get_by_label("Name").fill("A level without scripts")
    plain_page.locator('[name=level][value="read"]').check()
    plain_page.locator('[value="customers:delete"]').check()
    plain_page.get_by_role("button", name="Create key").click()
    assert "The level Read is chosen, and other scopes" in plain_page.content()
    plain_page.locator('[value="customers:delete"]').uncheck()
    plain_page.get_by_role("button", name="Create key").click()
    plain_page.locator("#secret").wait_for()
    found = api.get("/keys", params={"search": "A level without scripts"}).json()["data"]
    assert [key["level"] for key in found] == ["read"]


def test_without_scripts_a_day_that_is_typed_counts(plain_page: Page, api: httpx.Client) -> None:
    plain_page.goto(f"{KEYS}/new")
    plain_page.get_by_label("Name").fill("Ends on a day")
    plain_page.get_by_label("Day").fill("2099-01-31")
    plain_page.get_by_role("button", name="Create key").click()
    plain_page.locator("#secret").wait_for()
    found = api.get("/keys", params={"search": "Ends on a day"}).json()["data"]
    assert [key["expires_at"] for key in found] == ["2099-01-31T23:59:59Z"]


def test_a_day_that_is_hidden_again_does_not_count(owners_page: Page, api: httpx.Client) -> None:
    owners_page.goto(f"{KEYS}/new")
    owners_page.get_by_label("Name").fill("Ends never")
    owners_page.get_by_label("Ends").select_option("date")
    owners_page.get_by_label("Day").fill("2099-01-31")
    owners_page.get_by_label("Ends").select_option("never")
    owners_page.get_by_role("button", name="Create key").click()
    owners_page.locator("#secret").wait_for()
    found = api.get("/keys", params={"search": "Ends never"}).json()["data"]
    assert [key["expires_at"] for key in found] == [None]


def test_ticking_a_type_leaves_every_event(owners_page: Page, api: httpx.Client) -> None:
    owners_page.goto("/webhooks/new")
    owners_page.locator("#url").fill(f"{URL}/ticked")
    owners_page.locator('[value="key.created"]').check()
    assert owners_page.get_by_role("radio", name="Chosen types").is_checked()
    owners_page.get_by_role("radio", name="Every event").check()
    assert not owners_page.locator('[value="key.created"]').is_checked()
    owners_page.locator('[value="key.created"]').check()
    owners_page.get_by_role("button", name="Add endpoint").click()
    owners_page.locator("#secret").wait_for()
    found = [one for one in api.get("/webhooks").json()["data"] if one["url"] == f"{URL}/ticked"]
    assert [one["event_types"] for one in found] == [["key.created"]]


def test_without_scripts_a_ticked_type_counts_as_well(plain_page: Page, api: httpx.Client) -> None:
    plain_page.goto("/webhooks/new")
    plain_page.locator("#url").fill(f"{URL}/plain")
    plain_page.locator('[value="key.revoked"]').check()
    plain_page.get_by_role("button", name="Add endpoint").click()
    plain_page.locator("#secret").wait_for()
    found = [one for one in api.get("/webhooks").json()["data"] if one["url"] == f"{URL}/plain"]
    assert [one["event_types"] for one in found] == [["key.revoked"]]


# What a form cannot show.


def test_notes_that_no_line_can_hold_stay_as_they_are(owners_page: Page, api: httpx.Client) -> None:
    notes = {"c = d": "v", "plan": "gold", "address": "one\ntwo"}
    api.post("/customers", json={"customer_id": "odd-notes", "metadata": notes}).raise_for_status()
    owners_page.goto("/customers/odd-notes/edit")
    owners_page.get_by_label("Name").fill("Renamed")
    owners_page.get_by_role("button", name="Save changes").click()
    owners_page.get_by_text("The customer was changed.").wait_for()
    assert api.get("/customers/odd-notes").json()["metadata"] == notes
    owners_page.goto("/customers/odd-notes/edit")
    owners_page.get_by_label("Notes").fill("plan = silver")
    owners_page.get_by_role("button", name="Save changes").click()
    owners_page.get_by_text("The customer was changed.").wait_for()
    assert api.get("/customers/odd-notes").json()["metadata"] == {**notes, "plan": "silver"}


def test_a_pattern_stays_a_pattern(owners_page: Page, api: httpx.Client) -> None:
    made = api.post("/webhooks", json={"url": f"{URL}/pattern", "event_types": ["key.*"]}).json()
    path = f"/webhooks/{made['id']}"
    for ticks, expected in ((), ["key.*"]), (("customer.created",), ["key.*", "customer.created"]):
        owners_page.goto(f"{path}/edit")
        owners_page.get_by_label("Description").fill(f"With {len(ticks)}")
        for tick in ticks:
            owners_page.locator(f'[value="{tick}"]').check()
        owners_page.get_by_role("button", name="Save changes").click()
        owners_page.get_by_text("The endpoint was changed.").wait_for()
        assert sorted(api.get(path).json()["event_types"]) == sorted(expected)
