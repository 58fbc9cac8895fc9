"""What tests of the dashboard share: a server with members of each role, and a real browser.

A module's tests share one server and one browser. The browser runs for a module, not for the session,
since Playwright's loop and those of asynchronous tests do not go together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.dashboard import SESSION, Person, member_of, owner_of, visitor
from tests.support.server import MODEL
from tests.support.settings import settings
from tests.support.tools import program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.support.server import Server

ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking")
PATIENCE_MS = 10_000
MANY_ATTEMPTS = 100_000
ECHOING = settings(
    {MODEL: [{"base_url": "echo:"}]},
    {"dashboard": {"attempts_per_address": MANY_ATTEMPTS, "attempts_per_email": MANY_ATTEMPTS}},
)
"""Settings of a server whose one model is the built-in echo, and at which tests may fail to sign in often."""


@pytest.fixture(scope="module")
def house(new_server: Callable[..., Server]) -> Server:
    """The module's server."""
    return new_server(ECHOING)


@pytest.fixture(scope="module")
def owner(house: Server) -> Person:
    """Its first owner, signed in: `owner.get(path)`, `owner.post(path, fields)`."""
    return owner_of(house)


@pytest.fixture(scope="module")
def viewer(house: Server, owner: Person) -> Person:
    """A member who may look, signed in."""
    assert owner.session is not None
    return member_of(house, "viewer", "vera@example.com", name="Vera")


@pytest.fixture(scope="module")
def developer(house: Server, owner: Person) -> Person:
    """A member who may do all but what needs admin:full, signed in."""
    assert owner.session is not None
    return member_of(house, "developer", "dev@example.com", name="Dev")


@pytest.fixture
def stranger(house: Server) -> Person:
    """Somebody who is not signed in."""
    return visitor(house)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    chromium = program("chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture
def context(browser: Browser, house: Server) -> Iterator[BrowserContext]:
    """A fresh profile of the browser, at the module's server. What a page's script throws fails the test."""
    opened = browser.new_context(base_url=house.origin, viewport={"width": 1280, "height": 800})
    opened.set_default_timeout(PATIENCE_MS)
    opened.grant_permissions(["clipboard-read", "clipboard-write"])
    thrown: list[str] = []
    opened.on("weberror", lambda error: thrown.append(str(error.error)))
    opened.on("console", lambda message: thrown.append(message.text) if _is_violation(message.text) else None)
    yield opened
    opened.close()
    assert thrown == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A tab of somebody who is not signed in."""
    return context.new_page()


@pytest.fixture
def owners_page(context: BrowserContext, owner: Person, house: Server) -> Page:
    """A tab of the owner, who is signed in."""
    return signed_in_page(context, owner, house)


def signed_in_page(context: BrowserContext, person: Person, house: Server) -> Page:
    """A tab with the session that the person has."""
    assert person.session is not None
    context.add_cookies([{"name": SESSION, "value": person.session, "url": house.origin}])
    return context.new_page()


def _is_violation(text: str) -> bool:
    return "Content Security Policy" in text
