"""What is refused: where the page opens, what it says to people, and that no form is shown in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from innoai.dashboard.refusals import for_people
from innoai.errors import refusal
from tests.contract.clients import bearer, create_key
from tests.dashboard.conftest import signed_in_page

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from tests.support.dashboard import Person
    from tests.support.server import Server

KEYS = "/settings/api-keys"


def focused(page: Page) -> str:
    """What has the focus: its id, or what it is called and says."""
    found: str = page.evaluate(
        "(at => at.id || (at.name ? `${at.name}=${at.value}` : at.innerText))(document.activeElement)"
    )
    return found


# Where the page opens.


@pytest.mark.parametrize(
    ("path", "fills", "ticks", "button", "lands"),
    [
        (f"{KEYS}/new", {"name": "N", "rate_limit": "many"}, [], "Create key", "rate_limit"),
        (f"{KEYS}/new", {"name": ""}, [], "Create key", "name"),
        ("/webhooks/new", {"url": "nonsense"}, [], "Add endpoint", "url"),
        ("/webhooks/new", {"url": "https://a.example"}, ["chosen"], "Add endpoint", "event_types=key.*"),
        ("/new-customer", {"customer_id": "c", "total": "much"}, [], "Create customer", "total"),
        ("/billing/settings", {"monthly": "ten"}, [], "Save changes", "monthly"),
    ],
)
def test_a_refused_form_opens_at_the_field_that_is_wrong(
    path: str, fills: dict[str, str], ticks: list[str], button: str, lands: str, owners_page: Page
) -> None:
    owners_page.goto(path)
    for name, text in fills.items():
        owners_page.locator(f"#{name}").fill(text)
    for value in ticks:
        owners_page.locator(f'[value="{value}"]').check()
    owners_page.get_by_role("button", name=button).click()
    owners_page.locator(".field-error").wait_for()
    assert focused(owners_page) == lands
    assert owners_page.title().startswith("Error: ")
    at = owners_page.locator(":focus")
    assert at.get_attribute("aria-invalid") == "true"
    says = owners_page.locator(".field-error").get_attribute("id")
    assert says in (at.get_attribute("aria-describedby") or "").split()
    assert at.evaluate(
        "at => { const b = at.getBoundingClientRect(); return b.top > 0 && b.top < innerHeight; }"
    )


def test_ticks_that_contradict_a_level_and_a_day_that_is_past_are_marked(owner: Person) -> None:
    fields = {"name": "N", "level": "read", "scopes": ["customers:delete"]}
    refused = owner.post(KEYS, fields, page=f"{KEYS}/new").text
    assert refused.count('aria-invalid="true"') == 10
    assert refused.count("autofocus") == 1
    past = {"name": "N", "level": "read", "expires": "date", "expires_on": "2020-01-31"}
    refused = owner.post(KEYS, past, page=f"{KEYS}/new").text
    field = refused.partition('id="expires_on"')[2].partition(">")[0]
    assert 'aria-describedby="expires_on-hint expires_at-error" aria-invalid="true" autofocus' in field


def test_the_sign_in_opens_at_what_is_to_be_typed(page: Page) -> None:
    page.goto("/login")
    assert focused(page) == "email"
    page.keyboard.type("nobody@example.com")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_text("do not belong together").wait_for()
    assert focused(page) == "password"
    assert page.title().startswith("Error: ")


# Whom it speaks to.


def test_a_member_is_told_of_roles_and_not_of_keys_and_routes(developer: Person, owner: Person) -> None:
    refused = developer.get("/settings/members").text
    assert "Your role does not allow this." in refused
    assert "API key does" not in refused
    gone = owner.get(f"{KEYS}/key_0000000000000000000000")
    assert gone.status_code == 404
    assert "GET /v1" not in gone.text
    assert f'href="{KEYS}">To API Keys</a>' in gone.text


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("That exists. Change it by PATCH, or choose another id.", "That exists."),
        ("No key has that id. GET /v1/keys lists the keys.", "No key has that id."),
        ("Create it by POST /v1/customers.", "Create it by POST /v1/customers."),
        ("Only an owner makes owners. Ask one.", "Only an owner makes owners. Ask one."),
    ],
)
def test_what_is_for_programs_is_left_away_where_something_else_is_said(said: str, told: str) -> None:
    assert for_people(refusal("conflict", said)).message == told


# What is shown in vain.


def test_no_form_is_shown_to_those_whose_role_may_not_send_it(
    viewer: Person, developer: Person, house: Server
) -> None:
    with httpx.Client(base_url=house.base_url, headers=bearer(house.admin_key), timeout=30) as api:
        api.post("/customers", json={"customer_id": "looked-at"}).raise_for_status()
        endpoint = api.post("/webhooks", json={"url": "https://example.com/looked-at"}).json()["id"]
    hers = ["/new-customer", "/customers/looked-at/edit", "/customers/looked-at/delete", "/playground"]
    hers += ["/webhooks/new", f"/webhooks/{endpoint}/edit", f"/webhooks/{endpoint}/rotate-secret"]
    for path in [*hers, f"/webhooks/{endpoint}/delete"]:
        assert viewer.get(path).status_code == 403, path
        assert developer.get(path).status_code == 200, path
    assert developer.get(f"{KEYS}/new").status_code == 403


def test_nothing_is_asked_about_a_key_that_was_revoked(owner: Person, house: Server) -> None:
    with httpx.Client(base_url=house.base_url, headers=bearer(house.admin_key), timeout=30) as api:
        key = create_key(api, name="Revoked before")
        api.delete(f"/keys/{key['id']}").raise_for_status()
    for path in ("edit", "rotate", "revoke"):
        answer = owner.get(f"{KEYS}/{key['id']}/{path}")
        assert answer.headers["location"] == f"{KEYS}/{key['id']}?notice=key-is-revoked"


def test_where_forms_are_sent_to_there_is_something_to_look_at(owner: Person) -> None:
    assert owner.get("/security/leaks").headers["location"] == "/security"


@pytest.mark.parametrize(
    ("typed", "leads"),
    [
        ("/customers/", "/customers"),
        ("/settings", KEYS),
        ("/settings/", "/settings"),
        ("/dashboard", "/"),
        ("/customers/a%0d%0ab/", "/customers/a%0D%0Ab"),
    ],
)
def test_an_address_as_people_type_it_leads_on(owner: Person, typed: str, leads: str) -> None:
    assert owner.client.get(f"{owner.origin}{typed}").headers["location"] == leads


def test_a_member_without_keys_gets_to_their_own_settings(viewer: Person) -> None:
    assert viewer.get("/settings").headers["location"] == "/settings/profile"


@pytest.mark.parametrize("path", ["//customers/", "/customers//x/", "//evil.example/"])
def test_an_address_with_nothing_between_slashes_leads_nowhere(owner: Person, path: str) -> None:
    assert "location" not in owner.client.get(f"{owner.origin}{path}").headers


def test_the_playground_says_why_it_got_no_token_and_keeps_the_message(
    context: BrowserContext, house: Server, owner: Person
) -> None:
    page = signed_in_page(context, owner, house)
    page.route(
        "**/playground/token", lambda route: route.fulfill(status=403, json={"message": "Not for you."})
    )
    page.goto("/playground")
    page.get_by_label("Your message").fill("Hello there")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("Not for you.").wait_for()
    assert page.get_by_label("Your message").input_value() == "Hello there"
