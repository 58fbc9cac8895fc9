"""Signing in and out with a password and a code, and what ends a session."""

from __future__ import annotations

import re
import time
from statistics import median
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from innoai.dashboard.sign_in import PASSWORDS_COMPARED
from tests.contract.clients import bearer
from tests.contract.webhooks import until
from tests.support.dashboard import (
    PASSWORD,
    SESSION,
    code_of,
    join,
    member_of,
    owner_of,
    set_up_app,
    visitor,
)
from tests.support.server import MODEL
from tests.support.settings import settings
from tests.support.store import change_store, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.dashboard import Person
    from tests.support.server import Server

KEYS = "/settings/api-keys"
PROFILE = "/settings/profile"


@pytest.fixture
def admin(house: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=house.base_url, headers=bearer(house.admin_key), timeout=30) as client:
        yield client


@pytest.fixture
def ben(house: Server, owner: Person, request: pytest.FixtureRequest) -> Person:
    """A member of the test's own, an admin."""
    assert owner.email
    return member_of(house, "admin", f"ben-{abs(hash(request.node.name))}@example.com", name="Ben")


def signed_in(person: Person) -> bool:
    return person.get(PROFILE).status_code == 200


def change_sessions(house: Server, person: Person, change: str) -> None:
    """Let time have passed for a person's sessions."""
    of_person = "member_id = (SELECT id FROM members WHERE email = ?)"
    statement = f"UPDATE sessions SET {change} WHERE {of_person}"  # noqa: S608
    assert change_store(house, statement, person.email) == 1


def last_seen(house: Server, person: Person) -> float:
    """When a person's one session was last used, as the store has it."""
    query = "SELECT seen_at FROM sessions JOIN members ON members.id = member_id WHERE email = ?"
    ((seen_at,),) = rows_of(house, query, person.email)
    return float(seen_at)


def id_of(admin: httpx.Client, person: Person) -> str:
    found = admin.get("/members", params={"limit": 100}).json()["data"]
    return next(str(member["id"]) for member in found if member["email"] == person.email)


def test_whoever_has_not_signed_in_is_sent_to_the_sign_in_page_and_back(
    stranger: Person, owner: Person
) -> None:
    answer = stranger.get(f"{KEYS}?search=x&status=active")
    assert answer.status_code == 303
    sign_in = answer.headers["location"]
    assert sign_in == "/login?next=%2Fsettings%2Fapi-keys%3Fsearch%3Dx%26status%3Dactive"
    answer = stranger.post(
        "/login", {"email": owner.email, "password": PASSWORD, "next": f"{KEYS}?search=x"}, page=sign_in
    )
    assert answer.headers["location"] == f"{KEYS}?search=x"
    assert stranger.get(KEYS).status_code == 200


def test_the_email_counts_in_any_case(stranger: Person, owner: Person) -> None:
    assert stranger.sign_in(f"  {owner.email.upper()} ").status_code == 303


@pytest.mark.parametrize("password", ["four lamps over the wate", PASSWORD.upper(), "", "x" * 5000])
def test_another_password_is_refused(stranger: Person, owner: Person, password: str) -> None:
    answer = stranger.sign_in(owner.email, password)
    assert answer.status_code == 400
    assert "do not belong together" in answer.text
    assert stranger.session is None


def test_a_form_with_a_nul_in_it_is_refused_before_a_store_has_to(stranger: Person) -> None:
    answer = stranger.post("/login", {"email": "a\0@example.com", "password": "x"})
    assert answer.status_code == 400
    assert "NUL" in answer.text


def test_the_answer_does_not_tell_who_is_a_member(house: Server, owner: Person, admin: httpx.Client) -> None:
    invited = "invited-only@example.com"
    assert admin.post("/members", json={"email": invited}).status_code == 201
    answers = {}
    for email in (owner.email, invited, "nobody@example.com"):
        answer = visitor(house).sign_in(email, "not the password of anybody")
        shown = answer.text.replace(email, "EMAIL")
        shown = re.sub(r'(form_token" value|data-token)="[^"]+"', "", shown)
        headers = {name for name, _ in answer.headers.items()}
        answers[email] = (answer.status_code, shown, headers)
    assert len({repr(answer) for answer in answers.values()}) == 1


