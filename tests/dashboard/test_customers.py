from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.dashboard import Person
    from tests.support.server import Server

LIST = "/customers"
NEW = "/new-customer"


def make(person: Person, customer_id: str, **fields: str) -> httpx.Response:
    return person.post(LIST, {"customer_id": customer_id, **fields}, page=NEW)


def api(house: Server, path: str) -> dict[str, object]:
    answer = httpx.get(f"{house.base_url}{path}", headers={"authorization": f"Bearer {house.admin_key}"})
    found: dict[str, object] = answer.json()
    return found


def test_a_customer_is_made_found_changed_disabled_and_deleted(owners_page: Page, house: Server) -> None:
    owners_page.goto(LIST)
    owners_page.get_by_role("link", name="Create customer").first.click()
    owners_page.get_by_label("Your id").fill("customer-123")
    owners_page.get_by_label("Name").fill("Acme")
    owners_page.get_by_label("Notes").fill("plan = gold")
    owners_page.get_by_label("Budget a month").fill("20.50")
    owners_page.get_by_role("button", name="Create customer").click()
    owners_page.get_by_role("heading", name="Acme", level=1).wait_for()
    made = api(house, "/customers/customer-123")
    assert (made["metadata"], made["budgets"]) == ({"plan": "gold"}, {"monthly": "20.5", "total": None})

    owners_page.get_by_role("link", name="Change").click()
    owners_page.get_by_label("Requests a minute").fill("90")
    owners_page.get_by_role("button", name="Save changes").click()
    owners_page.get_by_text("The customer was changed.").wait_for()
    assert api(house, "/customers/customer-123")["rate_limit"] == 90

    owners_page.get_by_role("button", name="Disable").click()
    owners_page.get_by_text("its keys and tokens are refused.").first.wait_for()
    owners_page.get_by_role("button", name="Enable").click()
    owners_page.get_by_text("The customer was enabled again.").wait_for()

    owners_page.goto(LIST)
    owners_page.get_by_label("Search").fill("ACM")
    owners_page.wait_for_url("**search=ACM*")
    owners_page.get_by_role("link", name="Acme").click()
    owners_page.get_by_role("link", name="Delete").click()
    button = owners_page.get_by_role("button", name="Delete customer")
    assert button.is_disabled()
    owners_page.get_by_label("type the customer's id").fill("customer-123")
    button.click()
    owners_page.get_by_text("The customer was deleted.").wait_for()
    assert "error" in api(house, "/customers/customer-123")


@pytest.mark.parametrize(
    ("fields", "beside"),
    [
        ({"customer_id": ""}, "customer_id"),
        ({"customer_id": "a b"}, "customer_id"),
        ({"rate_limit": "many"}, "rate_limit"),
        ({"monthly": "1,5 dollars"}, "monthly"),
        ({"total": "much"}, "total"),
        ({"metadata": "no pair"}, "metadata"),
    ],
)
def test_what_is_refused_is_said_beside_its_field(fields: dict[str, str], beside: str, owner: Person) -> None:
    answer = owner.post(LIST, {"customer_id": "c", "name": "Kept", "monthly": "", **fields}, page=NEW)
    assert answer.status_code == 400
    assert f'id="{beside}-error"' in answer.text
    assert 'value="Kept"' in answer.text


def test_the_same_form_twice_makes_one_customer(owner: Person) -> None:
    once = {"once": "a-form-that-was-sent-twice"}
    answers = [make(owner, "twice", **once) for _ in range(2)]
    assert [answer.headers["location"] for answer in answers] == [f"{LIST}/twice?notice=customer-created"] * 2
    assert make(owner, "twice").status_code == 409


def test_an_id_with_odd_characters_stays_one_address(owner: Person) -> None:
    made = make(owner, "a+b@x|y:z=1")
    assert owner.get(made.headers["location"]).status_code == 200
    assert 'href="/customers/a%2Bb%40x%7Cy%3Az%3D1"' in owner.get(LIST).text


def test_a_customer_called_new_is_a_customer_like_any_other(owner: Person) -> None:
    assert owner.get(f"{LIST}/new").headers["location"] == NEW
    made = make(owner, "new", name="Called new")
    assert made.headers["location"].startswith(f"{LIST}/new?")
    for path in ("", "/edit", "/delete"):
        assert "Called new" in owner.get(f"{LIST}/new{path}").text
    assert 'aria-current="page"' in owner.get(NEW).text


def test_nothing_that_was_stored_becomes_markup(owner: Person) -> None:
    script = "<script>alert(1)</script>"
    make(owner, "sly", name=script, metadata=f"{script} = \"'><img src=x>")
    for path in (LIST, f"{LIST}/sly", f"{LIST}/sly/edit", f"{LIST}/sly/delete"):
        assert "<script>alert" not in owner.get(path).text
        assert "<img" not in owner.get(path).text


def test_a_budget_that_the_form_did_not_show_is_left_alone(
    owner: Person, developer: Person, house: Server
) -> None:
    make(owner, "bounded", monthly="5", total="")
    page = f"{LIST}/bounded/edit"
    changed = {"name": "By a developer", "rate_limit": "", "metadata": ""}
    assert developer.post(f"{LIST}/bounded", changed, page=page).status_code == 303
    shown = api(house, "/customers/bounded")
    assert (shown["name"], shown["budgets"]) == ("By a developer", {"monthly": "5", "total": None})


def test_a_viewer_sees_customers_and_changes_none(viewer: Person, owner: Person) -> None:
    make(owner, "seen", name="Seen")
    listed = viewer.get(LIST).text
    assert "Seen" in listed
    assert "Create customer" not in listed
    token = viewer.form_token("/")
    refused = viewer.client.post(
        f"{LIST}/seen/state", data={"form_token": token, "disabled": "yes"}, headers={"origin": viewer.origin}
    )
    assert refused.status_code == 403
