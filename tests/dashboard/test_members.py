from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx

from tests.contract.clients import bearer, create_key
from tests.support.dashboard import join, member_of
from tests.support.envelope import refused

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.dashboard import Person
    from tests.support.server import Server

LIST = "/settings/members"


def invite(owner: Person, email: str, role: str = "viewer") -> str:
    """Invite somebody; gives the link."""
    shown = owner.post(LIST, {"email": email, "role": role})
    assert shown.status_code == 200, shown.text
    found = re.search(r"http[^<\s]+/setup\?invite=[\w-]+", shown.text)
    assert found is not None
    return found[0]


def id_of(house: Server, email: str) -> str:
    headers = {"authorization": f"Bearer {house.admin_key}"}
    listed = httpx.get(f"{house.base_url}/members", params={"limit": 100}, headers=headers).json()["data"]
    return str(next(member["id"] for member in listed if member["email"] == email))


def test_somebody_is_invited_joins_is_promoted_and_removed(owners_page: Page, house: Server) -> None:
    owners_page.goto(LIST)
    owners_page.get_by_label("Email").fill("new@example.com")
    owners_page.locator("[name=role][value=developer]").check()
    owners_page.get_by_role("button", name="Invite").click()
    link = owners_page.locator("#invitation").inner_text()
    joined = join(house, link, "new@example.com")
    assert joined.get("/").status_code == 200

    owners_page.goto(LIST)
    owners_page.get_by_role("link", name="Change new@example.com").click()
    owners_page.locator("[name=role][value=viewer]").check()
    owners_page.get_by_role("button", name="Save changes").click()
    owners_page.get_by_text("The member was changed.").wait_for()
    assert joined.get("/playground").status_code == 403
    assert joined.post("/customers", {"customer_id": "x"}, page="/").status_code == 403

    owners_page.get_by_role("link", name="Change new@example.com").click()
    owners_page.get_by_role("link", name="Remove").click()
    owners_page.get_by_label("To go on, type").fill("new@example.com")
    owners_page.get_by_role("button", name="Remove").click()
    owners_page.get_by_text("The member was removed.").wait_for()
    assert joined.get("/").headers["location"].startswith("/login")


def test_an_invitation_that_was_taken_back_opens_nothing(
    owner: Person, stranger: Person, house: Server
) -> None:
    link = invite(owner, "late@example.com")
    page = f"{LIST}/{id_of(house, 'late@example.com')}/remove"
    assert owner.post(page, {"confirmation": "late@example.com"}).status_code == 303
    path = f"/setup?{link.partition('?')[2]}"
    assert "Choose a password" not in stranger.get(path).text
    assert stranger.get(path).status_code == 404


def test_the_last_owner_stays(owner: Person, house: Server) -> None:
    member = f"{LIST}/{id_of(house, owner.email)}"
    demoted = owner.post(member, {"role": "viewer"})
    assert demoted.status_code == 409
    assert "last owner" in demoted.text
    removed = owner.post(f"{member}/remove", {"confirmation": owner.email})
    assert removed.status_code == 409
    assert owner.get("/").status_code == 200


def test_an_admin_is_offered_no_owner(owner: Person, house: Server) -> None:
    admin = member_of(house, "admin", "no-owners@example.com")
    assert 'name="role" value="owner"' in owner.get(LIST).text
    assert 'name="role" value="owner"' not in admin.get(LIST).text
    page = f"{LIST}/{id_of(house, owner.email)}"
    shown = admin.get(page).text
    assert "Only an owner changes an owner." in shown
    assert "Save changes" not in shown
    assert f"{page}/remove" not in shown
    assert admin.get(f"{page}/remove").status_code == 403


def test_an_email_that_is_taken_or_none_is_said_beside_its_field(owner: Person) -> None:
    for email, status in ((owner.email, 409), ("nonsense", 400), ("", 400)):
        answer = owner.post(LIST, {"email": email, "role": "viewer"})
        assert answer.status_code == status
        assert 'id="email-error"' in answer.text