def test_an_unknown_email_takes_as_long_as_a_known_one(stranger: Person, owner: Person) -> None:
    token = stranger.form_token("/login")

    def seconds(email: str) -> float:
        fields = {"form_token": token, "email": email, "password": "not the password of anybody"}
        began = time.perf_counter()
        stranger.client.post("/login", data=fields, headers={"origin": stranger.origin})
        return time.perf_counter() - began

    known, unknown = [], []
    for number in range(5):
        known.append(seconds(owner.email))
        unknown.append(seconds(f"nobody-{number}@example.com"))
    # Without the hash that is compared for nobody, an unknown email would be answered in a tenth of the time.
    assert min(unknown) > median(known) / 3


def test_a_failed_sign_in_of_a_member_is_on_record_and_shown_to_owners(
    house: Server, owner: Person, ben: Person, admin: httpx.Client
) -> None:
    def failures() -> list[dict[str, Any]]:
        found = admin.get("/audit", params={"action": "member.sign_in_failed"}).json()["data"]
        return [entry for entry in found if entry["target_id"] == ben_id]

    ben_id = next(one["id"] for one in admin.get("/members").json()["data"] if one["email"] == ben.email)
    before = len(failures())
    for email in (ben.email, "nobody@example.com"):
        assert visitor(house).sign_in(email, "not the password of anybody").status_code == 400
    entry = until(failures, lambda found: len(found) == before + 1)[0]
    assert (entry["actor"]["kind"], entry["after"]) == ("anonymous", {"wrong": "password"})
    assert "A failed sign-in" in owner.get("/security").text


def test_signing_out_ends_the_session_for_whoever_has_its_cookie(ben: Person, house: Server) -> None:
    kept = ben.session
    answer = ben.post("/logout", page=PROFILE)
    assert answer.headers["location"] == "/login?notice=signed-out"
    assert ben.session is None
    thief = visitor(house)
    thief.client.cookies.set(SESSION, kept or "")
    assert not signed_in(thief)


def test_a_session_that_nobody_used_ends(ben: Person, house: Server) -> None:
    assert signed_in(ben)
    change_sessions(house, ben, "seen_at = seen_at - 43201")
    assert not signed_in(ben)


def test_a_session_that_is_used_all_the_time_ends_as_well(ben: Person, house: Server) -> None:
    change_sessions(house, ben, f"expires_at = {time.time() - 1}")
    assert not signed_in(ben)


def test_the_use_of_a_session_is_noted_once_a_minute(ben: Person, house: Server) -> None:
    change_sessions(house, ben, "seen_at = seen_at - 3600")
    assert signed_in(ben)
    assert last_seen(house, ben) > time.time() - 60


def test_a_page_that_looks_by_itself_is_no_use_of_the_session(ben: Person, house: Server) -> None:
    change_sessions(house, ben, "seen_at = seen_at - 3600")
    ben.client.get(PROFILE, headers={"x-by-itself": "yes"})
    assert last_seen(house, ben) < time.time() - 3000


def test_a_removed_member_is_out_at_once(ben: Person, admin: httpx.Client) -> None:
    assert signed_in(ben)
    assert admin.delete(f"/members/{id_of(admin, ben)}").status_code == 204
    assert not signed_in(ben)
    assert ben.sign_in(ben.email).status_code == 400


def test_another_role_counts_at_once(ben: Person, admin: httpx.Client) -> None:
    assert ben.get(KEYS).status_code == 200
    admin.patch(f"/members/{id_of(admin, ben)}", json={"role": "viewer"})
    answer = ben.get(KEYS)
    assert answer.status_code == 403
    assert "not for your role" in answer.text
    assert 'href="/settings/api-keys"' not in answer.text


