"""The first owner, and invited members, choose how they sign in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.contract.clients import bearer
from tests.dashboard.conftest import ECHOING
from tests.support.dashboard import PASSWORD, SESSION, join, owner_of, visitor
from tests.support.store import change_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.support.dashboard import Person
    from tests.support.server import Server


def invite(house: Server, email: str, role: str = "viewer") -> str:
    answer = httpx.post(
        f"{house.base_url}/members", json={"email": email, "role": role}, headers=bearer(house.admin_key)
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["invite_url"])


def token_of(url: str) -> str:
    return url.rpartition("invite=")[2]


@pytest.fixture(scope="module")
def fresh(new_server: Callable[..., Server]) -> Server:
    """A server that nobody has set up."""

    return new_server(ECHOING)


def test_the_link_of_the_first_start_makes_the_owner_who_makes_a_key(page: Page, fresh: Server) -> None:
    page.goto(f"{fresh.origin}/setup?invite={token_of(fresh.setup_url)}")
    page.get_by_label("Name").fill("Ana")
    page.get_by_label("Email").fill("Ana@Example.com")
    page.get_by_label("Password").fill("short")
    page.locator("form").first.evaluate("form => form.noValidate = true")
    page.get_by_role("button", name="Create account").click()
    page.locator("#password-error").wait_for()
    assert page.get_by_label("Email").input_value() == "Ana@Example.com"
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.wait_for_url(f"{fresh.origin}/?notice=welcome")
    members = httpx.get(f"{fresh.base_url}/members", headers=bearer(fresh.admin_key)).json()["data"]
    assert [(member["email"], member["role"], member["status"], member["name"]) for member in members] == [
        ("ana@example.com", "owner", "active", "Ana")
    ]
    answer = visitor(fresh).get("/setup", invite=token_of(fresh.setup_url))
    assert answer.status_code == 404
    assert "leads nowhere any more" in answer.text


def test_an_invited_member_joins_under_the_email_of_the_invitation(house: Server, owner: Person) -> None:
    assert owner.email
    url = invite(house, "iris@example.com", "developer")
    assert "You will be a developer" in visitor(house).get("/setup", invite=token_of(url)).text
    iris = join(house, url, "somebody-else@example.com", name="Iris")
    shown = iris.get("/settings/profile").text
    assert "iris@example.com" in shown
    assert "somebody-else" not in shown


def test_an_invitation_is_taken_up_once_by_whoever_is_first(house: Server, owner: Person) -> None:
    assert owner.email
    url = invite(house, "race@example.com")
    token = token_of(url)
    people = [visitor(house) for _ in range(4)]
    tokens = [person.form_token(f"/setup?invite={token}") for person in people]

    def take(place: int) -> int:
        fields = {"form_token": tokens[place], "invite": token, "password": f"{PASSWORD} {place}"}
        headers = {"origin": people[place].origin}
        return people[place].client.post("/setup", data=fields, headers=headers).status_code

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(take, range(4)))
    assert statuses.count(303) == 1
    assert sum(person.client.cookies.get(SESSION) is not None for person in people) == 1


def test_an_invitation_ends_after_a_week(house: Server, owner: Person) -> None:
    assert owner.email
    url = invite(house, "late@example.com")
    change_store(house, "UPDATE members SET invite_expires_at = 1 WHERE email = ?", "late@example.com")
    assert visitor(house).get("/setup", invite=token_of(url)).status_code == 404


def test_an_invitation_that_was_taken_back_leads_nowhere(house: Server, owner: Person) -> None:
    assert owner.email
    url = invite(house, "gone@example.com")
    with httpx.Client(base_url=house.base_url, headers=bearer(house.admin_key)) as api:
        found = api.get("/members", params={"limit": 100}).json()["data"]
        gone = next(member["id"] for member in found if member["email"] == "gone@example.com")
        assert api.delete(f"/members/{gone}").status_code == 204
    assert visitor(house).get("/setup", invite=token_of(url)).status_code == 404


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "../../etc", "' OR 1=1 --", "é" * 43])
def test_no_other_token_leads_anywhere(house: Server, owner: Person, token: str) -> None:
    assert owner.email
    answer = visitor(house).get("/setup", invite=token)
    assert "leads nowhere any more" in answer.text


def test_an_email_that_is_a_members_is_not_the_owners(
    new_server: Callable[..., Server], fresh: Server
) -> None:

    other = new_server(ECHOING)
    invite(other, "taken@example.com")
    person = visitor(other)
    token = token_of(other.setup_url)
    fields = {"invite": token, "email": "TAKEN@example.com", "password": PASSWORD}
    answer = person.post("/setup", fields, page=f"/setup?invite={token}")
    assert answer.status_code == 409
    assert 'id="email-error"' in answer.text
    assert owner_of(other, "free@example.com").session


@pytest.mark.parametrize(
    "email", ["", "a", "a b@c.example", "a@b@c", "<script>@x.example y", "é@example.com"]
)
def test_an_email_that_is_none_is_said_beside_its_field(
    new_server: Callable[..., Server], unset: Server, email: str
) -> None:
    person = visitor(unset)
    token = token_of(unset.setup_url)
    fields = {"invite": token, "email": email, "password": PASSWORD}
    answer = person.post("/setup", fields, page=f"/setup?invite={token}")
    assert answer.status_code == 400
    assert 'id="email-error"' in answer.text


@pytest.fixture(scope="module")
def unset(new_server: Callable[..., Server]) -> Server:
    """A server that stays without an owner."""

    return new_server(ECHOING)
