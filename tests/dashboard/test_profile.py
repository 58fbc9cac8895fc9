"""How members change their own way of signing in, and that nobody else can."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from innoai.dashboard.profile import browser_of
from tests.contract.clients import bearer
from tests.dashboard.conftest import signed_in_page
from tests.support.dashboard import (
    PASSWORD,
    SESSION,
    Person,
    code_of,
    codes_on,
    member_of,
    set_up_app,
    visitor,
)
from tests.support.store import change_store

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

    from tests.support.server import Server

PROFILE = "/settings/profile"
NEXT = "seven boats under one bridge"


@pytest.fixture
def cora(house: Server, owner: Person, request: pytest.FixtureRequest) -> Person:
    """A member of the test's own."""
    assert owner.email
    return member_of(house, "developer", f"cora-{abs(hash(request.node.name))}@example.com", name="Cora")


def forget_proof(house: Server, person: Person) -> None:
    """Let the person's last proof of identity be an hour ago."""
    of_person = "member_id = (SELECT id FROM members WHERE email = ?)"
    changed = f"UPDATE sessions SET proved_at = proved_at - 3600 WHERE {of_person}"  # noqa: S608
    assert change_store(house, changed, person.email) >= 1


def test_a_password_is_changed_with_the_present_one_and_other_sessions_end(
    cora: Person, house: Server
) -> None:
    elsewhere = visitor(house)
    elsewhere.sign_in(cora.email)
    assert elsewhere.get(PROFILE).status_code == 200
    wrong = cora.post(f"{PROFILE}/password", {"current": "not it at all", "password": NEXT})
    assert 'id="current-error"' in wrong.text
    short = cora.post(f"{PROFILE}/password", {"current": PASSWORD, "password": "short"})
    assert 'id="password-error"' in short.text
    changed = cora.post(f"{PROFILE}/password", {"current": PASSWORD, "password": NEXT})
    assert changed.headers["location"] == f"{PROFILE}?notice=password-changed"
    assert cora.get(PROFILE).status_code == 200
    assert elsewhere.get(PROFILE).status_code == 303
    assert visitor(house).sign_in(cora.email, PASSWORD).status_code == 400
    assert visitor(house).sign_in(cora.email, NEXT).status_code == 303


@pytest.mark.parametrize(
    "path", [f"{PROFILE}/authenticator/new", f"{PROFILE}/authenticator/remove", f"{PROFILE}/recovery-codes"]
)
def test_before_a_dangerous_change_the_member_proves_who_they_are(
    cora: Person, house: Server, path: str
) -> None:
    secret, _ = set_up_app(cora)
    forget_proof(house, cora)
    answer = cora.post(path, page=PROFILE)
    assert answer.headers["location"] == f"{PROFILE}/proof?next=%2Fsettings%2Fprofile"
    # Nothing was done: the app of before is still asked for.
    person = visitor(house)
    assert person.sign_in(cora.email).headers["location"] == "/login/code"
    assert person.post("/login/code", {"code": code_of(secret, 1)}).status_code == 303
    refused = cora.post(f"{PROFILE}/proof", {"password": "not the password"}, page=f"{PROFILE}/proof")
    assert 'id="password-error"' in refused.text
    proved = cora.post(f"{PROFILE}/proof", {"password": PASSWORD, "next": PROFILE})
    assert proved.headers["location"] == PROFILE
    assert cora.post(path, page=PROFILE).status_code in (200, 303)


