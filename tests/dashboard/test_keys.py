"""Settings > API Keys: made, found, looked at, changed, rotated and revoked."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from innoai.access.scopes import LEVELS, SCOPES
from innoai.dashboard import key_forms
from innoai.dashboard.forms import Form
from innoai.errors import InnoError
from tests.contract.clients import HELLO, bearer, create_key
from tests.contract.webhooks import until
from tests.support.server import MODEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.support.dashboard import Person
    from tests.support.server import Server

KEYS = "/settings/api-keys"
NEW = f"{KEYS}/new"


@pytest.fixture
def api(house: Server) -> Iterator[httpx.Client]:
    """The API with the first key."""
    with httpx.Client(base_url=house.base_url, headers=bearer(house.admin_key), timeout=30) as client:
        yield client


def made(answer: httpx.Response) -> str:
    """The key that the page shows."""
    assert answer.status_code == 200, answer.text
    found = re.search(r'id="secret">(sk-inno-[0-9A-Za-z]{49})<', answer.text)
    assert found is not None
    return found[1]


def key_of(api: httpx.Client, name: str) -> dict[str, Any]:
    found = api.get("/keys", params={"search": name}).json()["data"]
    assert len(found) == 1
    return dict(found[0])


def test_every_field_of_the_form_becomes_what_it_says(
    owner: Person, api: httpx.Client, house: Server
) -> None:
    fields = {
        "name": "All of it",
        "scopes": ["inference:read", "billing:read"],
        "allowed_ips": "203.0.113.0/24, 2001:db8::/32\n127.0.0.1",
        "rate_limit": "1,000",
        "expires": "30",
        "models": [MODEL],
        "customer_id": "customer-123",
        "monthly": "20",
        "total": "100.5",
    }
    secret = made(owner.post(KEYS, fields, page=NEW))
    key = key_of(api, "All of it")
    assert key["scopes"] == ["inference:read", "billing:read"]
    assert key["allowed_ips"] == ["203.0.113.0/24", "2001:db8::/32", "127.0.0.1/32"]
    assert (key["rate_limit"], key["models"], key["customer_id"]) == (1000, [MODEL], "customer-123")
    assert key["budgets"] == {"monthly": "20", "total": "100.5"}
    ends = datetime.fromisoformat(key["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=30) < ends <= timedelta(days=30, hours=1)
    validated = httpx.get(f"{house.base_url}/auth/validate", headers=bearer(secret)).json()
    assert validated["key_id"] == key["id"]


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_gives_its_scopes(owner: Person, api: httpx.Client, level: str) -> None:
    made(owner.post(KEYS, {"name": f"Level {level}", "level": level}, page=NEW))
    assert key_of(api, f"Level {level}")["level"] == level


def test_the_matrix_shows_every_scope_once(owner: Person) -> None:
    page = owner.get(NEW).text
    assert sorted(re.findall(r'name="scopes" value="([^"]+)"', page)) == sorted(SCOPES)
    for level, scopes in LEVELS.items():
        stated = re.search(rf'value="{level}" data-scopes="([^"]+)"', page)
        assert stated is not None
        assert set(stated[1].split()) == scopes


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"level": "god"}, "level"),
        ({"allowed_ips": "10.0.0.0/8\nnonsense"}, "allowed_ips"),
        ({"rate_limit": "many"}, "rate_limit"),
        ({"rate_limit": "0"}, "rate_limit"),
        ({"rate_limit": "-5"}, "rate_limit"),
        ({"rate_limit": "999999999"}, "rate_limit"),
        ({"expires": "date", "expires_on": "tomorrow"}, "expires_at"),
        ({"expires": "date", "expires_on": "2020-01-31"}, "expires_at"),
        ({"expires": "whenever"}, "expires_at"),
        ({"customer_id": "has spaces"}, "customer_id"),
        ({"monthly": "much"}, "monthly"),
        ({"total": "-1"}, "total"),
    ],
)
def test_what_is_refused_is_said_beside_its_field_and_what_was_typed_stays(
    owner: Person, api: httpx.Client, typed: dict[str, Any], field: str
) -> None:
    fields = {"name": "Refused", "scopes": ["billing:read"], "rate_limit": "7", **typed}
    answer = owner.post(KEYS, fields, page=NEW)
    assert answer.status_code in (400, 409)
    assert f'id="{field}-error"' in answer.text
    assert answer.text.count('role="alert"') == 1
    for name in ("name", "rate_limit", "customer_id", "expires_on"):
        if fields.get(name):
            assert f'value="{fields[name]}"' in answer.text
    if fields["scopes"] == ["billing:read"]:
        assert re.search(r'value="billing:read"[^>]* checked', answer.text)
    assert api.get("/keys", params={"search": "Refused"}).json()["data"] == []


def test_a_form_that_is_sent_twice_makes_one_key_and_shows_it_again(owner: Person, api: httpx.Client) -> None:
    page = owner.get(NEW).text
    once = re.search(r'name="once" value="([^"]+)"', page)
    assert once is not None
    fields = {"name": "Sent twice", "level": "read", "once": once[1], "expires": "7"}
    first, second = owner.post(KEYS, fields, page=NEW), owner.post(KEYS, fields, page=NEW)
    assert made(first) == made(second)
    assert key_of(api, "Sent twice")
    # Back in the form, with another name typed into it, it is another key.
    assert made(owner.post(KEYS, {**fields, "name": "Sent anew"}, page=NEW)) != made(first)


def test_the_key_is_shown_once(owner: Person, api: httpx.Client) -> None:
    secret = made(owner.post(KEYS, {"name": "Only once", "level": "read"}, page=NEW))
    key = key_of(api, "Only once")
    for path in (KEYS, f"{KEYS}/{key['id']}", f"{KEYS}/{key['id']}/edit"):
        assert secret not in owner.get(path).text
        assert secret[8:-4] not in owner.get(path).text


def test_keys_are_found_by_name_last_characters_state_and_page(
    owner: Person, api: httpx.Client, owners_page: Page
) -> None:
    keys = [create_key(api, name=f"Batch {number:02}") for number in range(30)]
    api.delete(f"/keys/{keys[3]['id']}")
    first = owner.get(KEYS, search="batch").text
    assert first.count('class="cell-title"') == 25
    older = re.search(r'href="(/settings/api-keys\?[^"]*cursor=[^"]+)"', first)
    assert older is not None
    rest = owner.get(older[1].replace("&amp;", "&")).text
    assert rest.count('class="cell-title"') == 5
    assert "Newest" in rest
    assert owner.get(KEYS, search="batch", status="revoked").text.count('class="cell-title"') == 1
    assert "Batch 07" in owner.get(KEYS, search=keys[7]["last4"]).text
    assert "No key fits" in owner.get(KEYS, search="no such key").text
    owners_page.goto(KEYS)
    owners_page.get_by_label("Search").press_sequentially("BATCH 1")
    owners_page.wait_for_url(re.compile(r"search=BATCH(?:%20|\+)1"))
    owners_page.get_by_role("link", name="Batch 29").wait_for(state="detached")
    assert owners_page.get_by_role("row").count() == 11
    owners_page.get_by_label("State").select_option("revoked")
    owners_page.get_by_text("No key fits").wait_for()


@pytest.mark.parametrize(
    "query", ["status=odd", "cursor=odd", "search=" + "x" * 500, "search=%00", "cursor=key_"]
)
def test_an_odd_address_is_answered_in_words(owner: Person, query: str) -> None:
    assert owner.get(f"{KEYS}?{query}").status_code in (200, 400)


def test_requests_are_counted_in_the_list(owner: Person, api: httpx.Client, house: Server) -> None:
    key = create_key(api, name="Counted")
    for _ in range(3):
        answer = httpx.post(
            f"{house.base_url}/chat/completions", json=HELLO, headers=bearer(key["key"]), timeout=30
        )
        assert answer.status_code == 200
    until(lambda: key_of(api, "Counted")["requests_this_month"], lambda requests: requests == 3)
    assert re.search(r'month" class="number">3</td>', owner.get(KEYS, search="Counted").text)


def test_a_key_is_changed_and_what_was_not_touched_stays(owner: Person, api: httpx.Client) -> None:
    ends = "2099-05-06T07:08:09Z"
    key = create_key(api, name="To be changed", expires_at=ends, allowed_ips=["10.0.0.0/8"], rate_limit=50)
    path = f"{KEYS}/{key['id']}"
    form = owner.get(f"{path}/edit").text
    assert 'value="2099-05-06"' in form
    fields = {
        "name": "Changed",
        "scopes": ["inference:read"],
        "allowed_ips": "10.0.0.0/8",
        "rate_limit": "60",
        "expires": "date",
        "expires_on": "2099-05-06",
    }
    answer = owner.post(path, fields, page=f"{path}/edit")
    assert answer.headers["location"] == f"{path}?notice=key-changed"
    changed = api.get(f"/keys/{key['id']}").json()
    assert (changed["name"], changed["rate_limit"], changed["scopes"]) == ("Changed", 60, ["inference:read"])
    assert changed["expires_at"] == ends
    owner.post(path, {**fields, "expires": "never", "rate_limit": ""}, page=f"{path}/edit")
    changed = api.get(f"/keys/{key['id']}").json()
    assert changed["expires_at"] is None
    assert changed["rate_limit"] == 1_000_000
    refused = owner.post(path, {**fields, "allowed_ips": "odd"}, page=f"{path}/edit")
    assert 'id="allowed_ips-error"' in refused.text
    assert 'value="Changed"' in refused.text


def test_the_budgets_of_a_key_are_changed_one_by_one(owners_page: Page, api: httpx.Client) -> None:
    key = create_key(api, name="Bounded", budgets={"monthly": "5", "total": "50"})
    owners_page.goto(f"{KEYS}/{key['id']}/edit")
    owners_page.get_by_label("Budget a month").fill("")
    owners_page.get_by_role("button", name="Save changes").click()
    owners_page.get_by_text("The key was changed").wait_for()
    assert api.get(f"/keys/{key['id']}").json()["budgets"] == {"monthly": None, "total": "50"}


@pytest.mark.parametrize(
    ("scopes", "call"),
    [
        (["inference:read", "inference:write"], "/chat/completions"),
        (["inference:read"], "/models"),
        (["billing:read"], "/billing/summary"),
        (["customers:delete"], "/auth/validate"),
    ],
)
def test_what_is_offered_to_try_is_what_the_key_may_do(
    owner: Person, house: Server, scopes: list[str], call: str
) -> None:
    page = owner.post(KEYS, {"name": f"Tries {call}", "scopes": scopes}, page=NEW)
    assert f"{house.base_url}{call}" in page.text
    if call != "/chat/completions":
        answer = httpx.get(f"{house.base_url}{call}", headers=bearer(made(page)))
        assert answer.status_code == 200


def test_a_customer_that_comes_into_being_with_a_key_is_told_of(owner: Person, api: httpx.Client) -> None:
    api.post("/customers", json={"customer_id": "known-before", "name": "Known"}).raise_for_status()
    assert '<option value="known-before">Known</option>' in owner.get(NEW).text
    fields = {"name": "For a customer", "level": "read"}
    known = owner.post(KEYS, {**fields, "customer_id": "known-before"}, page=NEW)
    assert "it was made" not in known.text
    mistyped = owner.post(KEYS, {**fields, "customer_id": "known-befor"}, page=NEW)
    assert "it was made" in mistyped.text
    assert 'href="/customers/known-befor"' in mistyped.text


def test_rotation_leaves_the_old_key_its_time(
    owner: Person, api: httpx.Client, house: Server, owners_page: Page
) -> None:
    key = create_key(api, name="To be rotated", rate_limit=77)
    owners_page.goto(f"{KEYS}/{key['id']}")
    owners_page.get_by_role("link", name="Rotate").click()
    owners_page.get_by_label("The old key ends").select_option("3600")
    owners_page.get_by_role("button", name="Rotate key").click()
    secret = owners_page.locator("#secret").inner_text()
    assert re.fullmatch(r"(59 min \d+ s|1 h|59 min)", owners_page.locator("[data-until]").inner_text())
    for live in (key["key"], secret):
        answer = httpx.get(f"{house.base_url}/auth/validate", headers=bearer(live))
        assert answer.json()["rate_limit"] == 77
    owners_page.get_by_role("link", name="I have copied it").click()
    owners_page.get_by_text("This key succeeds").wait_for()
    former = owner.get(f"{KEYS}/{key['id']}").text
    assert "This key was rotated" in former
    assert f"{KEYS}/{key['id']}/rotate" not in former
    assert f"{KEYS}/{key_of(api, secret[-4:])['id']}" in former
    gone = create_key(api, name="Gone at once")
    answer = owner.post(f"{KEYS}/{gone['id']}/rotate", {"overlap": "0", "name": "Its successor"})
    assert made(answer)
    assert "does not work any more" in answer.text
    assert httpx.get(f"{house.base_url}/auth/validate", headers=bearer(gone["key"])).status_code == 401
    assert key_of(api, "Its successor")["rotated_from"] == gone["id"]


@pytest.mark.parametrize("overlap", ["", "odd", "-1", "99999999999"])
def test_an_overlap_that_is_not_offered_is_refused_in_words(
    owner: Person, api: httpx.Client, overlap: str
) -> None:
    key = create_key(api, name="Stays as it is")
    answer = owner.post(f"{KEYS}/{key['id']}/rotate", {"overlap": overlap, "name": "Typed"})
    assert answer.status_code == 400
    assert 'value="Typed"' in answer.text
    assert 'id="overlap-error"' in answer.text
    assert api.get(f"/keys/{key['id']}").json()["expires_at"] is None
    api.delete(f"/keys/{key['id']}")


def test_a_key_is_revoked_once_its_name_is_typed(owner: Person, api: httpx.Client) -> None:
    key = create_key(api, name=" To be  revoked ")
    path = f"{KEYS}/{key['id']}/revoke"
    wrong = owner.post(path, {"confirmation": "To be revoked!"})
    assert wrong.status_code == 400
    assert 'id="confirmation-error"' in wrong.text
    assert api.get(f"/keys/{key['id']}").json()["status"] == "active"
    answer = owner.post(path, {"confirmation": "To be  revoked"})
    assert answer.headers["location"] == f"{KEYS}?notice=key-revoked"
    assert api.get(f"/keys/{key['id']}").json()["status"] == "revoked"
    page = owner.get(f"{KEYS}/{key['id']}").text
    assert "/rotate" not in page
    assert "/revoke" not in page


def test_a_name_with_spaces_in_a_row_is_confirmed_as_it_looks(owners_page: Page, api: httpx.Client) -> None:
    key = create_key(api, name="Two  spaces   and three")
    owners_page.goto(f"{KEYS}/{key['id']}/revoke")
    owners_page.get_by_label("type the key's name").fill("Two spaces and three")
    owners_page.get_by_role("button", name="Revoke key").click()
    owners_page.get_by_text("The key was revoked").wait_for()
    assert api.get(f"/keys/{key['id']}").json()["status"] == "revoked"


def test_a_key_of_another_account_is_not_there(owner: Person, house: Server) -> None:
    other = httpx.Response(
        200, content=house.operator("accounts", "create", "--name", "Other", "--json").stdout
    ).json()
    theirs = httpx.get(f"{house.base_url}/keys", headers=bearer(other["api_key"])).json()["data"][0]
    for path in ("", "/edit", "/rotate", "/revoke"):
        assert owner.get(f"{KEYS}/{theirs['id']}{path}").status_code == 404


def test_a_level_ticks_its_scopes_and_ticking_by_hand_leaves_it(owners_page: Page) -> None:
    owners_page.goto(NEW)
    scope = owners_page.get_by_role("checkbox", name="customers:delete")
    assert not scope.is_checked()
    owners_page.get_by_role("radio", name="Delete").check()
    assert scope.is_checked()
    scope.uncheck()
    assert owners_page.get_by_role("radio", name="Write").is_checked()
    owners_page.get_by_role("checkbox", name="billing:write").uncheck()
    assert owners_page.get_by_role("radio", name="Scopes").is_checked()
    day = owners_page.get_by_label("Day")
    assert not day.is_visible()
    owners_page.get_by_label("Ends").select_option("date")
    day.wait_for()


def test_the_form_works_by_the_keyboard_alone(owners_page: Page, api: httpx.Client) -> None:
    owners_page.goto(NEW)
    owners_page.keyboard.press("Tab")
    assert owners_page.evaluate("document.activeElement.textContent") == "Skip to the content"
    owners_page.get_by_label("Name").focus()
    owners_page.keyboard.type("By keyboard")
    owners_page.keyboard.press("Enter")
    owners_page.locator("#secret").wait_for()
    assert key_of(api, "By keyboard")["level"] is None


def test_the_page_of_a_key_that_ends_says_what_helps(owner: Person, api: httpx.Client) -> None:
    ends = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    key = create_key(api, name="Ends soon", expires_at=ends)
    shown = owner.get(f"{KEYS}/{key['id']}").text
    assert f'<a href="{KEYS}/{key["id"]}/edit">give it a later end</a>' in shown
    assert "A key that it is rotated to ends then, too." in shown
    assert "So does the new one" in owner.get(f"{KEYS}/{key['id']}/rotate").text
    made = api.post(f"/keys/{key['id']}/rotate", json={}).json()
    assert made["expires_at"] == key["expires_at"]


# Without a server.


@pytest.mark.parametrize("text", ["", " ", "1000", "1,000", " 1 000 "])
def test_a_number_is_read_as_people_write_it(text: str) -> None:
    form = Form([("name", "x"), ("level", "read"), ("rate_limit", text)])
    assert key_forms.creation(form, key_forms.empty_values(), 0.0)["rate_limit"] == (
        1000 if text.strip() else None
    )


@pytest.mark.parametrize(
    "text", ["1e3", "\u0661\u0660", "1.5", "0x10", "9999999999", "1,5", "1 0", "10,00", ",100", "1,,000"]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    form = Form([("name", "x"), ("level", "read"), ("rate_limit", text)])
    with pytest.raises(InnoError) as caught:
        key_forms.creation(form, key_forms.empty_values(), 0.0)
    assert caught.value.refusal.details["param"] == "rate_limit"
