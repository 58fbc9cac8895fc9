"""Signing in with an OpenID Connect provider, a process of its own, and what it may not get through."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.contract.clients import bearer
from tests.dashboard.conftest import MANY_ATTEMPTS
from tests.support import provider as providers
from tests.support.dashboard import PASSWORD, member_of, owner_of, set_up_app, visitor
from tests.support.provider import CLIENT_ID, CLIENT_SECRET
from tests.support.server import MODEL
from tests.support.settings import settings
from tests.support.store import change_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

    from tests.support.dashboard import Person
    from tests.support.provider import Provider
    from tests.support.server import Server

PROFILE = "/settings/profile"
START = "/login/provider"
JOIN = "/login/provider/join"
CONNECT = f"{PROFILE}/provider"


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    yield from providers.running(tmp_path_factory.mktemp("provider"))


@pytest.fixture(scope="module")
def house(new_server: Callable[..., Server], provider: Provider) -> Server:
    """A server that lets members sign in with the provider."""
    text = settings(
        {MODEL: [{"base_url": "echo:"}]},
        {
            "dashboard": {"attempts_per_address": MANY_ATTEMPTS, "attempts_per_email": MANY_ATTEMPTS},
            "dashboard.oidc": {
                "issuer": provider.issuer,
                "client_id": CLIENT_ID,
                "client_secret": "env:OIDC_CLIENT_SECRET",
                "name": "Example Login",
            },
        },
    )
    return new_server(text, OIDC_CLIENT_SECRET=CLIENT_SECRET)


@pytest.fixture(scope="module")
def owner(house: Server, provider: Provider) -> Person:
    """The first owner, who joined with a password and has connected the provider, to which they are ana-1."""
    person = owner_of(house)
    provider.vouches_for("ana-1", person.email)
    assert connect(person).headers["location"] == f"{PROFILE}?notice=provider-connected"
    return person


def invite(house: Server, email: str, role: str = "viewer", key: str = "") -> str:
    """Have the first account invite somebody, or that of the key."""
    answer = httpx.post(
        f"{house.base_url}/members",
        json={"email": email, "role": role},
        headers=bearer(key or house.admin_key),
    )
    assert answer.status_code == 201
    return str(answer.json()["invite_url"])


def status_of(house: Server, email: str, key: str = "") -> str:
    """Whether a person was invited or has joined: the first account, or that of the key."""
    answer = httpx.get(
        f"{house.base_url}/members", headers=bearer(key or house.admin_key), params={"limit": 100}
    ).json()
    return str(next(member["status"] for member in answer["data"] if member["email"] == email))


def journey(person: Person, **query: str) -> str:
    """Set out, say yes at the provider, and give the address that it sends the browser back to."""
    answer = person.get(START, **query)
    assert answer.status_code == 303, answer.text
    return agree(answer.headers["location"])


def agree(address: str) -> str:
    """Say yes at the provider's address, and give the one that it sends the browser back to."""
    page = httpx.get(address)
    assert page.status_code == 200, page.text
    link = re.search(r'href="([^"]+)"', page.text)
    assert link is not None
    parts = urlsplit(address)
    back = httpx.get(f"{parts.scheme}://{parts.netloc}{link[1].replace('&amp;', '&')}")
    assert back.status_code == 302
    return back.headers["location"]


def arrive(person: Person, address: str) -> httpx.Response:
    parts = urlsplit(address)
    return person.client.get(f"{parts.path}?{parts.query}")


def sign_in(person: Person, **query: str) -> httpx.Response:
    return arrive(person, journey(person, **query))


def connect(person: Person) -> httpx.Response:
    """Connect the provider with the member who is signed in."""
    answer = person.get(CONNECT)
    assert answer.status_code == 303, answer.text
    return arrive(person, agree(answer.headers["location"]))


def join_by(person: Person) -> httpx.Response:
    """Sign in as somebody who is invited, and say that they join."""
    answer = sign_in(person)
    assert answer.headers["location"] == JOIN
    return say_yes(person, person.get(JOIN).text)


def say_yes(person: Person, page: str) -> httpx.Response:
    """Take up the first invitation on a page."""
    member = re.search(r'name="member" value="([^"]+)"', page)
    assert member is not None, page
    return person.post(JOIN, {"member": member[1]})


