"""Billing, the audit log, access control, security and the playground."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from innoai.access.routes import ROUTES
from innoai.access.scopes import SCOPES
from tests.contract.clients import HELLO, bearer, create_key
from tests.contract.webhooks import until
from tests.support.dashboard import member_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.support.dashboard import Person
    from tests.support.server import Server


@pytest.fixture
def admin(house: Server) -> Iterator[httpx.Client]:
    """The first key."""
    with httpx.Client(base_url=house.base_url, headers=bearer(house.admin_key), timeout=30) as client:
        yield client


# Billing.


def test_budgets_and_alerts_are_set_and_shown(owners_page: Page, admin: httpx.Client) -> None:
    owners_page.goto("/billing")
    owners_page.get_by_role("link", name="Budgets and alerts").click()
    owners_page.get_by_label("Budget a month").fill("100")
    owners_page.get_by_label("Tell me at").fill("90, 50")
    owners_page.get_by_role("button", name="Save changes").click()
    owners_page.get_by_text("Budgets and alerts were changed.").wait_for()
    owners_page.get_by_text("of 100.00 USD").wait_for()
    settings = admin.get("/billing/settings").json()
    assert (settings["budgets"]["monthly"], settings["alert_thresholds"]) == ("100", [50, 90])


def test_what_is_no_amount_is_said_and_kept(owner: Person) -> None:
    typed = {"currency": "USD", "monthly": "ten", "total": "", "alert_thresholds": "50"}
    answer = owner.post("/billing/settings", typed)
    assert answer.status_code == 400
    assert 'value="ten"' in answer.text
    assert "problem" in answer.text or "field-error" in answer.text
    percent = owner.post("/billing/settings", {**typed, "monthly": "", "alert_thresholds": "half"})
    assert 'id="alert_thresholds-error"' in percent.text


def test_statements_are_listed_opened_and_exported(owner: Person, admin: httpx.Client, house: Server) -> None:
    key = create_key(admin, customer_id="billed-1", scopes=["inference:write"])["key"]
    assert (
        httpx.post(f"{house.base_url}/chat/completions", json=HELLO, headers=bearer(key)).status_code == 200
    )
    deadline = time.monotonic() + 20
    while "billed-1" not in (listed := owner.get("/billing/statements").text):
        assert time.monotonic() < deadline
    month = admin.get("/billing/summary").json()["month"]
    assert f"/billing/statements/{month}/billed-1" in listed
    assert "billed-1" in owner.get(f"/billing/statements/{month}/billed-1").text
    exported = owner.get("/billing/statements/export")
    assert exported.headers["content-type"].startswith("text/csv")
    assert "attachment" in exported.headers["content-disposition"]
    assert "billed-1" in exported.text


def test_a_deleted_customer_keeps_its_statements_and_has_no_page(
    owner: Person, admin: httpx.Client, house: Server
) -> None:
    key = create_key(admin, customer_id="gone-1", scopes=["inference:write"])["key"]
    httpx.post(f"{house.base_url}/chat/completions", json=HELLO, headers=bearer(key)).raise_for_status()
    month = admin.get("/billing/summary").json()["month"]
    page = f"/billing/statements/{month}/gone-1"
    until(lambda: owner.get(page).text, lambda text: "1</td>" in text)
    assert 'href="/customers/gone-1"' in owner.get(page).text
    admin.delete("/customers/gone-1").raise_for_status()
    assert owner.get(page).status_code == 200
    assert re.search(r"In all</th><td></td><td[^>]*>1</td>", owner.get(page).text)
    assert 'href="/customers/gone-1"' not in owner.get(page).text
    assert owner.get(f"/billing/statements/{month}/never-there").status_code == 404


def test_a_viewer_sees_settings_and_has_no_form(viewer: Person) -> None:
    shown = viewer.get("/billing/settings").text
    assert "Currency" in shown
    assert "Save changes" not in shown


# The audit log.


def test_the_log_tells_who_changed_what(owner: Person, admin: httpx.Client) -> None:
    made = create_key(admin, name="Before")
    admin.patch(f"/keys/{made['id']}", json={"name": "<b>After</b>"})
    shown = owner.get("/audit", target_id=made["id"]).text
    updated = '<span class="cell-title">key.updated</span>'
    assert updated in shown
    assert "<del>&#34;Before&#34;</del>" in shown
    assert "&lt;b&gt;After" in shown
    assert (
        f'<a href="/settings/api-keys/{made["id"]}" title="{made["id"]}">&lt;b&gt;After&lt;/b&gt;</a>'
        in shown
    )
    assert re.search(r'<option value="mem_\w+">Ana</option>', shown)
    assert "<b>After" not in shown
    assert updated not in owner.get("/audit", target_id=made["id"], action="key.created").text
    assert "Nothing fits" in owner.get("/audit", target_id="key_nobody").text


def test_the_log_is_filtered_by_days_and_exported(owner: Person) -> None:
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert "member.joined" in owner.get("/audit", **{"from": today, "to": today}).text
    assert "Nothing fits" in owner.get("/audit", to="2020-01-01").text
    assert owner.get("/audit", **{"from": "yesterday"}).status_code == 400
    lines = owner.get("/audit/export", action="member.*").text.splitlines()
    assert {json.loads(line)["action"].partition(".")[0] for line in lines} == {"member"}


# Access control.


def test_the_log_says_whose_days_it_is_filtered_by(owner: Person) -> None:
    assert owner.get("/audit").text.count("In days of UTC.") == 2


def test_the_matrix_shows_every_scope_and_route(viewer: Person) -> None:
    shown = viewer.get("/access-control").text
    for scope in SCOPES:
        assert scope in shown
    for route in ROUTES:
        assert f"{route.method} {route.path}" in shown


# Security.


def test_a_pasted_key_is_found_and_revoked(owners_page: Page, admin: httpx.Client, house: Server) -> None:
    made = create_key(admin, name="In a commit")
    owners_page.goto("/security")
    owners_page.get_by_label("Paste where it stands").fill(f"token = '{made['key']}'")
    owners_page.get_by_label("Where it was found").fill("commit 1a2b")
    owners_page.get_by_label("Revoke the keys").check()
    owners_page.get_by_role("button", name="Look for keys").click()
    owners_page.get_by_text("1 key of this account stood in it").wait_for()
    assert httpx.get(f"{house.base_url}/auth/validate", headers=bearer(made["key"])).status_code == 401
    owners_page.goto("/security")
    owners_page.get_by_text("found in: commit 1a2b; it was revoked").wait_for()


def test_as_long_a_text_is_looked_through_as_the_page_takes(owner: Person) -> None:
    longest = re.search(r'maxlength="(\d+)"', owner.get("/security").text.partition("Paste where")[2])
    assert longest is not None
    text = "\u20ac" * int(longest[1])
    answer = owner.post("/security/leaks", {"text": text}, page="/security")
    assert "No key of this account" in answer.text


def test_a_refused_search_for_leaks_keeps_what_was_pasted(owner: Person) -> None:
    fields = {"text": "the paste", "source": "x" * 600, "revoke": "yes"}
    refused = owner.post("/security/leaks", fields, page="/security")
    assert refused.status_code == 400
    assert "the paste</textarea>" in refused.text
    assert 'value="yes" checked' in refused.text


def test_somebody_who_is_not_signed_in_sends_no_long_form(stranger: Person) -> None:
    assert stranger.post("/login", {"email": "x" * 200_000}).status_code == 413


def test_weak_keys_are_named_with_why(owner: Person, admin: httpx.Client) -> None:
    create_key(admin, name="Almighty", scopes=["admin:full"])
    shown = owner.get("/security").text
    assert "Almighty" in shown
    assert "may do everything, from anywhere" in shown
    assert owner.post("/security/leaks", {"text": "nothing"}, page="/security").status_code == 200


# The playground.


def test_a_conversation_streams_under_a_short_lived_token(owners_page: Page) -> None:
    asked: list[str] = []
    owners_page.on(
        "request",
        lambda request: (
            asked.append(request.headers.get("authorization", ""))
            if request.url.endswith("/chat/completions")
            else None
        ),
    )
    owners_page.goto("/playground")
    owners_page.get_by_label("Your message").fill("Hello there")
    owners_page.get_by_role("button", name="Send").click()
    owners_page.locator("#told").wait_for()
    assert "Hello there" in owners_page.locator(".turn.assistant p").inner_text()
    assert [credential[:10] for credential in asked] == ["Bearer eyJ"]
    owners_page.get_by_role("button", name="Start over").click()
    owners_page.get_by_text("Nothing was said yet.").wait_for()


def token_of(person: Person) -> httpx.Response:
    headers = {"origin": person.origin, "x-form-token": person.form_token("/")}
    return person.client.post("/playground/token", json={}, headers=headers)


def test_the_playgrounds_token_asks_models_and_nothing_else(owner: Person, house: Server) -> None:
    token = token_of(owner).json()["access_token"]
    said = httpx.post(f"{house.base_url}/chat/completions", json=HELLO, headers=bearer(token))
    assert said.status_code == 200
    refused = httpx.get(f"{house.base_url}/keys", headers=bearer(token))
    assert refused.json()["error"]["code"] == "insufficient_permissions"
    minted = httpx.post(f"{house.base_url}/auth/token", json={}, headers=bearer(token))
    assert minted.json()["error"]["code"] == "insufficient_permissions"


def test_the_playgrounds_token_ends_with_the_session(house: Server, owner: Person) -> None:
    assert owner.session is not None
    person = member_of(house, "developer", "leaver@example.com")
    token = token_of(person).json()["access_token"]
    with httpx.Client(base_url=house.base_url, headers=bearer(token)) as client:
        assert client.get("/models").status_code == 200
        person.post("/logout", page="/")
        assert client.get("/models").status_code == 401


def test_a_viewer_gets_no_token(viewer: Person) -> None:
    assert token_of(viewer).status_code == 403
    assert "/playground" not in viewer.get("/").text
