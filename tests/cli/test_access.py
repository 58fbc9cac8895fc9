from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.answers import EXPLANATION, MATRIX, VALIDATION

if TYPE_CHECKING:
    from tests.cli.conftest import Run
    from tests.cli.peer import Peer

EXPLAIN = ("explain", "--key", "key_abc123", "--route", "POST /v1/chat/completions")


def test_validate_shows_the_five_members(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /auth/validate", 200, VALIDATION)
    names = [line.split()[0] for line in innoai("validate").out.splitlines()]
    assert names == ["valid", "key_id", "scopes", "rate_limit", "tier"]


@pytest.mark.parametrize("body", [{}, {"status": "ok"}, {"valid": "yes"}, {"object": "list", "data": []}])
def test_another_servers_json_validates_nothing(peer: Peer, innoai_here: Run, body: dict[str, Any]) -> None:
    peer.answer("GET /auth/validate", 200, body)
    ended = innoai_here("validate")
    assert (ended.code, ended.out) == (8, "")
    assert "not an innoai server's answer" in ended.err


def test_explain_marks_each_check_of_the_decision(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /auth/explain", 200, EXPLANATION)
    ended = innoai(*EXPLAIN, "--ip", "203.0.113.9", "--model", "inno-ai-boyong-4.5")
    assert ended.code == 0
    assert ended.out.splitlines() == [
        "refused: Not from there. (ip_not_allowed)",
        "✓ credential  well-formed key",
        "✗ network     203.0.113.9 is in none of the networks",
        "· scope       needs inference:write",
    ]
    assert peer.last.body == {
        "key": "key_abc123",
        "method": "POST",
        "path": "/v1/chat/completions",
        "ip": "203.0.113.9",
        "model": "inno-ai-boyong-4.5",
    }


def test_explain_of_an_admitted_request_says_so(peer: Peer, innoai: Run) -> None:
    admitted = {**EXPLANATION, "allowed": True, "code": None, "message": None}
    peer.answer("POST /auth/explain", 200, admitted)
    assert innoai(*EXPLAIN).out.startswith("allowed\n")


def test_marks_are_ascii_where_the_terminal_has_no_others(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /auth/explain", 200, EXPLANATION)
    ended = innoai(*EXPLAIN, env={"PYTHONIOENCODING": "ascii"})
    assert [line[0] for line in ended.out.splitlines()[1:]] == ["+", "x", "."]


def test_explain_as_json_is_the_answer(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /auth/explain", 200, EXPLANATION)
    assert json.loads(innoai(*EXPLAIN, "--json").out) == EXPLANATION


def test_tiers_is_four_tables(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /tiers", 200, MATRIX)
    ended = innoai("tiers")
    assert [line for line in ended.out.splitlines() if line in {"Tiers", "Levels", "Scopes", "Routes"}] == [
        "Tiers",
        "Levels",
        "Scopes",
        "Routes",
    ]
    assert "GET     /v1/models  inference:read" in ended.out
    assert json.loads(innoai("tiers", "--json").out) == MATRIX