def test_a_script_is_told_to_have_the_member_prove_who_they_are(cora: Person, house: Server) -> None:
    forget_proof(house, cora)
    headers = {"origin": cora.origin, "x-form-token": cora.form_token(PROFILE)}
    answer = cora.client.post(f"{PROFILE}/passkeys/options", json={}, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["proof"] == f"{PROFILE}/proof?next=%2Fsettings%2Fprofile"


def test_an_app_counts_only_once_it_has_shown_a_code(cora: Person, house: Server) -> None:
    cora.post(f"{PROFILE}/authenticator/new", page=PROFILE)
    wrong = cora.post(f"{PROFILE}/authenticator", {"code": "000000"})
    assert wrong.status_code == 400
    assert visitor(house).sign_in(cora.email).headers["location"] == "/"


def test_an_app_is_removed(cora: Person, house: Server) -> None:
    set_up_app(cora)
    cora.post(f"{PROFILE}/authenticator/remove", page=PROFILE)
    assert visitor(house).sign_in(cora.email).headers["location"] == "/"
    assert ">off<" in cora.get(PROFILE).text


def test_what_weakens_the_sign_in_is_asked_about_first(
    context: BrowserContext, cora: Person, house: Server
) -> None:
    set_up_app(cora)
    page = signed_in_page(context, cora, house)
    page.goto(PROFILE)
    assert not page.get_by_role("button", name="Remove the app").is_visible()
    assert not page.get_by_role("button", name="Make new codes").is_visible()
    page.locator("summary", has_text="Remove").click()
    page.get_by_text("From then on your password alone signs you in.").wait_for()
    page.keyboard.press("Escape")
    assert not page.get_by_role("button", name="Remove the app").is_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("No code is asked for any more.").wait_for()


def test_new_recovery_codes_take_the_place_of_the_old(cora: Person, house: Server) -> None:
    _, old = set_up_app(cora)
    answer = cora.post(f"{PROFILE}/recovery-codes", page=PROFILE)
    new = codes_on(cora.get(answer.headers["location"]))
    assert len(new) == 10
    assert not set(new) & set(old)
    person = visitor(house)
    person.sign_in(cora.email)
    assert person.post("/login/code", {"code": old[0]}).status_code == 400
    assert person.post("/login/code", {"code": new[0]}).status_code == 303


def test_recovery_codes_can_be_read_again_until_they_are_kept(cora: Person) -> None:
    page = f"{PROFILE}/recovery-codes"
    assert cora.get(page).headers["location"] == PROFILE
    _, codes = set_up_app(cora)
    assert codes_on(cora.get(page)) == codes
    assert cora.post(f"{page}/kept", page=page).headers["location"] == PROFILE
    assert cora.get(page).headers["location"] == PROFILE


def test_what_is_typed_as_a_password_can_be_looked_at(
    context: BrowserContext, cora: Person, house: Server
) -> None:
    page = signed_in_page(context, cora, house)
    page.goto(f"{PROFILE}/password")
    page.get_by_label("New password").fill(NEXT)
    page.get_by_role("button", name="Show what is typed").click()
    assert page.get_by_label("New password").get_attribute("type") == "text"
    page.get_by_role("button", name="Show what is typed").click()
    assert page.get_by_label("New password").get_attribute("type") == "password"


def test_the_present_password_is_no_new_one(cora: Person) -> None:
    same = cora.post(f"{PROFILE}/password", {"current": PASSWORD, "password": PASSWORD})
    assert same.status_code == 400
    assert "That is your present password." in same.text


def test_sessions_are_listed_and_ended(cora: Person, house: Server) -> None:
    elsewhere = visitor(house)
    elsewhere.client.headers["user-agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"
    elsewhere.sign_in(cora.email)
    listed = cora.get(PROFILE).text
    assert "Firefox on Linux" in listed
    assert "this one" in listed
    ends = re.findall(r'action="(/settings/profile/sessions/ses_\w+/end)"', listed)
    assert len(ends) == 2
    own = re.findall(r'action="(/settings/profile/sessions/ses_\w+/end)"', elsewhere.get(PROFILE).text)
    assert set(own) == set(ends)
    cora.post("/settings/profile/sessions/end-others", page=PROFILE)
    assert elsewhere.get(PROFILE).status_code == 303
    last = re.findall(r'action="(/settings/profile/sessions/ses_\w+/end)"', cora.get(PROFILE).text)
    answer = cora.post(last[0], page=PROFILE)
    assert answer.headers["location"] == "/login?notice=signed-out"
    assert cora.get(PROFILE).status_code == 303


def test_nobody_ends_the_session_of_somebody_else(cora: Person, owner: Person) -> None:
    theirs = re.findall(r"/settings/profile/sessions/(ses_\w+)/end", owner.get(PROFILE).text)
    answer = cora.post(f"{PROFILE}/sessions/{theirs[0]}/end", page=PROFILE)
    assert answer.status_code == 404
    assert owner.get(PROFILE).status_code == 200


def test_what_members_do_to_their_sign_in_is_on_record_without_any_secret(
    cora: Person, house: Server
) -> None:
    secret, codes = set_up_app(cora)
    cora.post(f"{PROFILE}/password", {"current": PASSWORD, "password": NEXT})
    log = httpx.get(f"{house.base_url}/audit", headers=bearer(house.admin_key), params={"limit": 20}).json()[
        "data"
    ]
    actions = [entry["action"] for entry in log]
    for action in ("member.joined", "member.signed_in", "member.factor_added", "member.password_changed"):
        assert action in actions
    text = str(log)
    for hidden in (PASSWORD, NEXT, codes[0], cora.session or "", secret.hex()):
        assert hidden not in text


def on_record(house: Server, person: Person, action: str) -> list[dict[str, Any]]:
    """What the person has done of that action, the first first."""
    with httpx.Client(base_url=house.base_url, headers=bearer(house.admin_key)) as admin:
        ids = {one["email"]: one["id"] for one in admin.get("/members", params={"limit": 100}).json()["data"]}
        found = admin.get("/audit", params={"action": action, "actor_id": ids[person.email]}).json()["data"]
    return list(reversed(found))


def test_what_a_member_gives_wrongly_inside_is_on_record(cora: Person, house: Server, owner: Person) -> None:
    cora.post(f"{PROFILE}/authenticator/new", page=PROFILE)
    cora.post(f"{PROFILE}/authenticator", {"code": "000000"})
    cora.post(f"{PROFILE}/password", {"current": "not it at all", "password": NEXT})
    forget_proof(house, cora)
    cora.post(f"{PROFILE}/proof", {"password": "a guess of somebody"})
    found = on_record(house, cora, "member.sign_in_failed")
    assert [entry["after"] for entry in found] == [
        {"wrong": "code", "at": "authenticator"},
        {"wrong": "password", "at": "password_change"},
        {"wrong": "password", "at": "proof"},
    ]
    assert {(entry["actor"]["kind"], entry["address"]) for entry in found} == {("member", "127.0.0.1")}
    assert "a guess" not in str(found)
    assert "A failed sign-in" in owner.get("/security").text


def test_what_is_right_or_was_not_compared_is_no_failure(cora: Person, house: Server) -> None:
    set_up_app(cora)
    cora.post(f"{PROFILE}/password", {"current": PASSWORD, "password": "short"})
    forget_proof(house, cora)
    cora.post(f"{PROFILE}/proof", {"password": PASSWORD})
    assert on_record(house, cora, "member.sign_in_failed") == []


def test_signing_out_is_on_record_once(cora: Person, house: Server) -> None:
    begun = on_record(house, cora, "member.signed_in")[-1]["after"]["id"]
    token = {"form_token": cora.form_token(PROFILE)}
    for _ in range(2):
        cora.client.post("/logout", data=token, headers={"origin": cora.origin})
    (entry,) = on_record(house, cora, "member.signed_out")
    assert entry["after"] == {"id": begun}


def test_the_app_is_added_in_the_browser_by_what_the_page_shows(
    context: BrowserContext, cora: Person, house: Server
) -> None:
    page = signed_in_page(context, cora, house)
    page.goto(PROFILE)
    page.get_by_role("button", name="Add an app").click()
    page.get_by_role("img", name="QR code").locator("svg").wait_for()
    shown = page.locator("#totp-secret").inner_text()

    page.get_by_label("Code", exact=True).fill(code_of(base64.b32decode(shown.replace(" ", ""))))
    page.get_by_role("button", name="Use this app").click()
    page.get_by_role("button", name="Copy codes").click()
    page.get_by_text("Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()").split()
    assert len(copied) == 10
    page.get_by_role("button", name="I have kept them").click()
    page.get_by_text("10 recovery codes left").wait_for()
    context.clear_cookies(name=SESSION)
    page.goto("/login")
    page.get_by_label("Email").fill(cora.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("Code").fill(copied[0])
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url(f"{house.origin}/")


@pytest.mark.parametrize(
    ("user_agent", "shown"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
            "Safari on iPhone",
        ),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/140.0 Safari/537.36", "Chrome on macOS"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("<script>", "script"),
        (None, "unknown"),
    ],
)
def test_a_browser_is_called_what_people_call_it(user_agent: str | None, shown: str) -> None:
    assert browser_of(user_agent) == shown
