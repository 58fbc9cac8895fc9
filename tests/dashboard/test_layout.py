"""How pages look and behave on a phone, on paper, without scripts, and with names that are hard to set."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.contract.clients import HELLO, bearer, create_key
from tests.contract.webhooks import until
from tests.dashboard.conftest import signed_in_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, ViewportSize

    from tests.support.dashboard import Person
    from tests.support.server import Server

KEYS = "/settings/api-keys"
PHONE: ViewportSize = {"width": 390, "height": 800}


@pytest.fixture
def api(house: Server) -> Iterator[httpx.Client]:
    """The API with the first key."""
    with httpx.Client(base_url=house.base_url, headers=bearer(house.admin_key), timeout=30) as client:
        yield client


@pytest.fixture
def plain_phone(browser: Browser, owner: Person, house: Server) -> Iterator[Page]:
    """A phone's tab of the owner, in a browser that runs no scripts."""
    with browser.new_context(base_url=house.origin, java_script_enabled=False, viewport=PHONE) as context:
        yield signed_in_page(context, owner, house)


def is_too_wide(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@pytest.mark.parametrize("width", [390, 1280])
def test_the_longest_names_make_no_page_wider(owners_page: Page, api: httpx.Client, width: int) -> None:
    key = create_key(api, name="W" * 200)
    endpoint = api.post("/webhooks", json={"url": f"https://example.com/{'hook' * 15}"}).json()
    owners_page.set_viewport_size({"width": width, "height": 800})
    for path in (f"{KEYS}/{key['id']}", f"/webhooks/{endpoint['id']}"):
        for suffix in ("", "/edit"):
            owners_page.goto(path + suffix)
            assert not is_too_wide(owners_page), path + suffix
    api.delete(f"/keys/{key['id']}")


# Without scripts.


def test_without_scripts_a_phone_has_the_navigation_above_the_page(plain_phone: Page) -> None:
    plain_phone.goto("/")
    assert not plain_phone.get_by_role("button", name="Menu").is_visible()
    assert not plain_phone.get_by_role("button", name="Change between").is_visible()
    plain_phone.get_by_role("link", name="Billing").click()
    assert plain_phone.locator("h1").inner_text() == "Billing"


def test_without_scripts_live_requests_say_so_and_have_no_dead_button(plain_phone: Page) -> None:
    plain_phone.goto("/requests")
    assert plain_phone.get_by_text("needs scripts, which your browser does not run").is_visible()
    assert not plain_phone.get_by_role("button", name="Pause").is_visible()
    assert plain_phone.get_by_text("Waiting for").count() == 0
    plain_phone.goto("/playground")
    assert plain_phone.get_by_text("needs scripts, which your browser does not run").is_visible()


# A phone's menu.


def test_a_phones_menu_takes_the_focus_and_gives_it_back(owners_page: Page) -> None:
    owners_page.set_viewport_size({"width": 390, "height": 800})
    owners_page.goto("/")
    menu = owners_page.get_by_role("button", name="Menu")
    first = owners_page.locator("#nav a").first
    menu.press("Enter")
    assert first.evaluate("link => link === document.activeElement")
    box = first.bounding_box()
    assert box is not None
    assert box["y"] < 100
    owners_page.keyboard.press("Escape")
    assert menu.evaluate("button => button === document.activeElement")
    assert menu.get_attribute("aria-expanded") == "false"
    menu.click()
    owners_page.mouse.click(380, 700)
    assert menu.get_attribute("aria-expanded") == "false"
    menu.click()
    owners_page.locator("#nav a").last.focus()
    owners_page.keyboard.press("Tab")
    assert menu.get_attribute("aria-expanded") == "false"


# Words and amounts.


def test_what_is_counted_is_said_in_whole_sentences(owner: Person, api: httpx.Client) -> None:
    key = create_key(api, name="Told in words")
    made = owner.post(f"{KEYS}/{key['id']}/rotate", {"overlap": "86400"}).text
    assert re.search(r"works for another <strong [^>]+>2\d hours|works for another <strong [^>]+>1 day", made)
    assert "It was never used." in owner.get(f"{KEYS}/{key['id']}/revoke").text
    api.post("/members", json={"email": "words@example.com"}).raise_for_status()
    assert "invited, ends in 6 days" in owner.get("/settings/members").text


def test_an_amount_is_the_same_on_every_page(owner: Person, api: httpx.Client, house: Server) -> None:
    api.post("/customers", json={"customer_id": "thrifty", "budgets": {"monthly": "20.5"}}).raise_for_status()
    shown = owner.get("/customers/thrifty").text
    assert "20.50 USD a month" in shown
    for path in ("/", "/usage", "/billing", "/customers/thrifty"):
        assert re.search(r"<dt>Cost[^<]*</dt><dd>0\.00", owner.get(path).text), path


def test_the_end_of_a_key_is_told_as_it_is_where_it_is_changed(owner: Person, api: httpx.Client) -> None:
    key = create_key(api, name="Ends early", expires_at="2099-05-06T06:09:00Z")
    form = owner.get(f"{KEYS}/{key['id']}/edit").text
    assert "2099-05-06 06:09 UTC" in form
    assert "It ends with this day" not in form


# Tables, paper and names.


def test_on_a_phone_a_bill_is_made_of_cards(owners_page: Page, api: httpx.Client, house: Server) -> None:
    key = create_key(api, customer_id="on-a-phone", scopes=["inference:write"])["key"]
    httpx.post(f"{house.base_url}/chat/completions", json=HELLO, headers=bearer(key)).raise_for_status()
    summary = until(lambda: api.get("/billing/summary").json(), lambda found: found["models"])
    owners_page.set_viewport_size({"width": 390, "height": 800})
    for path in ("/billing", f"/billing/statements/{summary['month']}/on-a-phone"):
        owners_page.goto(path)
        cell = owners_page.locator("td[data-label='Tokens in']").first
        assert cell.evaluate("cell => getComputedStyle(cell).display") == "flex"


def test_on_paper_there_is_the_page_alone_in_light_colours(owners_page: Page) -> None:
    owners_page.goto("/billing")
    owners_page.evaluate("document.documentElement.dataset.theme = 'dark'")
    owners_page.emulate_media(media="print", color_scheme="dark")
    assert not owners_page.locator(".topbar").is_visible()
    assert not owners_page.locator("#nav").is_visible()
    colour = owners_page.locator("h1").evaluate("heading => getComputedStyle(heading).color")
    assert colour == "rgb(23, 27, 36)"


def test_a_name_that_turns_text_around_turns_nothing_but_itself(owners_page: Page, api: httpx.Client) -> None:
    old = create_key(api, name="Right to left \u05d0")
    new = api.post(f"/keys/{old['id']}/rotate", json={"overlap": 3600}).json()
    owners_page.goto(f"{KEYS}/{new['id']}")
    name = owners_page.get_by_role("link", name="Right to left").first
    assert name.evaluate("link => getComputedStyle(link).unicodeBidi") == "isolate"


def test_what_stands_at_the_two_ends_of_a_line_stands_there(owners_page: Page) -> None:
    owners_page.goto("/")
    title = owners_page.get_by_role("heading", name="Over time").bounding_box()
    link = owners_page.get_by_role("link", name="By model, key and customer").bounding_box()
    assert title is not None
    assert link is not None
    assert link["x"] > title["x"] + title["width"]
    assert link["y"] < title["y"] + title["height"]
