"""What was used, what keys did, changes tried before they are made, and requests as they come."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.contract.clients import HELLO, bearer, create_key
from tests.contract.webhooks import until
from tests.dashboard.conftest import ECHOING
from tests.support.dashboard import Person, owner_of
from tests.support.envelope import refused
from tests.support.server import MODEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.support.server import Server


@pytest.fixture(scope="module")
def key(house: Server) -> dict[str, Any]:
    """A key that chatted twice, and was refused once."""
    with httpx.Client(base_url=house.base_url, headers=bearer(house.admin_key), timeout=60) as admin:
        made = create_key(admin, "Busy <b>key</b>")
        for _ in range(2):
            assert admin.post("/chat/completions", json=HELLO, headers=bearer(made["key"])).is_success
        refused(admin.get("/keys", headers=bearer(made["key"])), "insufficient_permissions")
    return made


def test_before_the_first_call_the_overview_begins_with_it(
    new_server: Callable[..., Server], owner: Person, key: dict[str, Any]
) -> None:
    fresh = owner_of(new_server(ECHOING)).get("/").text
    assert "The first call" in fresh.partition("Requests</dt>")[0]
    assert "Over time" not in fresh
    used = until(lambda: owner.get("/").text, lambda text: "Over time" in text)
    assert used.index("Over time") < used.index("The first call")


def test_the_overview_and_usage_show_what_was_used(owner: Person, key: dict[str, Any]) -> None:
    for path in ("/", "/?range=today", "/?range=30d", "/usage", "/usage?from=2026-01-01&to=2026-01-01"):
        answer = owner.get(path)
        assert answer.status_code == 200, path
        assert "Mean duration" in answer.text
        assert "style=" not in answer.text
    assert owner.get("/usage?from=nonsense").status_code == 400


def test_a_page_of_usage_has_400_days_at_most_and_says_so(owner: Person, key: dict[str, Any]) -> None:
    cut = owner.get("/usage?from=1000-01-01&to=2026-11-30").text
    assert "the last 400 are shown" in cut
    assert 'value="2025-10-27"' in cut
    assert "/usage/export?from=2025-10-27" in cut
    whole = owner.get("/usage?from=2025-10-27&to=2026-11-30").text
    assert "are shown" not in whole


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
@pytest.mark.parametrize("page", ["/usage", "/audit", "/audit/export"])
def test_the_first_and_the_last_day_of_the_calendar_are_days(owner: Person, page: str, day: str) -> None:
    for end in ("from", "to"):
        assert owner.get(f"{page}?{end}={day}").status_code == 200


def test_usage_of_all_time_is_exported(owner: Person) -> None:
    answer = owner.get("/usage/export?group_by=model&from=0001-01-01&to=9999-12-31")
    assert answer.text.startswith("model,requests")


def test_the_week_before_a_day_is_shown_where_no_first_day_is_chosen(owner: Person) -> None:
    assert 'value="2026-01-04"' in owner.get("/usage?to=2026-01-10").text


def test_a_viewer_sees_usage_and_no_requests(viewer: Person) -> None:
    assert viewer.get("/usage").status_code == 200
    assert viewer.get("/requests").status_code == 403


def test_members_who_used_the_playground_are_named(
    owner: Person, viewer: Person, house: Server, key: dict[str, Any]
) -> None:
    headers = {"origin": owner.origin, "x-form-token": owner.form_token("/")}
    token = owner.client.post("/playground/token", json={}, headers=headers).json()["access_token"]
    httpx.post(f"{house.base_url}/chat/completions", json=HELLO, headers=bearer(token), timeout=60)
    shown = until(lambda: owner.get("/usage").text, lambda text: "in the playground" in text)
    assert "Ana, in the playground" in shown
    assert "/settings/api-keys/mem_" not in shown
    assert "A member, in the playground" in viewer.get("/usage").text


@pytest.mark.parametrize("room", ["/usage", "/audit"])
def test_a_range_that_ends_before_it_begins_is_said_to(owner: Person, room: str) -> None:
    answer = owner.get(room, **{"from": "2026-02-02", "to": "2026-02-01"})
    assert answer.status_code == 400
    assert 'id="to-error"' in answer.text
    assert 'value="2026-02-02"' in answer.text


def test_usage_is_of_a_model_that_is_chosen(owner: Person, key: dict[str, Any]) -> None:
    assert f'<option value="{MODEL}" selected>' in owner.get("/usage", model=MODEL).text
    assert '<option value="gone" selected>' in owner.get("/usage", model="gone").text


@pytest.mark.parametrize(
    ("address", "field", "typed"),
    [
        ("/requests?key_id=foo", "key_id", "foo"),
        ("/billing/statements?customer_id=a%20b&month=2026-01", "customer_id", "2026-01"),
        ("/audit?actor_id=ana@example.com&action=key.created", "actor_id", "ana@example.com"),
        ("/billing?month=foo", "month", "foo"),
        ("/usage?from=nonsense&to=2026-01-01", "from", "2026-01-01"),
    ],
)
def test_a_filter_that_is_none_is_said_beside_it_and_stays(
    owner: Person, address: str, field: str, typed: str
) -> None:
    answer = owner.get(address)
    assert answer.status_code == 400
    assert f'id="{field}-error"' in answer.text
    assert f'value="{typed}"' in answer.text
    assert answer.text.count('role="alert"') == 1


def test_usage_is_exported(owner: Person, key: dict[str, Any]) -> None:
    answer = owner.get("/usage/export", group_by="day,model", **{"from": "2026-01-01", "to": "2099-01-01"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.splitlines()[0].startswith("day,model,requests")
    named = answer.headers["content-disposition"]
    assert named == 'attachment; filename="usage-by-day-model-2026-01-01-2099-01-01.csv"'
    odd = owner.get("/usage/export", group_by='x"y', **{"from": "2026-01-01"})
    assert 'x"y' not in odd.headers.get("content-disposition", "")


def test_a_keys_page_shows_traffic_refusals_and_advice(owner: Person, key: dict[str, Any]) -> None:
    text = owner.get(f"/settings/api-keys/{key['id']}").text
    assert 'role="img"' in text
    assert "2 allowed" in text
    assert "insufficient_permissions" in text
    assert "/v1/keys" in text
    assert "Busy &lt;b&gt;key&lt;/b&gt;" in text


def test_a_change_is_tried_and_then_made(owner: Person, house: Server, key: dict[str, Any]) -> None:
    page = f"/settings/api-keys/{key['id']}"
    fields = {"scopes": ["inference:read"], "allowed_ips": "127.0.0.0/8", "models": MODEL, "rate_limit": "50"}
    tried = owner.post(f"{page}/preview", fields, page=page)
    assert "2 of 2 admitted requests would have been refused" in tried.text
    wrong = owner.post(f"{page}/preview", {**fields, "allowed_ips": "nonsense"}, page=page)
    assert (wrong.status_code, 'id="allowed_ips-error"' in wrong.text) == (400, True)
    fine = {**fields, "scopes": ["inference:write"]}
    assert "None of 2 admitted" in owner.post(f"{page}/preview", fine, page=page).text
    made = owner.post(f"{page}/apply", fine, page=page)
    assert made.status_code == 303
    changed = httpx.get(f"{house.base_url}/keys/{key['id']}", headers=bearer(house.admin_key)).json()
    assert (changed["scopes"], changed["rate_limit"]) == (["inference:write"], 50)


def test_enter_tries_again_and_what_is_made_is_what_was_tried(
    owners_page: Page, house: Server, key: dict[str, Any]
) -> None:
    def rate() -> int:
        shown = httpx.get(f"{house.base_url}/keys/{key['id']}", headers=bearer(house.admin_key)).json()
        return int(shown["rate_limit"])

    before = rate()
    owners_page.goto(f"/settings/api-keys/{key['id']}")
    owners_page.get_by_label("Requests a minute").fill("7")
    owners_page.get_by_role("button", name="What would have been refused?").click()
    owners_page.get_by_role("heading", name="What would have been refused?").wait_for()
    owners_page.get_by_label("Requests a minute").fill("5")
    owners_page.get_by_label("Requests a minute").press("Enter")
    owners_page.get_by_role("heading", name="What would have been refused?").wait_for()
    owners_page.wait_for_function("document.querySelector('#rate_limit').defaultValue === '5'")
    assert rate() == before
    owners_page.get_by_label("Requests a minute").fill("3")
    owners_page.get_by_role("button", name="Make the change that was tried").click()
    owners_page.get_by_text("The key was changed").wait_for()
    assert rate() == 5


def test_requests_appear_as_they_happen(owners_page: Page, house: Server, key: dict[str, Any]) -> None:
    owners_page.goto("/requests")
    owners_page.get_by_text("Connected. Requests show here").wait_for()
    httpx.get(f"{house.base_url}/billing/usage", headers=bearer(key["key"]))
    row = owners_page.locator("[data-tail-rows] tr").first
    row.get_by_text("insufficient_permissions").wait_for()
    assert "GET /v1/billing/usage" in row.inner_text()


def test_what_comes_during_a_pause_is_shown_after_it(
    owners_page: Page, house: Server, key: dict[str, Any]
) -> None:
    owners_page.goto("/requests")
    owners_page.get_by_text("Connected. Requests show here").wait_for()
    owners_page.get_by_role("button", name="Pause").click()
    owners_page.get_by_text("Paused. 0 more came.").wait_for()
    httpx.get(f"{house.base_url}/billing/summary", headers=bearer(key["key"]))
    owners_page.get_by_text("Paused. 1 more came.").wait_for()
    assert owners_page.locator("[data-tail-rows] tr").count() == 0
    owners_page.get_by_role("button", name="Go on").click()
    owners_page.locator("[data-tail-rows]").get_by_text("GET /v1/billing/summary").wait_for()


def test_live_requests_go_on_after_an_answer_that_is_no_stream(
    owners_page: Page, house: Server, key: dict[str, Any]
) -> None:
    owners_page.route(
        "**/requests/stream", lambda route: route.fulfill(status=502, body="bad gateway"), times=1
    )
    owners_page.goto("/requests")
    owners_page.get_by_text("The connection was refused; trying again").wait_for()
    owners_page.get_by_text("Connected. Requests show here").wait_for()
    httpx.get(f"{house.base_url}/billing/usage", headers=bearer(key["key"]))
    owners_page.locator("[data-tail-rows] tr").get_by_text("GET /v1/billing/usage").first.wait_for()


def test_what_a_request_cost_has_its_currency(owners_page: Page) -> None:
    decided = {"at": "2026-01-01T00:00:00Z", "allowed": True, "code": None, "method": "POST", "path": "/p"}
    decided |= {"model": None, "key_id": "key_1", "address": None, "message": None, "checks": []}
    finished = {"status": 200, "outcome": "completed", "duration_ms": 1, "completion_tokens": None}
    events = {"decided": decided, "finished": {**finished, "cost": "0.25"}}
    stream = "".join(
        f"event: {name}\ndata: {json.dumps({**told, 'request_id': 'req_1'})}\n\n"
        for name, told in events.items()
    )
    owners_page.route(
        "**/requests/stream", lambda route: route.fulfill(content_type="text/event-stream", body=stream)
    )
    owners_page.goto("/requests")
    owners_page.get_by_text("cost 0.25 USD").first.wait_for()