def test_the_members_of_a_disabled_account_are_out_until_it_is_enabled(
    new_server: Callable[..., Server], house: Server
) -> None:
    made = house.operator("accounts", "create", "--name", "Other", "--json")
    other = httpx.Response(200, content=made.stdout).json()
    invited = httpx.post(
        f"{house.base_url}/members", json={"email": "olga@example.com"}, headers=bearer(other["api_key"])
    ).json()
    olga = join(house, invited["invite_url"], "olga@example.com")
    assert signed_in(olga)
    house.operator("accounts", "disable", other["id"])
    assert not signed_in(olga)
    answer = visitor(house).sign_in("olga@example.com")
    assert "account is disabled" in answer.text
    house.operator("accounts", "enable", other["id"])
    assert signed_in(olga)


# One email in several accounts.


def elsewhere(house: Server, email: str, password: str) -> tuple[Person, str]:
    """The member of that email in an account of its own, and the account's id."""
    other = httpx.Response(
        200, content=house.operator("accounts", "create", "--name", "Elsewhere", "--json").stdout
    ).json()
    invited = httpx.post(
        f"{house.base_url}/members", json={"email": email}, headers=bearer(other["api_key"])
    ).json()
    return join(house, invited["invite_url"], email, password), other["id"]


def account_of(house: Server, person: Person) -> str:
    shown = re.search(r"sessions/(ses_\w+)/end\"><[^>]+><button[^>]+>Sign out", person.get(PROFILE).text)
    assert shown is not None
    query = "SELECT account_id FROM members JOIN sessions ON members.id = member_id WHERE sessions.id = ?"
    ((account_id,),) = rows_of(house, query, shown[1])
    return str(account_id)


def test_the_password_says_which_account_of_an_email_is_meant(ben: Person, house: Server) -> None:
    _, other = elsewhere(house, ben.email, "another password of ben's")
    person = visitor(house)
    assert person.sign_in(ben.email, "another password of ben's").headers["location"] == "/"
    assert account_of(house, person) == other
    person = visitor(house)
    assert person.sign_in(ben.email).headers["location"] == "/"
    assert account_of(house, person) == account_of(house, ben) != other


def test_whoever_has_one_password_for_several_accounts_chooses(ben: Person, house: Server) -> None:
    there, other = elsewhere(house, ben.email, PASSWORD)
    secret, _ = set_up_app(there)
    person = visitor(house)
    answer = person.sign_in(ben.email, next=KEYS)
    assert answer.headers["location"] == "/login/account?next=%2Fsettings%2Fapi-keys"
    assert person.session is None
    page = person.get("/login/account").text
    assert "First account" in page
    assert other in page
    assert (
        person.post("/login/account", {"member": "mem_of_nobody"}).headers["location"].startswith("/login?")
    )
    person.sign_in(ben.email)
    choices = re.findall(r'name="member" value="([^"]+)"', person.get("/login/account").text)
    assert len(choices) == 2
    # The second factor is that of the member who was chosen.
    assert person.post("/login/account", {"member": choices[1]}).headers["location"] == "/login/code"
    assert person.post("/login/code", {"code": code_of(secret, 1)}).status_code == 303
    assert account_of(house, person) == other
    again = visitor(house)
    again.sign_in(ben.email)
    assert again.post("/login/account", {"member": choices[0]}).headers["location"] == "/"
    assert account_of(house, again) == account_of(house, ben)


def test_what_a_password_opens_is_told_to_no_other_browser(ben: Person, house: Server) -> None:
    elsewhere(house, ben.email, PASSWORD)
    person, other = visitor(house), visitor(house)
    person.get("/login")
    other.client.cookies.update(person.client.cookies)
    assert person.sign_in(ben.email).headers["location"] == "/login/account"
    assert other.get("/login/account").headers["location"].startswith("/login")


def test_an_address_names_the_account_where_an_email_is_in_too_many(owner: Person, house: Server) -> None:
    email = "everywhere@example.com"
    for number in range(PASSWORDS_COMPARED):
        elsewhere(house, email, f"password of a squatter {number}")
    account = account_of(house, member_of(house, "viewer", email))
    assert account == account_of(house, owner)
    assert visitor(house).sign_in(email).status_code == 400
    page = f"/login?account={account}"
    person = visitor(house)
    assert f'name="account" value="{account}"' in person.get(page).text
    fields = {"email": email, "password": PASSWORD, "account": account}
    assert person.post("/login", fields, page=page).headers["location"] == "/"
    assert account_of(house, person) == account


