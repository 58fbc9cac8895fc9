from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.answers import CUSTOMER, page

if TYPE_CHECKING:
    from tests.cli.conftest import Run
    from tests.cli.peer import Peer


def test_create_sends_id_name_and_metadata(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /customers", 201, CUSTOMER)
    ended = innoai(
        *("customers", "create", "customer-123", "--name", "Niño & Söhne"),
        *("--metadata", "plan=gold", "--metadata", "seats=7", "--idempotency-key", "once"),
    )
    assert peer.last.body == {
        "customer_id": "customer-123",
        "name": "Niño & Söhne",
        "metadata": {"plan": "gold", "seats": "7"},
    }
    assert peer.last.headers["idempotency-key"] == "once"
    assert "name         Niño & Söhne\n" in ended.out


def test_list_is_a_table(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /customers", 200, page(CUSTOMER))
    ended = innoai("customers", "list", "--limit", "1")
    assert peer.last.path == "/v1/customers?limit=1"
    assert "customer-123  cus_1  Niño & Söhne  no        plan=gold" in ended.out
    assert ended.err == ""


def test_show_takes_an_id_with_any_characters(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /customers/a%2F..%2Fb%20%3F", 200, CUSTOMER)
    ended = innoai("customers", "show", "a/../b ?", "--json")
    assert (ended.code, json.loads(ended.out)) == (0, CUSTOMER)


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (("update", "customer-123", "--name", "B"), {"name": "B"}),
        (("update", "customer-123", "--metadata", "plan="), {"metadata": {"plan": ""}}),
        (("disable", "customer-123"), {"disabled": True}),
        (("enable", "customer-123"), {"disabled": False}),
    ],
)
def test_a_change_sends_only_what_changes(
    peer: Peer, innoai_here: Run, arguments: tuple[str, ...], body: dict[str, Any]
) -> None:
    peer.answer("PATCH /customers/customer-123", 200, CUSTOMER)
    assert innoai_here("customers", *arguments).code == 0
    assert peer.last.body == body


def test_an_update_of_nothing_is_a_usage_error(peer: Peer, innoai: Run) -> None:
    ended = innoai("customers", "update", "customer-123")
    assert (ended.code, peer.asked) == (2, [])
    assert "nothing to change" in ended.err


def test_delete_deletes(peer: Peer, innoai: Run) -> None:
    peer.answer("DELETE /customers/customer-123", 204)
    ended = innoai("customers", "delete", "customer-123", "--yes")
    assert (ended.code, ended.out) == (0, "deleted customer-123\n")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("customers", "update"), "--metadata replaces all"),
        (("webhooks", "update"), "--event-type and --header replace all that it has"),
    ],
)
def test_help_says_what_an_update_replaces_as_a_whole(
    innoai: Run, command: tuple[str, str], said: str
) -> None:
    assert said in " ".join(innoai(*command, "--help").out.split())


def test_an_id_that_begins_with_a_hyphen_stands_behind_two(peer: Peer, innoai_here: Run) -> None:
    peer.answer("GET /customers/-1", 200, CUSTOMER)
    ended = innoai_here("customers", "show", "-1")
    assert (ended.code, peer.asked) == (2, [])
    assert "what begins with - and is no option stands behind --" in ended.err
    assert innoai_here("customers", "show", "--", "-1").code == 0
    assert "stands behind" not in innoai_here("customers", "show", "--nope", "c").err