def test_an_invited_person_joins_and_comes_back_by_the_provider(
    page: Page, house: Server, owner: Person, provider: Provider
) -> None:
    assert owner.session
    provider.vouches_for("pia-1", "Pia@Example.com", name="Pia")
    invited = invite(house, "pia@example.com")
    page.goto(f"/setup?invite={invited.rpartition('invite=')[2]}")
    page.get_by_role("link", name="Continue with Example Login").click()
    page.get_by_role("link", name="Continue as Pia@Example.com").click()
    page.get_by_text("invites pia@example.com as a viewer").wait_for()
    page.get_by_role("button", name="Join First account").click()
    page.wait_for_url(f"{house.origin}/?notice=welcome")
    page.get_by_role("link", name="Your sign-in").first.click()
    page.get_by_text("pia@example.com, viewer").wait_for()
    page.get_by_text("connected", exact=True).wait_for()
    page.locator("[data-menu] summary").click()
    page.get_by_role("button", name="Sign out").first.click()
    page.wait_for_url("**/login?notice=signed-out")
    page.goto("/login?next=%2Fsettings%2Fprofile")
    page.get_by_role("link", name="Continue with Example Login").click()
    page.get_by_role("link", name="Continue as Pia@Example.com").click()
    page.wait_for_url(f"{house.origin}{PROFILE}")


def test_the_email_makes_nobody_a_member_who_has_joined_with_a_password(
    house: Server, owner: Person, provider: Provider
) -> None:
    assert owner.email
    # Whoever invites has the link, and can join by it under the email of somebody else.
    squatter = member_of(house, "viewer", "victim@example.com")
    provider.vouches_for("victim-1", "victim@example.com")
    victim = visitor(house)
    answer = sign_in(victim)
    assert answer.status_code == 400
    assert "has joined under your email" in answer.text
    assert victim.session is None
    assert "not connected" in squatter.get(PROFILE).text


def test_whoever_is_invited_joins_only_when_they_say_so(
    house: Server, owner: Person, provider: Provider
) -> None:
    assert owner.email
    invite(house, "yes@example.com")
    provider.vouches_for("yes-1", "yes@example.com", name="Yes")
    person = visitor(house)
    assert sign_in(person).headers["location"] == JOIN
    assert person.session is None
    page = person.get(JOIN).text
    assert "First account" in page
    assert status_of(house, "yes@example.com") == "invited"
    assert say_yes(person, page).headers["location"] == "/?notice=welcome"
    assert status_of(house, "yes@example.com") == "active"
    assert sign_in(visitor(house)).headers["location"] == "/"


def test_whoever_is_invited_by_several_accounts_joins_the_one_that_they_choose(
    house: Server, owner: Person, provider: Provider
) -> None:
    assert owner.email
    made = house.operator("accounts", "create", "--name", "A Stranger's", "--json")
    stranger = httpx.Response(200, content=made.stdout).json()
    # Neither hears of the other, nor does the stranger keep the person from joining their own account.
    assert invite(house, "two@example.com", key=stranger["api_key"])
    assert invite(house, "two@example.com")
    provider.vouches_for("two-1", "two@example.com")
    person = visitor(house)
    assert sign_in(person).headers["location"] == JOIN
    page = person.get(JOIN).text
    assert "A Stranger&#39;s" in page
    assert stranger["id"] in page
    own = page[page.index("First account") :]
    assert say_yes(person, own).headers["location"] == "/?notice=welcome"
    assert status_of(house, "two@example.com") == "active"
    assert status_of(house, "two@example.com", key=stranger["api_key"]) == "invited"


def test_a_yes_is_for_the_invitation_that_was_shown_and_for_one_browser(
    house: Server, owner: Person, provider: Provider
) -> None:
    assert owner.email
    first = invite(house, "twice@example.com")
    provider.vouches_for("twice-1", "twice@example.com")
    person = visitor(house)
    sign_in(person)
    page = person.get(JOIN).text
    assert visitor(house).get(JOIN).headers["location"] == "/login"
    with httpx.Client(base_url=house.base_url, headers=bearer(house.admin_key)) as api:
        found = api.get("/members", params={"limit": 100}).json()["data"]
        shown = next(member["id"] for member in found if member["email"] == "twice@example.com")
        assert api.delete(f"/members/{shown}").status_code == 204
    assert invite(house, "twice@example.com", "admin") != first
    answer = say_yes(person, page)
    assert "The invitation is over" in answer.text
    assert person.session is None
    assert status_of(house, "twice@example.com") == "invited"


