"""A store that fails, and a browser that says nonsense: the dashboard answers with a page of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from innoai.dashboard.app import POLICY
from tests.dashboard.conftest import ECHOING
from tests.support.dashboard import SESSION, Person, owner_of, visitor
from tests.support.store import change_store
from tests.support.wire import RawAnswer, exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from tests.support.server import Server

PROFILE = "/settings/profile"
KEYS = "/settings/api-keys"


@pytest.fixture(scope="module")
def forgetful(new_server: Callable[..., Server]) -> Server:
    """A server of the tests' own, whose store they break."""
    return new_server(ECHOING)


@pytest.fixture(scope="module")
def member(forgetful: Server) -> Person:
    """Its owner, signed in."""
    return owner_of(forgetful)


@pytest.fixture
def without_sessions(forgetful: Server, member: Person) -> Iterator[Person]:
    """The member, while the store says of no session whose it is."""
    assert member.session is not None
    change_store(forgetful, "ALTER TABLE sessions RENAME TO lost")
    yield member
    change_store(forgetful, "ALTER TABLE lost RENAME TO sessions")


def is_own_page(answer: httpx.Response, status: int) -> bool:
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-request-id"] in answer.text
    return answer.status_code == status and answer.headers["content-type"].startswith("text/html")


# A store that does not answer.


@pytest.mark.parametrize("path", ["/login", "/", KEYS, "/setup"])
def test_a_page_says_that_the_store_does_not_answer(without_sessions: Person, path: str) -> None:
    answer = without_sessions.get(path)
    assert is_own_page(answer, 503)
    assert "The store does not answer right now." in answer.text
    # What the browser holds is worth something again once the store answers.
    assert "set-cookie" not in answer.headers


def test_a_form_that_the_store_does_not_let_in_is_answered_by_a_page(without_sessions: Person) -> None:
    answer = without_sessions.client.post(
        KEYS, data={"name": "Not now"}, headers={"origin": without_sessions.origin}
    )
    assert is_own_page(answer, 503)


def test_a_script_is_told_so_as_it_reads_it(without_sessions: Person) -> None:
    headers = {"origin": without_sessions.origin}
    answer = without_sessions.client.post("/playground/token", json={}, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/json")
    assert "The store does not answer" in answer.json()["message"]


def test_a_page_is_shown_although_it_cannot_be_noted_that_the_session_is_in_use(
    forgetful: Server, member: Person
) -> None:
    change_store(forgetful, "UPDATE sessions SET seen_at = seen_at - 120")
    no_notes = "BEFORE UPDATE OF seen_at ON sessions BEGIN SELECT no_such_function(); END"
    change_store(forgetful, f"CREATE TRIGGER no_notes {no_notes}")
    try:
        assert member.get(PROFILE).status_code == 200
    finally:
        change_store(forgetful, "DROP TRIGGER no_notes")


# A browser that says nonsense.


def test_a_stale_form_from_nowhere_leads_to_the_overview(house: Server, owner: Person) -> None:
    nowhere = {"origin": owner.origin, "referer": "http://["}
    signed_in = owner.client.post(KEYS, data={"form_token": "old"}, headers=nowhere)
    assert is_own_page(signed_in, 403)
    assert 'href="/">Open it anew' in signed_in.text
    signed_out = visitor(house).client.post(KEYS, data={"form_token": "old"}, headers=nowhere)
    assert signed_out.headers["location"] == "/login?next=%2F&notice=session-ended"


@pytest.mark.parametrize("stated", ["[", "a:b:c", "x:99999", "[::1]x"])
@pytest.mark.parametrize("path", [PROFILE, "/playground", "/", "/login", "/settings/nothing"])
def test_a_host_that_is_none_is_no_servers_fault(
    house: Server, owner: Person, path: str, stated: str
) -> None:
    assert asked_at(house, owner, path, stated).status_code in (200, 303, 404)


def asked_at(house: Server, person: Person, path: str, stated: str) -> RawAnswer:
    """Open a page, as a browser would that takes this for the server's host."""
    head = f"GET {path} HTTP/1.1\r\nhost: {stated}\r\ncookie: {SESSION}={person.session}\r\n"
    (answer,) = exchange(house.address, f"{head}connection: close\r\n\r\n".encode())
    return answer
