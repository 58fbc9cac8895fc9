"""Passkeys, with the browser's virtual authenticator; and what cannot be done with a passkey's answer."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.dashboard.conftest import PATIENCE_MS, signed_in_page
from tests.support.dashboard import SESSION, Person, member_of, visitor
from tests.support.store import change_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.support.server import Server

PROFILE = "/settings/profile"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def named(house: Server) -> str:
    """The server by a name, which passkeys need."""
    return house.origin.replace("127.0.0.1", "localhost")


@pytest.fixture
def context(browser: Browser, named: str) -> Iterator[BrowserContext]:
    opened = browser.new_context(base_url=named)
    opened.set_default_timeout(PATIENCE_MS)
    yield opened
    opened.close()


def authenticator(page: Page, *, verifies: bool = True) -> str:
    """Give the tab's browser an authenticator that is always at hand."""
    tools = page.context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": verifies,
        "automaticPresenceSimulation": True,
    }
    added = tools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return str(added["authenticatorId"])


def page_of(context: BrowserContext, person: Person, named: str) -> Page:
    assert person.session is not None
    context.add_cookies([{"name": SESSION, "value": person.session, "url": named}])
    return context.new_page()


def add_passkey(page: Page, name: str = "Laptop") -> None:
    page.goto(PROFILE)
    page.get_by_label("Name of the new passkey").fill(name)
    page.get_by_role("button", name="Add a passkey").click()
    page.wait_for_url("**/settings/profile?notice=passkey-added")


def test_a_member_adds_a_passkey_and_signs_in_with_it(
    context: BrowserContext, house: Server, owner: Person, named: str
) -> None:
    person = member_of(house, "developer", "pass@example.com", name="Pass")
    page = page_of(context, person, named)
    authenticator(page)
    add_passkey(page)
    page.get_by_role("rowheader", name="Laptop").wait_for()
    page.locator(".topbar summary").click()
    page.get_by_role("button", name="Sign out").first.click()
    page.wait_for_url("**/login?notice=signed-out")
    page.goto("/login?next=%2Fsettings%2Fprofile")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(f"{named}{PROFILE}")
    page.get_by_text("pass@example.com, developer").wait_for()
    page.get_by_text("passkey", exact=True).wait_for()
    page.locator("summary", has_text="Remove Laptop").click()
    page.get_by_text("You cannot sign in with Laptop any more.").wait_for()
    page.get_by_role("button", name="Remove the passkey").click()
    page.wait_for_url("**/settings/profile?notice=passkey-removed")
    assert page.get_by_role("rowheader", name="Laptop").count() == 0


def test_an_authenticator_that_does_not_verify_its_owner_is_not_enough(
    context: BrowserContext, house: Server, owner: Person, named: str
) -> None:
    person = member_of(house, "viewer", "unverified-owner@example.com")
    page = page_of(context, person, named)
    authenticator(page, verifies=False)
    page.goto(PROFILE)
    page.get_by_role("button", name="Add a passkey").click()
    page.locator("[data-passkey-problem]").wait_for()
    assert page.url.endswith(PROFILE)


def test_a_removed_passkey_signs_nobody_in(
    context: BrowserContext, house: Server, owner: Person, named: str
) -> None:
    person = member_of(house, "viewer", "lost@example.com")
    page = page_of(context, person, named)
    authenticator(page)
    add_passkey(page)
    where = "member_id = (SELECT id FROM members WHERE email = ?)"
    assert change_store(house, f"DELETE FROM passkeys WHERE {where}", person.email) == 1  # noqa: S608
    context.clear_cookies()
    page.goto("/login")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_text("The passkey was not accepted").wait_for()


@pytest.fixture
def signed(context: BrowserContext, house: Server, owner: Person, named: str) -> tuple[dict[str, Any], Page]:
    """What a browser sends to sign in with a passkey, caught on its way, which nobody has used yet."""
    person = member_of(house, "viewer", f"caught-{next(_numbers)}@example.com")
    page = page_of(context, person, named)
    authenticator(page)
    add_passkey(page)
    context.clear_cookies()
    caught: list[dict[str, Any]] = []

    def catch(route: Any) -> None:
        caught.append(json.loads(route.request.post_data))
        route.fulfill(status=400, content_type="application/json", body='{"message": "caught"}')

    page.route("**/login/passkey", catch)
    page.goto("/login")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_text("caught").wait_for()
    return caught[0], page


def present(page: Page, named: str, body: dict[str, Any], **cookies: str) -> httpx.Response:
    held = {str(cookie["name"]): str(cookie["value"]) for cookie in page.context.cookies()} | cookies
    token = page.locator("[data-passkey-sign-in]").get_attribute("data-token")
    return httpx.post(
        f"{named}/login/passkey",
        json=body,
        cookies=held,
        headers={"origin": named, "x-form-token": token or ""},
    )


def test_what_was_signed_counts_once_and_in_its_own_browser(
    signed: tuple[dict[str, Any], Page], house: Server, named: str
) -> None:
    body, page = signed
    thief = visitor(house)
    thief.client.base_url = httpx.URL(named)
    token = thief.form_token("/login")
    stolen = thief.client.post("/login/passkey", json=body, headers={"origin": named, "x-form-token": token})
    assert stolen.status_code == 400
    first = present(page, named, body)
    assert first.status_code == 200
    assert first.json() == {"next": "/"}
    assert present(page, named, body).status_code == 400


@pytest.mark.parametrize(
    "member", ["signature", "clientDataJSON", "authenticatorData", "rawId", "userHandle"]
)
def test_what_was_signed_counts_as_it_is_alone(
    signed: tuple[dict[str, Any], Page], named: str, member: str
) -> None:
    body, page = signed
    place = body["credential"] if member == "rawId" else body["credential"]["response"]
    place[member] = place[member][:-4] + ("AAAA" if place[member][-4:] != "AAAA" else "BBBB")
    answer = present(page, named, body)
    assert answer.status_code == 400
    assert "not accepted" in answer.json()["message"]


@pytest.mark.parametrize("body", [{}, {"credential": None}, {"credential": {"rawId": 7}}, {"credential": []}])
def test_nonsense_is_refused_in_words(stranger: Person, body: dict[str, Any], named: str) -> None:
    stranger.client.base_url = httpx.URL(named)
    headers = {"origin": named, "x-form-token": stranger.form_token("/login")}
    stranger.client.post("/login/passkey/options", json={}, headers=headers).raise_for_status()
    answer = stranger.client.post("/login/passkey", json=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_at_an_address_without_a_name_passkeys_are_not_offered(
    browser: Browser, house: Server, owner: Person
) -> None:
    opened = browser.new_context(base_url=house.origin)
    page = signed_in_page(opened, owner, house)
    page.goto(PROFILE)
    page.get_by_text("Passkeys need a host name").wait_for()
    assert page.get_by_role("button", name="Add a passkey").count() == 0
    opened.close()
