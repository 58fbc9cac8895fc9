from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from innoai.sdk import webhooks as sdk
from tests.contract.webhooks import until
from tests.dashboard.conftest import ECHOING
from tests.support.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

    from tests.support.dashboard import Person
    from tests.support.server import Server

LIST = "/webhooks"


@pytest.fixture(scope="module")
def house(new_server: Callable[..., Server]) -> Server:
    """A server that may deliver to this machine."""
    return new_server(ECHOING + '\n[webhooks]\nallowed_networks = ["127.0.0.0/8"]\n')


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Where events go."""
    with Receiver().running() as running:
        yield running


def add(owner: Person, url: str, **fields: str) -> tuple[str, str]:
    """Add an endpoint; gives the path of its page, and its secret."""
    shown = owner.post(LIST, {"url": url, "which": "every", **fields}, page=f"{LIST}/new")
    assert shown.status_code == 200, shown.text
    page = re.search(r'href="(/webhooks/whe_\w+)"', shown.text)
    secret = re.search(r'<code id="secret">([^<]+)</code>', shown.text)
    assert page is not None
    assert secret is not None
    return page[1], secret[1]


def test_an_endpoint_is_added_tested_and_its_delivery_read(owners_page: Page, receiver: Receiver) -> None:
    url = receiver.url("/ok")
    owners_page.goto(LIST)
    owners_page.get_by_role("link", name="Add endpoint").first.click()
    owners_page.locator("#url").fill(url)
    owners_page.get_by_role("button", name="Add endpoint").click()
    secret = owners_page.locator("#secret").inner_text()
    owners_page.get_by_role("link", name="I have copied it").click()
    owners_page.get_by_role("button", name="Send a test").click()
    owners_page.get_by_text("Attempt 1").wait_for()
    owners_page.get_by_text("succeeded").wait_for()
    received = next(each for each in receiver.at("/ok") if b"webhook.test" in each.body)
    assert sdk.verify(received.body, received.headers["x-innoai-signature"], secret)
    owners_page.get_by_role("button", name="Send again").click()
    owners_page.get_by_text("It is on its way once more.").wait_for()


def test_a_new_secret_is_shown_once_and_the_old_one_lives_on_for_a_while(
    owner: Person, receiver: Receiver
) -> None:
    page, former = add(owner, receiver.url("/rotated"))
    shown = owner.post(f"{page}/rotate-secret", {"overlap": "3600"})
    later = re.search(r'<code id="secret">([^<]+)</code>', shown.text)
    assert later is not None
    assert later[1] != former
    assert "signed with the old secret as well" in shown.text
    assert later[1] not in owner.get(page).text


def test_headers_are_kept_unless_new_ones_are_typed(owner: Person, receiver: Receiver) -> None:
    page, _ = add(owner, receiver.url("/headers"), headers="X-Team: payments\nX-Key: secret")
    assert "payments" not in owner.get(page).text
    assert "What you write takes the place of all present ones." in owner.get(f"{page}/edit").text
    kept = {"url": receiver.url("/headers"), "which": "chosen", "event_types": "key.created", "headers": ""}
    assert owner.post(page, kept, page=f"{page}/edit").status_code == 303
    assert "X-Team" in owner.get(page).text
    assert owner.post(page, {**kept, "forget_headers": "yes"}, page=f"{page}/edit").status_code == 303
    assert "X-Team" not in owner.get(page).text


@pytest.mark.parametrize(
    ("fields", "beside"),
    [
        ({"url": "nonsense"}, "url"),
        ({"url": "http://169.254.169.254/latest"}, "url"),
        ({"which": "chosen"}, "event_types"),
        ({"headers": "no header"}, "headers"),
        ({"headers": "webhook-id: mine"}, "headers"),
    ],
)
def test_what_is_refused_is_said_beside_its_field(fields: dict[str, str], beside: str, owner: Person) -> None:
    typed = {"url": "https://example.com/hook", "description": "Kept", "which": "every", **fields}
    answer = owner.post(LIST, typed, page=f"{LIST}/new")
    assert answer.status_code == 400
    assert f'id="{beside}-error"' in answer.text
    assert 'value="Kept"' in answer.text


def test_an_endpoint_is_disabled_enabled_and_deleted(owner: Person, receiver: Receiver) -> None:
    url = receiver.url("/deleted")
    page, _ = add(owner, url)
    owner.post(f"{page}/state", {"disabled": "yes"}, page=page)
    assert "Send a test" not in owner.get(page).text
    owner.post(f"{page}/state", {"disabled": "no"}, page=page)
    assert "Send a test" in owner.get(page).text
    assert owner.post(f"{page}/delete", {"confirmation": "wrong"}).status_code == 400
    assert owner.post(f"{page}/delete", {"confirmation": url}).status_code == 303
    assert owner.get(page).status_code == 404


def test_a_delivery_under_way_looks_again_only_when_something_may_have_happened(
    owners_page: Page, owner: Person, receiver: Receiver
) -> None:
    page, _ = add(owner, receiver.url("/status/500"))
    sent = owner.post(f"{page}/test", page=page)
    delivery = sent.headers["location"].partition("?")[0]
    until(lambda: owner.get(delivery).text, lambda text: "1 attempt so far" in text)
    asked: list[str] = []
    owners_page.on("request", lambda request: asked.append(request.url))
    owners_page.clock.install()
    owners_page.goto(delivery)
    owners_page.get_by_text("Headers that were sent").click()
    asked.clear()
    owners_page.clock.run_for(3_000)
    assert asked == []
    delay = owners_page.locator("#progress").get_attribute("hx-trigger")
    assert delay is not None
    seconds = int(delay.removeprefix("load delay:").removesuffix("s"))
    assert seconds > 3
    with owners_page.expect_response("**/progress?seen=1") as answered:
        owners_page.clock.run_for(seconds * 1_000)
    assert answered.value.request.headers["x-by-itself"] == "yes"
    # What was opened stays open, and what had the focus keeps it.
    assert owners_page.locator("#attempts details").first.get_attribute("open") is not None
    assert owners_page.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert owners_page.locator("#attempts article").count() == 1


def test_what_is_new_of_a_delivery_is_what_the_page_does_not_show(owner: Person, receiver: Receiver) -> None:
    page, _ = add(owner, receiver.url("/ok"))
    delivery = owner.post(f"{page}/test", page=page).headers["location"].partition("?")[0]
    until(lambda: owner.get(delivery).text, lambda text: ">succeeded<" in text)
    assert "Attempt 1" in owner.get(f"{delivery}/progress", seen="0").text
    rest = owner.get(f"{delivery}/progress", seen="1").text
    assert "Attempt 1" not in rest
    assert "hx-trigger" not in rest
    assert owner.get(f"{delivery}/progress", seen="many").status_code == 200


def test_deliveries_say_where_they_went(owner: Person, receiver: Receiver) -> None:
    url = receiver.url("/ok/named")
    page, _ = add(owner, url)
    delivery = owner.post(f"{page}/test", page=page).headers["location"].partition("?")[0]
    listed = owner.get(f"{LIST}/deliveries").text
    assert f"to {url}" in listed
    assert f'<option value="{page.rpartition("/")[2]}">{url}</option>' in listed
    assert f'<a href="{page}">{url}</a>' in owner.get(delivery).text


def test_deliveries_are_filtered_and_bad_filters_are_none(owner: Person) -> None:
    for query in ({}, {"state": "failed"}, {"state": "nonsense"}, {"event_type": "key.created"}):
        assert owner.get(f"{LIST}/deliveries", **query).status_code == 200
