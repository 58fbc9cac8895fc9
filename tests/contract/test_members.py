"""Members: invited, given roles, removed; and an account never without an owner."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.contract.clients import bearer, create_key
from tests.support.envelope import refused
from tests.support.server import MODEL
from tests.support.settings import settings
from tests.support.store import change_store, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import Server

WEEK = 7 * 86_400
PUBLIC_URL = "https://gateway.example.com"


@pytest.fixture(scope="module")
def own(new_server: Callable[..., Server]) -> Server:
    return new_server(settings({MODEL: [{"base_url": "echo:"}]}, {"server": {"public_url": PUBLIC_URL}}))


@pytest.fixture
def admin(own: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=30) as client:
        yield client


def invite(admin: httpx.Client, email: str, **members: Any) -> dict[str, Any]:
    answer = admin.post("/members", json={"email": email, **members})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def members_of(admin: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = admin.get("/members", params={"limit": 100}).json()["data"]
    return found


def join(own: Server, member_id: str) -> None:
    """What taking an invitation up does."""
    assert change_store(own, "UPDATE members SET joined_at = created_at WHERE id = ?", member_id) == 1


def test_a_member_is_invited_by_a_link_that_is_shown_once(own: Server, admin: httpx.Client) -> None:
    made = invite(admin, "ana@example.com", name="Ana")
    url = made.pop("invite_url")
    base, _, token = url.partition("/setup?invite=")
    assert base == PUBLIC_URL
    assert len(token) >= 43
    assert (made["role"], made["status"], made["name"]) == ("developer", "invited", "Ana")
    assert admin.get(f"/members/{made['id']}").json() == made
    query = "SELECT invite_digest, invite_expires_at - created_at FROM members WHERE id = ?"
    ((digest, lifetime),) = rows_of(own, query, made["id"])
    assert digest == hashlib.sha256(token.encode()).digest()
    assert lifetime == pytest.approx(WEEK)


def test_an_email_is_kept_in_one_spelling(admin: httpx.Client) -> None:
    assert invite(admin, "  Ben.Cruz@Example.COM ")["email"] == "ben.cruz@example.com"
    error = refused(admin.post("/members", json={"email": "BEN.CRUZ@example.com"}), "conflict")
    assert error["param"] == "email"


def test_whoever_invites_does_not_hear_who_is_a_member_elsewhere(own: Server, admin: httpx.Client) -> None:
    invite(admin, "everywhere@example.com")
    ended = own.cli("accounts", "create", "--name", "Other", "--json")
    key = httpx.Response(200, content=ended.stdout).json()["api_key"]
    other = httpx.post(
        f"{own.base_url}/members", json={"email": "everywhere@example.com"}, headers=bearer(key)
    )
    assert other.status_code == 201
    assert other.json()["email"] == "everywhere@example.com"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "email"),
        ({"email": "no-at"}, "email"),
        ({"email": "a@b@c"}, "email"),
        ({"email": "a b@example.com"}, "email"),
        ({"email": "ana@example.com\n"}, "email"),
        ({"email": f"{'a' * 251}@b.c"}, "email"),
        ({"email": "rôle@example.com"}, "email"),
        ({"email": "x@example.com", "role": "emperor"}, "role"),
        ({"email": "x@example.com", "name": ""}, "name"),
        ({"email": "x@example.com", "name": "nul\0"}, "name"),
        ({"email": "x@example.com", "password": "no"}, None),
    ],
    ids=str,
)
def test_a_bad_invitation_is_refused_by_name(
    admin: httpx.Client, body: dict[str, Any], param: str | None
) -> None:
    error = refused(admin.post("/members", json=body), "invalid_request")
    if param is not None:
        assert param in error["message"]


def test_a_role_and_a_name_are_changed_and_a_name_is_removed(admin: httpx.Client) -> None:
    made = invite(admin, "cora@example.com", name="Cora")
    path = f"/members/{made['id']}"
    changed = admin.patch(path, json={"role": "viewer"}).json()
    assert (changed["role"], changed["name"]) == ("viewer", "Cora")
    assert admin.patch(path, json={"name": None}).json()["name"] is None
    refused(admin.patch(path, json={"email": "other@example.com"}), "invalid_request")


def test_a_removed_member_is_gone_and_its_email_is_free(admin: httpx.Client) -> None:
    made = invite(admin, "dan@example.com")
    assert admin.delete(f"/members/{made['id']}").status_code == 204
    refused(admin.get(f"/members/{made['id']}"), "not_found")
    refused(admin.delete(f"/members/{made['id']}"), "not_found")
    assert invite(admin, "dan@example.com")["id"] != made["id"]


def test_members_are_listed_in_pages(admin: httpx.Client) -> None:
    for number in range(3):
        invite(admin, f"paged-{number}@example.com")
    listed, cursor = [], None
    while True:
        page = admin.get("/members", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        listed += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert listed == members_of(admin)
    assert len({member["id"] for member in listed}) == len(listed)


def owners(admin: httpx.Client) -> list[dict[str, Any]]:
    return [member for member in members_of(admin) if member["role"] == "owner"]


def test_the_last_owner_can_be_neither_removed_nor_demoted(admin: httpx.Client) -> None:
    (owner,) = owners(admin)
    assert (owner["email"], owner["status"]) == (None, "invited")
    refused(admin.delete(f"/members/{owner['id']}"), "conflict")
    refused(admin.patch(f"/members/{owner['id']}", json={"role": "admin"}), "conflict")
    assert admin.patch(f"/members/{owner['id']}", json={"name": "The first"}).json()["role"] == "owner"
    second = invite(admin, "second@example.com", role="owner")
    assert admin.patch(f"/members/{second['id']}", json={"role": "admin"}).status_code == 200


def test_an_invitation_does_not_replace_an_owner_who_joined(own: Server, admin: httpx.Client) -> None:
    joined = invite(admin, "joined@example.com", role="owner")
    join(own, joined["id"])
    shown = admin.get(f"/members/{joined['id']}").json()
    assert (shown["status"], shown["invite_expires_at"]) == ("active", None)
    refused(admin.delete(f"/members/{joined['id']}"), "conflict")
    for owner in owners(admin):
        if owner["status"] == "invited":
            assert admin.delete(f"/members/{owner['id']}").status_code == 204
    other = invite(admin, "other-owner@example.com", role="owner")
    join(own, other["id"])
    assert admin.delete(f"/members/{joined['id']}").status_code == 204


def test_two_owners_who_leave_at_once_leave_one(own: Server, admin: httpx.Client) -> None:
    for number in range(3):
        join(own, invite(admin, f"leaving-{number}@example.com", role="owner")["id"])
    leaving = [owner["id"] for owner in owners(admin)]

    def remove(member_id: str) -> int:
        return admin.delete(f"/members/{member_id}").status_code

    with ThreadPoolExecutor(len(leaving)) as pool:
        answered = list(pool.map(remove, leaving))
    assert sorted(answered) == [204] * (len(leaving) - 1) + [409]
    assert len(owners(admin)) == 1


def test_a_customers_own_credential_sees_no_members(own: Server, admin: httpx.Client) -> None:
    key = create_key(admin, customer_id="curious", scopes=["customers:read"])["key"]
    refused(httpx.get(f"{own.base_url}/members", headers=bearer(key)), "insufficient_permissions")
