"""What keeps other sites, planted cookies and stored text from doing anything."""

from __future__ import annotations

import re
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from innoai.dashboard.app import POLICY
from innoai.door import PRINCIPAL_KEY
from tests.contract.clients import bearer
from tests.dashboard.conftest import signed_in_page
from tests.support.dashboard import PASSWORD, SESSION, Person, member_of, visitor
from tests.support.envelope import refused
from tests.support.local_http import listening
from tests.support.server import MODEL
from tests.support.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext

    from tests.support.server import Server

KEYS = "/settings/api-keys"
PROFILE = "/settings/profile"
PUBLIC = "https://gateway.example.com"


# Cross-site request.


def names_of(house: Server) -> list[str]:
    keys = httpx.get(f"{house.base_url}/keys", headers=bearer(house.admin_key), params={"limit": 100})
    return [key["name"] for key in keys.json()["data"]]


def send(person: Person, *, headers: dict[str, str], name: str, token: str | None) -> httpx.Response:
    fields = {"name": name, "level": "read", **({} if token is None else {"form_token": token})}
    return person.client.post(KEYS, data=fields, headers=headers)


def test_a_form_without_its_token_does_nothing(owner: Person, house: Server) -> None:
    answer = send(owner, headers={"origin": owner.origin}, name="No token", token=None)
    assert answer.status_code == 403
    assert "No token" not in names_of(house)


def test_the_token_of_another_session_does_nothing(owner: Person, house: Server) -> None:
    other = member_of(house, "admin", "other-token@example.com")
    answer = send(
        owner, headers={"origin": owner.origin}, name="Others token", token=other.form_token(PROFILE)
    )
    assert answer.status_code == 403
    assert "Others token" not in names_of(house)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {},
        {"origin": "{own}", "sec-fetch-site": "cross-site"},
        {"origin": "{own}", "sec-fetch-site": "same-site"},
        {"origin": "{own}.evil.example"},
    ],
)
def test_what_comes_from_another_site_does_nothing_even_with_the_token(
    owner: Person, house: Server, headers: dict[str, str]
) -> None:
    sent = {name: value.replace("{own}", owner.origin) for name, value in headers.items()}
    answer = send(owner, headers=sent, name="From elsewhere", token=owner.form_token(PROFILE))
    assert answer.status_code == 403
    assert "From elsewhere" not in names_of(house)


def test_the_same_form_from_the_own_page_is_taken(owner: Person, house: Server) -> None:
    headers = {"origin": owner.origin, "sec-fetch-site": "same-origin"}
    token = owner.form_token(PROFILE)
    assert send(owner, headers=headers, name="From here", token=token).status_code == 200
    assert "From here" in names_of(house)


@pytest.mark.parametrize("path", ["/login", "/logout", "/setup", "/login/code", "/login/passkey/options"])
def test_pages_before_the_sign_in_take_no_foreign_form_either(stranger: Person, path: str) -> None:
    token = stranger.form_token("/login")
    foreign = {"origin": "https://evil.example"}
    assert stranger.client.post(path, data={"form_token": token}, headers=foreign).status_code == 403
    without = stranger.client.post(path, data={}, headers={"origin": stranger.origin})
    # Whoever is signed out already gets what was wanted.
    assert without.status_code == (303 if path == "/logout" else 403)


