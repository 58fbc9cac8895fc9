from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.answers import page
from tests.support.samples import INVITED, MEMBER

if TYPE_CHECKING:
    from tests.cli.conftest import Run
    from tests.cli.peer import Peer


def test_an_invitation_shows_its_address_once(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /members", 201, INVITED)
    ended = innoai("members", "invite", "ana@example.com", "--role", "viewer", "--name", "Ana")
    assert peer.last.body == {"email": "ana@example.com", "role": "viewer", "name": "Ana"}
    assert ended.out.count("invite=only-once") == 1
    assert "shown this once" in ended.err
    assert json.loads(innoai("members", "invite", "ana@example.com", "--json").out) == INVITED
    assert peer.last.body == {"email": "ana@example.com"}


def test_members_are_listed_and_shown(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /members", 200, page({**MEMBER, "email": None}, next_cursor="c2"))
    ended = innoai("members", "list", "--limit", "1", "--cursor", "c1")
    assert peer.last.path == "/v1/members?limit=1&cursor=c1"
    assert "mem_1  -      Ana   developer  invited" in ended.out
    assert "innoai members list --limit 1 --cursor c2\n" in ended.err
    peer.answer("GET /members/mem_1", 200, MEMBER)
    assert "ana@example.com" in innoai("members", "show", "mem_1").out


def test_a_member_is_changed_and_removed(peer: Peer, innoai: Run) -> None:
    peer.answer("PATCH /members/mem_1", 200, MEMBER)
    innoai("members", "set-role", "mem_1", "owner")
    assert peer.last.body == {"role": "owner"}
    innoai("members", "rename", "mem_1", "Ana María")
    assert peer.last.body == {"name": "Ana María"}
    peer.answer("DELETE /members/mem_1", 204)
    assert innoai("members", "remove", "mem_1").out == "removed mem_1\n"


def test_the_last_owner_stays(peer: Peer, innoai: Run) -> None:
    peer.refuse("DELETE /members/mem_1", 409, "conflict", "The last owner cannot be removed.")
    ended = innoai("members", "remove", "mem_1", "--yes")
    assert (ended.code, ended.out) == (6, "")
    assert "last owner" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("invite",),
        ("invite", "a@b.example", "--role", "king"),
        ("set-role", "mem_1", "king"),
        ("set-role", "mem_1"),
        ("show", "key_1"),
        ("remove", "ana@example.com"),
    ],
)
def test_a_slip_is_told_before_anything_is_sent(
    peer: Peer, innoai_here: Run, arguments: tuple[str, ...]
) -> None:
    ended = innoai_here("members", *arguments)
    assert (ended.code, ended.out, peer.asked) == (2, "", [])
