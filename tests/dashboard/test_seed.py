"""The seed's own path: log in, Settings > API Keys, "Create New Key", copy it, use it, revoke it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from tests.support.dashboard import PASSWORD
from tests.support.tools import program

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.dashboard import Person
    from tests.support.server import Server


def run(command: str) -> dict[str, object]:
    """What a person's shell answers to the pasted command."""
    ended = subprocess.run(["sh", "-c", f"{command} --silent"], capture_output=True, text=True, check=True)
    answer: dict[str, object] = json.loads(ended.stdout)
    return answer


def test_the_first_steps_of_the_documentation(page: Page, owner: Person, house: Server) -> None:
    program("curl")
    # 1. Log in to the dashboard.
    page.goto("/")
    page.get_by_label("Email").fill(owner.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    # 2. Go to Settings > API Keys.
    settings = page.get_by_role("navigation", name="Main").get_by_role("list", name="Settings")
    settings.get_by_role("link", name="API Keys").click()
    # 3. Click "Create New Key". 4. Enter a descriptive name. 5. Select appropriate permissions.
    page.get_by_role("link", name="Create New Key").click()
    page.get_by_label("Name").fill("Production Backend")
    page.get_by_role("checkbox", name="billing:read").check()
    page.get_by_role("checkbox", name="customers:read").check()
    page.get_by_role("button", name="Add my address").click()
    page.get_by_label("Requests a minute").fill("1000")
    page.get_by_role("button", name="Create key").click()
    # 6. Copy the key immediately (shown only once).
    page.get_by_role("button", name="Copy key").click()
    key = page.evaluate("navigator.clipboard.readText()")
    assert key == page.locator("#secret").inner_text()
    command = page.locator("#code-curl").inner_text()
    assert key in command
    assert f"curl {house.base_url}/chat/completions" in command
    answer = run(command)
    assert answer["choices"][0]["message"]["content"] == "Hello"  # type: ignore[index]
    page.get_by_role("link", name="I have copied it").click()
    assert key not in page.content()
    page.get_by_role("region", name="The key").get_by_text("127.0.0.1/32").wait_for()
    # And away with it: its name is to be typed, and then it is refused.
    page.get_by_role("link", name="Revoke").click()
    button = page.get_by_role("button", name="Revoke key")
    assert button.is_disabled()
    page.get_by_label("type the key's name").fill("Production Backend")
    button.click()
    page.get_by_text("The key was revoked").wait_for()
    assert run(command)["error"]["code"] == "invalid_api_key"  # type: ignore[index]
