"""Idempotency-Key: a retry gets the first answer, and nobody else does."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.contract.clients import bearer, create_key, mint
from tests.support.dashboard import Person, member_of
from tests.support.server import MODEL
from tests.support.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import Server

FORM = "/settings/api-keys/new"
TWINS = 6


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def own(
    request: pytest.FixtureRequest,
    new_server: Callable[..., Server],
    new_postgres: Callable[[str | None], str],
) -> Server:
    store = {"store": {"url": new_postgres(None)}} if request.param == "postgres" else {}
    return new_server(settings({MODEL: [{"base_url": "echo:"}]}, store))


@pytest.fixture
def admin(own: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=30) as client:
        yield client


def create(admin: httpx.Client, credential: str) -> dict[str, Any]:
    """The same create, by whom the credential is."""
    headers = {**bearer(credential), "idempotency-key": "the-same"}
    answer = admin.post("/keys", json={"name": "Once", "level": "admin"}, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_the_same_key_of_other_credentials_makes_other_objects(own: Server, admin: httpx.Client) -> None:
    """Whoever guesses a key is not handed the secret that came of it, be it under a token of the same key."""
    other = create_key(admin, level="admin")["key"]
    tokens = [mint(admin, other, scopes=["admin:full"])["access_token"] for _ in range(2)]
    made = [create(admin, credential) for credential in (own.admin_key, other, tokens[0])]
    assert len({key["id"] for key in made}) == len({key["key"] for key in made}) == 3
    assert create(admin, other) == made[1]
    assert create(admin, tokens[1]) == made[2]


def test_a_form_that_another_member_sends_too_makes_a_key_for_each(own: Server) -> None:
    def made(person: Person, once: str) -> str:
        fields = {"name": "Ours", "level": "read", "once": once}
        shown = person.post(FORM.removesuffix("/new"), fields, page=FORM)
        found = re.search(r'id="secret">(sk-inno-\w+)<', shown.text)
        assert found is not None, shown.text
        return found[1]

    ada, abe = (member_of(own, "admin", f"{name}@example.com") for name in ("ada", "abe"))
    found = re.search(r'name="once" value="([^"]+)"', ada.get(FORM).text)
    assert found is not None
    assert made(ada, found[1]) == made(ada, found[1]) != made(abe, found[1])


def test_retries_at_once_get_the_first_answer(admin: httpx.Client) -> None:
    """Not that the key has been rotated already, which it was by their twin."""

    def rotate(key_id: str) -> tuple[int, dict[str, Any]]:
        headers = {"idempotency-key": f"rotate-{key_id}"}
        answer = admin.post(f"/keys/{key_id}/rotate", json={"overlap": 3_600}, headers=headers)
        return answer.status_code, answer.json()

    with ThreadPoolExecutor(TWINS) as pool:
        for _ in range(5):
            answers = list(pool.map(rotate, [create_key(admin)["id"]] * TWINS))
            assert answers[0][0] == 201, answers[0]
            assert answers == [answers[0]] * TWINS