def test_a_cookie_that_somebody_knew_before_joins_nothing(
    house: Server, owner: Person, provider: Provider
) -> None:
    assert owner.email
    invite(house, "fixed@example.com")
    provider.vouches_for("fixed-1", "fixed@example.com")
    person, other = visitor(house), visitor(house)
    address = journey(person)
    other.client.cookies.update(person.client.cookies)
    assert arrive(person, address).headers["location"] == JOIN
    assert other.get(JOIN).headers["location"] == "/login"
    assert person.get(JOIN).status_code == 200


def test_a_member_connects_the_provider_after_a_proof_and_other_sessions_end(
    house: Server, owner: Person, provider: Provider
) -> None:
    assert owner.email
    nora = member_of(house, "viewer", "nora@example.com")
    elsewhere = visitor(house)
    elsewhere.sign_in(nora.email)
    provider.vouches_for("nora-1", nora.email)
    of_person = "member_id = (SELECT id FROM members WHERE email = ?)"
    assert change_store(house, f"UPDATE sessions SET proved_at = 1 WHERE {of_person}", nora.email) == 2  # noqa: S608
    assert nora.get(CONNECT).headers["location"] == f"{PROFILE}/proof?next=%2Fsettings%2Fprofile%2Fprovider"
    proved = nora.post(f"{PROFILE}/proof", {"password": PASSWORD, "next": CONNECT})
    assert proved.headers["location"] == CONNECT
    assert connect(nora).headers["location"] == f"{PROFILE}?notice=provider-connected"
    assert elsewhere.get(PROFILE).status_code == 303
    assert "You can sign in with it." in nora.get(PROFILE).text
    assert sign_in(visitor(house)).headers["location"] == "/"
    entries = httpx.get(
        f"{house.base_url}/audit", headers=bearer(house.admin_key), params={"action": "member.factor_added"}
    ).json()["data"]
    assert entries[0]["after"] == {"kind": "provider"}


def test_a_member_connects_nobody_else(house: Server, owner: Person, provider: Provider) -> None:
    assert owner.email
    otto = member_of(house, "viewer", "otto@example.com")
    for verified, email in ((True, "other@example.com"), (False, otto.email), (True, None)):
        provider.vouches_for("otto-1", email, verified=verified)
        answer = connect(otto)
        assert answer.status_code == 409
        assert "another email than this server" in answer.text
    # Whom the provider knows as another member stays that member, whatever their email has become.
    provider.vouches_for("ana-1", otto.email)
    assert "to another account with it already" in connect(otto).text
    provider.vouches_for("otto-1", otto.email)
    assert connect(otto).status_code == 303
    provider.vouches_for("otto-2", otto.email)
    assert connect(otto).status_code == 409


def test_a_member_whom_the_provider_knows_signs_in(house: Server, owner: Person, provider: Provider) -> None:
    provider.vouches_for("ana-1", owner.email)
    person = visitor(house)
    assert sign_in(person).headers["location"] == "/"
    assert owner.email in person.get(PROFILE).text
    entries = httpx.get(
        f"{house.base_url}/audit", headers=bearer(house.admin_key), params={"action": "member.signed_in"}
    ).json()["data"]
    assert entries[0]["after"]["method"] == "provider"


def test_an_email_that_the_provider_has_not_verified_is_worth_nothing(
    house: Server, owner: Person, provider: Provider
) -> None:
    assert owner.email
    invite(house, "unverified@example.com")
    person = visitor(house)
    for verified, email in ((False, "unverified@example.com"), (True, None)):
        provider.vouches_for("uma-1", email, verified=verified)
        answer = sign_in(person)
        assert "Nobody is a member here" in answer.text
    # Text that says true is no truth value.
    provider.control(claims={"email": "unverified@example.com", "email_verified": "true"})
    assert "Nobody is a member here" in sign_in(person).text
    assert person.session is None


