"""Pages that were open when a session ended or began elsewhere: people are told so, and led on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.dashboard.conftest import signed_in_page
from tests.support.dashboard import PASSWORD, SESSION, Person, member_of, visitor
from tests.support.store import change_store

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from tests.support.server import Server

KEYS = "/settings/api-keys"
ENDED = "Your session has ended. Sign in and go on."


@pytest.fixture
def ben(house: Server, owner: Person, request: pytest.FixtureRequest) -> Person:
    """A member of the test's own, an admin."""
    assert owner.email
    return member_of(house, "admin", f"ben-{abs(hash(request.node.name))}@example.com", name="Ben")


def end_sessions(house: Server, person: Person) -> None:
    of_person = "member_id = (SELECT id FROM members WHERE email = ?)"
    statement = f"DELETE FROM sessions WHERE {of_person}"  # noqa: S608
    assert change_store(house, statement, person.email) >= 1


def sign_in(page: Page, email: str) -> None:
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_a_form_that_is_sent_after_the_session_ended_leads_to_the_sign_in_and_back(
    context: BrowserContext, ben: Person, house: Server
) -> None:
    page = signed_in_page(context, ben, house)
    page.goto(f"{KEYS}/new?customer_id=c")
    page.get_by_label("Name").fill("Too late")
    end_sessions(house, ben)
    page.get_by_role("button", name="Create key").click()
    page.get_by_text(ENDED).wait_for()
    sign_in(page, ben.email)
    page.wait_for_url(f"**{KEYS}/new?customer_id=c")


def test_a_page_that_is_opened_after_the_session_ended_says_so(ben: Person, house: Server) -> None:
    end_sessions(house, ben)
    answer = ben.get(KEYS)
    assert answer.headers["location"] == "/login?next=%2Fsettings%2Fapi-keys&notice=session-ended"
    assert ENDED in ben.get(answer.headers["location"]).text
    assert "notice" not in visitor(house).get(KEYS).headers["location"]


def test_a_script_is_told_that_the_session_has_ended(ben: Person, house: Server) -> None:
    headers = {"origin": ben.origin, "x-form-token": ben.form_token("/")}
    end_sessions(house, ben)
    answer = ben.client.post("/playground/token", json={}, headers=headers)
    assert (answer.status_code, answer.json()["message"]) == (401, ENDED)


def test_another_site_cannot_have_a_form_answered_after_the_session_ended(ben: Person, house: Server) -> None:
    end_sessions(house, ben)
    headers = {"origin": "https://evil.example", "referer": "https://evil.example/x"}
    assert ben.client.post(KEYS, data={"name": "x"}, headers=headers).status_code == 403


def test_signing_in_and_out_in_two_tabs_is_done_once(
    context: BrowserContext, ben: Person, house: Server
) -> None:
    first, second = context.new_page(), context.new_page()
    for page in (first, second):
        page.goto("/login?next=/usage")
    for page in (first, second):
        sign_in(page, ben.email)
        page.wait_for_url("**/usage")
    for page in (first, second):
        page.locator("[data-menu] summary").click()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_text("You are signed out.").wait_for()
    assert SESSION not in {cookie["name"] for cookie in context.cookies()}


def test_a_page_of_the_session_before_says_so_and_leads_back(ben: Person) -> None:
    token = ben.form_token(f"{KEYS}/new")
    ben.post("/logout", page="/")
    ben.sign_in()
    fields = {"form_token": token, "name": "Old", "level": "read"}
    headers = {"origin": ben.origin, "referer": f"{ben.origin}{KEYS}/new"}
    answer = ben.client.post(KEYS, data=fields, headers=headers)
    assert answer.status_code == 403
    assert "This page is out of date" in answer.text
    assert "not for your role" not in answer.text
    assert f'href="{KEYS}/new">Open it anew' in answer.text