def test_a_script_of_another_site_is_told_nothing(owner: Person) -> None:
    answer = owner.client.get(KEYS, headers={"origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    preflight = owner.client.options(KEYS, headers={"origin": "https://evil.example"})
    assert preflight.status_code in (403, 404, 405)
    assert not [name for name in preflight.headers if name.startswith("access-control-")]


# Session fixation.


def test_signing_in_gives_a_cookie_that_nobody_could_have_planted(house: Server, owner: Person) -> None:
    victim = visitor(house)
    planted = "A" * 43
    victim.client.cookies.set(SESSION, planted)
    victim.sign_in(owner.email)
    cookies = {cookie.value for cookie in victim.client.cookies.jar if cookie.name == SESSION}
    assert cookies - {planted}
    attacker = visitor(house)
    attacker.client.cookies.set(SESSION, planted)
    assert attacker.get(PROFILE).status_code == 303


def test_signing_in_again_ends_the_session_that_the_browser_had(house: Server) -> None:
    person = member_of(house, "viewer", "again@example.com")
    before = person.session
    token = person.form_token(PROFILE)
    fields = {"email": person.email, "password": PASSWORD, "form_token": token}
    person.client.post("/login", data=fields, headers={"origin": person.origin})
    assert person.session != before
    old = visitor(house)
    old.client.cookies.set(SESSION, before or "")
    assert old.get(PROFILE).status_code == 303


def test_the_store_does_not_hold_what_a_cookie_holds(house: Server, owner: Person) -> None:
    assert owner.session is not None
    for file in house.directory.glob("innoai.db*"):
        assert owner.session.encode() not in file.read_bytes()


# Cookies and headers.


def test_a_cookie_is_for_this_server_alone(house: Server, owner: Person) -> None:
    answer = visitor(house).sign_in(owner.email)
    session = next(value for value in answer.headers.get_list("set-cookie") if value.startswith(SESSION))
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(session.split("; "))
    assert "Domain" not in session


@pytest.fixture(scope="module")
def behind_tls(new_server: Callable[..., Server]) -> Server:
    """A server that people reach by https, by way of a proxy that is not there now."""
    return new_server(settings({MODEL: [{"base_url": "echo:"}]}, {"server": {"public_url": PUBLIC}}))


def test_behind_tls_cookies_and_headers_insist_on_it(behind_tls: Server) -> None:
    answer = httpx.get(f"{behind_tls.origin}/login")
    assert answer.headers["strict-transport-security"] == "max-age=63072000"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-innoai_visit=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    token = re.search(r'name="form_token" value="([^"]+)"', answer.text)
    assert token is not None
    fields = {"form_token": token[1], "email": "a@b.example", "password": "x"}
    headers = {"cookie": cookie.partition(";")[0]}
    for origin, status in ((PUBLIC, 400), (behind_tls.origin, 403), ("http://gateway.example.com", 403)):
        sent = httpx.post(f"{behind_tls.origin}/login", data=fields, headers={**headers, "origin": origin})
        assert sent.status_code == status, origin


def test_without_tls_nothing_insists_on_it(stranger: Person) -> None:
    assert "strict-transport-security" not in stranger.get("/login").headers


@pytest.mark.parametrize("path", ["/login", "/", KEYS, f"{KEYS}/new", PROFILE, "/settings/nothing", "/setup"])
def test_no_page_can_be_framed_or_load_or_run_anything_from_elsewhere(owner: Person, path: str) -> None:
    answer = owner.get(path)
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"].startswith("req_")
    assert re.findall(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:", answer.text) == []


@pytest.mark.parametrize("path", ["/", "/login?next=%2F", KEYS, PROFILE, "/settings/nothing", "/login//"])
def test_a_page_says_once_what_it_is(owner: Person, stranger: Person, path: str) -> None:
    for answer in (owner.client.get(path), stranger.client.get(path, follow_redirects=True)):
        if not answer.is_redirect:
            assert answer.headers.get_list("content-type") == ["text/html; charset=utf-8"]


def test_a_refused_form_is_a_page_like_any_other(stranger: Person) -> None:
    answer = stranger.client.post("/login", data={}, headers={"origin": "https://evil.example"})
    assert answer.headers.get_list("content-type") == ["text/html; charset=utf-8"]
    assert answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize(
    ("path", "kind"), [("/usage/export", "text/csv; charset=utf-8"), ("/audit/export", "application/jsonl")]
)
def test_a_file_says_once_what_it_is(owner: Person, path: str, kind: str) -> None:
    assert owner.get(path).headers.get_list("content-type") == [kind]


@pytest.mark.parametrize("path", ["/login", f"{KEYS}/", "/logout"])
def test_a_redirect_has_nothing_to_read(owner: Person, stranger: Person, path: str) -> None:
    led_on = [answer for answer in (owner.get(path), stranger.get(path)) if answer.is_redirect]
    assert led_on
    for answer in led_on:
        assert answer.content == b""
        assert answer.headers["content-length"] == "0"
        assert "json" not in answer.headers["content-type"]


def test_the_policy_lets_in_nothing_but_this_servers_own() -> None:
    directives = dict(part.strip().split(" ", 1) for part in POLICY.split(";"))
    assert directives["default-src"] == directives["frame-ancestors"] == directives["base-uri"] == "'none'"
    assert {source for sources in directives.values() for source in sources.split()} == {"'none'", "'self'"}


@pytest.fixture
def other_site(house: Server) -> Iterator[str]:
    """A page at another port, which frames a page that wants a session and one that wants none.

    Of this machine, too: a browser may keep sites of a network from it, and sends the cookie here.
    """
    frames = "".join(f'<iframe src="{house.origin}{path}"></iframe>' for path in (KEYS, "/login"))

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(frames.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with listening(Page) as where:
        yield f"http://{where}/"


def test_a_page_in_a_frame_of_another_site_stays_empty(
    browser: Browser, owner: Person, house: Server, other_site: str
) -> None:
    # A context of its own: that of the fixture takes it for a fault that something was blocked.
    with browser.new_context(base_url=house.origin) as context:
        page = signed_in_page(context, owner, house)
        page.goto(other_site)
        page.wait_for_timeout(500)
        assert len(page.frames) == 3
        for frame in page.frames[1:]:
            assert "Skip to the content" not in frame.content()
            assert "Sign in" not in frame.content()


# Open redirects.


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example/",
        "/\t/evil.example/",
        "/\n/evil.example",
        "javascript:alert(1)",
        "evil.example",
        "http:evil.example",
        " //evil.example",
        "/%0d%0aset-cookie:x=1\r\nx: y",
    ],
)
def test_signing_in_leads_to_no_other_site(house: Server, owner: Person, target: str) -> None:
    person = visitor(house)
    answer = person.sign_in(owner.email, next=target)
    assert answer.status_code == 303
    location = answer.headers["location"]
    assert httpx.URL(person.origin).join(location).host == httpx.URL(person.origin).host
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert 'value="https://evil.example/"' not in person.get("/login", next=target).text


# Text that people, and programs, have stored.

EVIL = "<script>window.hurt=1</script><img src=x onerror=window.hurt=1>\"'`{{7*7}}"


def stored_everywhere(house: Server) -> str:
    """An account in which every field that takes text holds a script; gives a key's id."""
    with httpx.Client(base_url=house.base_url, headers=bearer(house.admin_key), timeout=30) as api:
        key = api.post("/keys", json={"name": EVIL, "models": [EVIL, MODEL]}).json()
        api.post("/customers", json={"customer_id": "evil", "name": EVIL, "metadata": {EVIL[:40]: EVIL}})
        api.post("/members", json={"email": "<b>x</b>@evil.example", "name": EVIL})
        api.post(
            "/webhooks",
            json={
                "url": "https://hooks.example.com/%22%3E%3Cscript%3E",
                "event_types": ["webhook.test"],
                "description": EVIL,
            },
        )
    return str(key["id"])


def test_no_stored_text_ever_becomes_part_of_a_page(
    context: BrowserContext, owner: Person, house: Server
) -> None:
    key_id = stored_everywhere(house)
    page = signed_in_page(context, owner, house)
    page.goto("/")
    links = page.locator("nav[aria-label=Main] a").evaluate_all(
        "links => links.map(link => link.getAttribute('href'))"
    )
    own = [f"{KEYS}/{key_id}{suffix}" for suffix in ("", "/edit", "/rotate", "/revoke")]
    searches = [f"{KEYS}?search=%3Cscript%3Ewindow.hurt%3D1%3C/script%3E", "/login?next=%22%3E%3Cscript%3E"]
    for path in [*links, *own, *searches]:
        page.goto(path)
        assert page.evaluate("window.hurt") is None, path
        assert page.locator("img[src=x], main script").count() == 0, path
    page.goto(f"{KEYS}/{key_id}")
    assert page.locator("h1").inner_text() == EVIL


def test_what_was_typed_comes_back_as_text(owner: Person) -> None:
    answer = owner.post(KEYS, {"name": EVIL, "rate_limit": EVIL, "allowed_ips": EVIL}, page=f"{KEYS}/new")
    assert answer.status_code == 400
    assert "<script>window" not in answer.text
    assert "<img src=x" not in answer.text


# The member as a principal.


@pytest.mark.parametrize("name", [PRINCIPAL_KEY, PRINCIPAL_KEY.replace(".", "-"), "x-innoai-principal"])
def test_nothing_that_is_sent_makes_a_member(house: Server, owner: Person, name: str) -> None:
    cookie = {"cookie": f"{SESSION}={owner.session}"}
    for path in ("/keys", "/members", "/auth/validate"):
        answer = httpx.get(
            f"{house.base_url}{path}?{name}=mem_1", headers={name: owner.session or "", **cookie}
        )
        refused(answer, "invalid_api_key")


def test_the_api_does_not_take_the_cookie(house: Server, owner: Person) -> None:
    answer = httpx.get(f"{house.base_url}/keys", headers={"cookie": f"{SESSION}={owner.session}"})
    refused(answer, "invalid_api_key")


def test_what_a_member_does_is_on_record_as_the_members_doing(house: Server, owner: Person) -> None:
    made = owner.post(KEYS, {"name": "On record", "level": "read"}, page=f"{KEYS}/new")
    entries = httpx.get(
        f"{house.base_url}/audit",
        headers=bearer(house.admin_key),
        params={"action": "key.created", "limit": 1},
    ).json()["data"]
    actor: dict[str, Any] = entries[0]["actor"]
    assert actor["kind"] == "member"
    assert actor["id"].startswith("mem_")
    assert actor["key_id"] is None
    assert entries[0]["request_id"] == made.headers["x-request-id"]
    assert entries[0]["address"] == "127.0.0.1"


def test_what_a_role_may_not_do_is_refused_by_the_door_however_it_is_asked(
    viewer: Person, developer: Person, house: Server
) -> None:
    for person in (viewer, developer):
        assert person.get(KEYS).status_code == 403
        answer = person.post(KEYS, {"name": "Not theirs", "level": "admin"}, page=PROFILE)
        assert answer.status_code == 403
    assert "Not theirs" not in names_of(house)


def test_a_path_in_a_path_stays_one_segment(owner: Person) -> None:
    for odd in ("..%2fmembers", "%2e%2e", "key_1%2frotate", "a%00b"):
        assert owner.get(f"{KEYS}/{odd}").status_code == 404


def test_an_admin_makes_no_owner(house: Server, owner: Person) -> None:
    admin = member_of(house, "admin", "not-an-owner@example.com")
    assert owner.email
    entry = admin.post(
        "/settings/members", {"email": "new-owner@example.com", "role": "owner"}, page="/settings/members/new"
    )
    assert entry.status_code in (400, 403)
    found = httpx.get(f"{house.base_url}/members", headers=bearer(house.admin_key), params={"limit": 100})
    assert "new-owner@example.com" not in found.text


# Size, and what can be kept.


def test_the_first_page_is_small_and_everything_it_needs_is_kept_for_good(house: Server) -> None:
    ana = owner_of_fresh(house)
    total = 0
    for path in ("/login",):
        answer = ana.client.get(path)
        total += len(answer.content)
        for link in re.findall(r'(?:href|src)="(/static/[^"]+)"', answer.text):
            got = ana.client.get(link, headers={"accept-encoding": "identity"})
            assert got.status_code == 200
            assert got.headers["cache-control"] == "public, max-age=31536000, immutable"
            total += len(got.content)
            packed = ana.client.get(link, headers={"accept-encoding": "gzip"})
            assert packed.headers["content-encoding"] == "gzip"
            assert packed.content == got.content
    assert total < 100_000


def owner_of_fresh(house: Server) -> Person:
    return visitor(house)


@pytest.mark.parametrize("path", ["/static/dashboard.css", "/static/..%2fapp.py", "/static/", "/static/x.js"])
def test_no_other_file_is_given_away(stranger: Person, path: str) -> None:
    assert stranger.client.get(path).status_code in (303, 404)
