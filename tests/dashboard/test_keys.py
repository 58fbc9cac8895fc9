from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.dashboard import Person
    from tests.support.server import Server

KEYS = "/settings/api-keys"


def test_a_key_is_made_in_the_form_and_works(owners_page: Page, house: Server) -> None:
    owners_page.goto("/")
    owners_page.get_by_role("navigation", name="Main").get_by_role("link", name="API Keys").click()
    owners_page.get_by_role("link", name="Create New Key").click()
    owners_page.get_by_label("Name").fill("Production backend")
    owners_page.get_by_role("button", name="Create key").click()
    key = owners_page.locator("#secret").inner_text()
    answer = httpx.get(f"{house.base_url}/auth/validate", headers={"authorization": f"Bearer {key}"})
    assert answer.json()["scopes"] == ["inference:read", "inference:write"]


def test_what_is_refused_is_said_beside_its_field_and_what_was_typed_stays(owner: Person) -> None:
    typed = {"name": "Kept", "level": "read", "allowed_ips": "10.0.0.0/8\nnonsense", "rate_limit": "7"}
    answer = owner.post(KEYS, typed, page=f"{KEYS}/new")
    assert answer.status_code == 400
    assert 'id="allowed_ips-error"' in answer.text
    assert 'value="Kept"' in answer.text
    assert re.search(r">\s*10\.0\.0\.0/8\nnonsense</textarea>", answer.text)