def test_only_admins_see_members(viewer: Person, developer: Person) -> None:
    for person in (viewer, developer):
        assert person.get(LIST).status_code == 403
        assert LIST not in person.get("/").text


def made_key(shown: httpx.Response) -> dict[str, str]:
    """The header that presents the key on a page."""
    found = re.search(r'id="secret">(sk-inno-[0-9A-Za-z]{49})<', shown.text)
    assert found is not None, shown.text
    return bearer(found[1])


def test_an_admins_keys_are_no_way_to_become_an_owner(house: Server, owner: Person) -> None:
    """Neither those that an admin or such a key makes, nor an owner's that an admin rotates."""
    assert owner.session is not None
    admin = member_of(house, "admin", "alma@example.com", name="Alma")
    with httpx.Client(base_url=house.base_url, headers=bearer(house.admin_key)) as api:
        ours = create_key(api, level="admin")
        member = id_of(house, "alma@example.com")
        made = made_key(admin.post("/settings/api-keys", {"name": "Alma's", "level": "admin"}))
        rotated = made_key(admin.post(f"/settings/api-keys/{ours['id']}/rotate", {"overlap": "3600"}))
        again = bearer(api.post("/keys", json={"name": "x", "level": "admin"}, headers=made).json()["key"])
        for key in (made, rotated, again):
            assert api.get("/members", headers=key).status_code == 200
            refused(
                api.patch(f"/members/{member}", json={"role": "owner"}, headers=key),
                "insufficient_permissions",
            )
            invited = {"email": "puppet@example.com", "role": "owner"}
            refused(api.post("/members", json=invited, headers=key), "insufficient_permissions")
        change = api.patch(f"/members/{member}", json={"role": "owner"}, headers=bearer(ours["key"]))
        assert change.json()["role"] == "owner"


def test_an_owners_key_that_an_admin_changes_is_no_owners_any_more(house: Server, owner: Person) -> None:
    """From the answer on, whatever was changed of it, and the log says so; an owner makes it none again."""
    assert owner.session is not None
    admin = member_of(house, "admin", "abel@example.com", name="Abel")
    puppet = {"email": "puppet@example.com", "role": "owner"}
    with httpx.Client(base_url=house.base_url, headers=bearer(house.admin_key)) as api:
        abels = made_key(admin.post("/settings/api-keys", {"name": "Abel's", "level": "admin"}))
        ours = [create_key(api, scopes=["inference:write"]) for _ in range(2)]
        widened = {"scopes": ["admin:full"]}, {"budgets": {"total": 5}}
        for key, change in zip(ours, widened, strict=True):
            presented = bearer(key["key"])
            assert api.post("/members", json=puppet, headers=presented).status_code == 403
            assert api.patch(f"/keys/{key['id']}", json=change, headers=abels).status_code == 200
            assert api.patch(f"/keys/{key['id']}", json=widened[0]).status_code == 200
            assert api.get("/members", headers=presented).status_code == 200
            refused(api.post("/members", json=puppet, headers=presented), "insufficient_permissions")
            logged = api.get("/audit", params={"target_id": key["id"], "action": "key.updated"}).json()[
                "data"
            ]
            ranks = [(entry["before"].get("by_owner"), entry["after"].get("by_owner")) for entry in logged]
            assert ranks[-1] == (True, False)
            assert set(ranks[:-1]) <= {(None, None)}


def test_a_change_that_changes_nothing_leaves_an_owners_key_one(house: Server, owner: Person) -> None:
    assert owner.session is not None
    admin = member_of(house, "admin", "anna@example.com", name="Anna")
    with httpx.Client(base_url=house.base_url, headers=bearer(house.admin_key)) as api:
        annas = made_key(admin.post("/settings/api-keys", {"name": "Anna's", "level": "admin"}))
        ours = create_key(api, name="Ours", level="admin", budgets={"total": 5})
        same = {"name": "Ours", "budgets": {"total": 5}}
        assert api.patch(f"/keys/{ours['id']}", json=same, headers=annas).status_code == 200
        invited = {"email": "second@example.com", "role": "owner"}
        assert api.post("/members", json=invited, headers=bearer(ours["key"])).status_code == 201