def test_a_failed_sign_in_is_on_record_in_each_account_of_the_email(
    ben: Person, house: Server, admin: httpx.Client
) -> None:
    _, other = elsewhere(house, ben.email, "another password of ben's")

    def accounts_told() -> set[str]:
        query = (
            "SELECT account_id FROM audit_entries WHERE action = 'member.sign_in_failed' "
            "AND target_id IN (SELECT id FROM members WHERE email = ?)"
        )
        return {row[0] for row in rows_of(house, query, ben.email)}

    assert visitor(house).sign_in(ben.email, "not the password of anybody").status_code == 400
    until(accounts_told, lambda told: told == {other, account_of(house, ben)})


# The second factor.


def test_a_code_is_asked_for_after_the_password(ben: Person, house: Server) -> None:
    secret, _ = set_up_app(ben)
    person = visitor(house)
    answer = person.sign_in(ben.email, next=KEYS)
    assert answer.headers["location"] == "/login/code?next=%2Fsettings%2Fapi-keys"
    assert not signed_in(person)
    assert person.post("/login/code", {"code": "000000"}).status_code == 400
    answer = person.post("/login/code", {"code": code_of(secret, 1), "next": KEYS})
    assert answer.headers["location"] == KEYS
    assert signed_in(person)


def test_a_code_is_taken_once(ben: Person, house: Server) -> None:
    secret, _ = set_up_app(ben)
    code = code_of(secret, 1)
    first, second = visitor(house), visitor(house)
    first.sign_in(ben.email)
    second.sign_in(ben.email)
    assert first.post("/login/code", {"code": code}).status_code == 303
    assert second.post("/login/code", {"code": code}).status_code == 400
    # Nor is the one by which the app was added.
    assert second.post("/login/code", {"code": code_of(secret)}).status_code == 400


def test_a_recovery_code_is_taken_once_however_it_is_typed(ben: Person, house: Server) -> None:
    _, codes = set_up_app(ben)
    assert len(codes) == len(set(codes)) == 10
    first, second = visitor(house), visitor(house)
    first.sign_in(ben.email)
    second.sign_in(ben.email)
    assert first.post("/login/code", {"code": codes[0].lower().replace("-", " ")}).status_code == 303
    assert second.post("/login/code", {"code": codes[0]}).status_code == 400
    assert second.post("/login/code", {"code": codes[1]}).status_code == 303
    assert "8 recovery codes left" in second.get(PROFILE).text


def test_the_password_alone_is_worth_nothing_in_another_browser(ben: Person, house: Server) -> None:
    secret, _ = set_up_app(ben)
    person, other = visitor(house), visitor(house)
    person.sign_in(ben.email)
    other.get("/login")
    answer = other.post("/login/code", {"code": code_of(secret, 1)}, page="/login")
    assert answer.headers["location"].startswith("/login?")
    assert other.session is None


def test_the_cookie_of_before_the_password_is_worth_nothing_after_it(ben: Person, house: Server) -> None:
    set_up_app(ben)
    person = visitor(house)
    person.get("/login")
    planted = person.client.cookies.get("innoai_visit")
    person.sign_in(ben.email)
    assert person.client.cookies.get("innoai_visit") != planted


# Attempts.


def test_attempts_are_bounded_per_email_the_same_for_members_and_others(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(
        settings(
            {MODEL: [{"base_url": "echo:"}]},
            {"dashboard": {"attempts_per_address": 1000, "attempts_per_email": 3}},
        )
    )
    ana = owner_of(server)
    for email in (ana.email, "nobody@example.com"):
        person = visitor(server)
        statuses = [person.sign_in(email, "not the password at all").status_code for _ in range(4)]
        assert statuses == [400, 400, 400, 429]
        answer = person.sign_in(email, PASSWORD)
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 900
        assert "Too many attempts" in answer.text
    # Whoever is signed in already goes on.
    assert signed_in(ana)