def test_nobody_gets_in_who_was_not_invited(house: Server, owner: Person, provider: Provider) -> None:
    assert owner.email
    provider.vouches_for("zoe-1", "zoe@example.com")
    person = visitor(house)
    answer = sign_in(person)
    assert answer.status_code == 400
    assert "Ask an owner to invite you" in answer.text
    assert person.session is None


def test_an_email_that_went_to_somebody_else_over_there_does_not_take_the_member_along(
    house: Server, owner: Person, provider: Provider
) -> None:
    assert owner.email
    invite(house, "moved@example.com")
    provider.vouches_for("first-holder", "moved@example.com")
    assert join_by(visitor(house)).status_code == 303
    provider.vouches_for("second-holder", "moved@example.com")
    assert "has joined under your email" in sign_in(visitor(house)).text
    # The first holder is known by the provider's own name, whatever the email is now.
    provider.vouches_for("first-holder", "other@example.com")
    assert sign_in(visitor(house)).headers["location"] == "/"


def test_an_invitation_that_is_over_is_not_taken_up(house: Server, owner: Person, provider: Provider) -> None:
    assert owner.email
    invite(house, "late@example.com")
    change_store(house, "UPDATE members SET invite_expires_at = 1 WHERE email = ?", "late@example.com")
    provider.vouches_for("late-1", "late@example.com")
    assert "The invitation is over" in sign_in(visitor(house)).text


@pytest.mark.parametrize(
    "wrong",
    [
        {"claims": {"aud": "another client"}},
        {"claims": {"aud": [CLIENT_ID, "another client"]}},
        {"claims": {"iss": "https://evil.example"}},
        {"claims": {"nonce": "of another journey"}},
        {"claims": {"exp": 1_700_000_100, "iat": 1_700_000_000}},
        {"claims": {"sub": None}},
        {"algorithm": "none"},
        {"algorithm": "HS256"},
        {"algorithm": "another key"},
        {"state": "of another journey"},
        {"iss": "https://evil.example"},
    ],
    ids=str,
)
def test_what_the_provider_gets_wrong_lets_nobody_in(
    house: Server, owner: Person, provider: Provider, wrong: dict[str, object]
) -> None:
    provider.vouches_for("ana-1", owner.email)
    provider.control(**wrong)
    person = visitor(house)
    answer = sign_in(person)
    assert answer.status_code == 400
    assert "did not work" in answer.text
    assert person.session is None
    provider.vouches_for("ana-1", owner.email)


def test_keys_that_the_provider_has_changed_are_read_again(
    house: Server, owner: Person, provider: Provider
) -> None:
    provider.vouches_for("ana-1", owner.email)
    assert sign_in(visitor(house)).status_code == 303
    provider.control(new_key=True)
    assert sign_in(visitor(house)).status_code == 303


def test_a_journey_is_gone_once_and_in_one_browser(house: Server, owner: Person, provider: Provider) -> None:
    provider.vouches_for("ana-1", owner.email)
    person, other = visitor(house), visitor(house)
    address = journey(person)
    other.get("/login")
    # Whoever is handed the address of somebody else's arrival is not signed in as them (login CSRF).
    assert "another browser" in arrive(other, address).text
    assert other.session is None
    assert arrive(person, address).status_code == 303
    second = visitor(house)
    second.client.cookies.update(person.client.cookies)
    assert "another browser" in arrive(second, address).text


def test_the_provider_is_asked_with_pkce_a_state_and_a_nonce(
    house: Server, owner: Person, provider: Provider
) -> None:
    assert owner.email
    answer = visitor(house).get(START)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert len(asked["state"]) >= 43
    assert len(asked["nonce"]) >= 43
    assert asked["redirect_uri"] == f"{house.origin}/login/provider/callback"
    assert asked["scope"] == "openid email profile"
    again = visitor(house).get(START)
    assert parse_qs(urlsplit(again.headers["location"]).query)["state"] != [asked["state"]]


def test_whoever_says_no_at_the_provider_is_told_so(house: Server, owner: Person, provider: Provider) -> None:
    assert owner.email
    person = visitor(house)
    state = parse_qs(urlsplit(person.get(START).headers["location"]).query)["state"][0]
    answer = person.get("/login/provider/callback", error="access_denied", state=state)
    assert "did not sign you in" in answer.text


def test_the_way_back_leads_to_no_other_site(house: Server, owner: Person, provider: Provider) -> None:
    provider.vouches_for("ana-1", owner.email)
    assert sign_in(visitor(house), next="//evil.example/").headers["location"] == "/"
    assert sign_in(visitor(house), next=PROFILE).headers["location"] == PROFILE


def test_the_provider_stands_in_for_the_second_factor(
    house: Server, owner: Person, provider: Provider
) -> None:
    assert owner.email
    tom = member_of(house, "viewer", "tom@example.com")
    set_up_app(tom)
    provider.vouches_for("tom-1", tom.email)
    assert connect(tom).status_code == 303
    assert sign_in(visitor(house)).headers["location"] == "/"
    assert visitor(house).sign_in(tom.email, PASSWORD).headers["location"] == "/login/code"


def old_proof(house: Server, provider: Provider, email: str) -> Person:
    """Somebody whom the provider has signed in, and whose last proof is an hour old."""
    invite(house, email)
    provider.vouches_for(f"{email}-1", email)
    person = visitor(house)
    assert join_by(person).status_code == 303
    of_person = "member_id = (SELECT id FROM members WHERE email = ?)"
    assert change_store(house, f"UPDATE sessions SET proved_at = 1 WHERE {of_person}", email) == 1  # noqa: S608
    return person


def begins_app(person: Person) -> bool:
    """Whether setting up an app begins, for which one has to have proved a moment ago who one is."""
    answer = person.post(f"{PROFILE}/authenticator/new", page=PROFILE)
    return str(answer.headers["location"]) == f"{PROFILE}/authenticator"


def test_a_member_proves_anew_at_the_provider_who_they_are(
    house: Server, owner: Person, provider: Provider
) -> None:
    assert owner.email
    person = old_proof(house, provider, "paul@example.com")
    assert not begins_app(person)
    asked = parse_qs(urlsplit(person.get(START, next=PROFILE).headers["location"]).query)
    assert (asked["prompt"], asked["max_age"]) == (["login"], ["0"])
    assert sign_in(person, next=PROFILE).headers["location"] == PROFILE
    assert begins_app(person)


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({}, "does not say when you last proved"),
        ({"auth_time": 1_790_000_000}, "remembered you"),
        ({"auth_time": "just now"}, "did not work"),
    ],
    ids=str,
)
def test_a_proof_that_the_browser_has_not_asked_for_is_none(
    house: Server, owner: Person, provider: Provider, claims: dict[str, Any], told: str
) -> None:
    assert owner.email
    person = old_proof(house, provider, f"ruth-{abs(hash(str(claims)))}@example.com")
    provider.control(claims=claims)
    asked = person.get(START).headers["location"]
    answer = arrive(person, agree(asked.replace("&prompt=login", "").replace("&max_age=0", "")))
    assert answer.status_code == 400
    assert "Is it you?" in answer.text
    assert told in answer.text
    assert not begins_app(person)


def test_a_sign_in_is_no_newer_a_proof_than_the_provider_says(
    house: Server, owner: Person, provider: Provider
) -> None:
    provider.vouches_for("ana-1", owner.email)
    for claims, is_proof in (
        ({}, False),
        ({"auth_time": time.time() - 86_400}, False),
        ({"auth_time": time.time()}, True),
    ):
        provider.control(claims=claims)
        person = visitor(house)
        assert sign_in(person).status_code == 303
        assert begins_app(person) == is_proof


def test_a_provider_that_is_down_is_told_in_words(new_server: Callable[..., Server], house: Server) -> None:
    text = (house.directory / "innoai.toml").read_text("utf-8")
    issuer = re.search(r'issuer = "([^"]+)"', text)
    assert issuer is not None
    down = new_server(text.replace(issuer[1], "http://127.0.0.1:9"), OIDC_CLIENT_SECRET=CLIENT_SECRET)
    answer = visitor(down).get(START)
    assert answer.status_code == 503
    assert "cannot be reached just now" in answer.text


def test_a_server_without_a_provider_offers_none(new_server: Callable[..., Server]) -> None:
    plain = new_server(settings({MODEL: [{"base_url": "echo:"}]}))
    assert "Continue with" not in visitor(plain).get("/login").text
    assert visitor(plain).get(START).status_code == 404
