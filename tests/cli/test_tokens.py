from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.answers import ACCESS_TOKEN, SECRET, TOKEN
from tests.cli.conftest import API_KEY

if TYPE_CHECKING:
    from tests.cli.conftest import Run
    from tests.cli.peer import Peer


def test_create_sends_what_was_asked_and_prints_tokens_whole(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /auth/token", 200, TOKEN)
    ended = innoai(
        *("tokens", "create", "--customer", "customer-123", "--scope", "inference:read"),
        *("--expires-in", "1h", "--rotate"),
    )
    assert peer.last.body == {
        "customer_id": "customer-123",
        "scopes": ["inference:read"],
        "expires_in": 3600,
        "rotate": True,
    }
    assert peer.last.headers["authorization"] == f"Bearer {API_KEY}"
    assert f"access_token   {TOKEN['access_token']}\n" in ended.out


def test_create_without_options_leaves_everything_to_the_server(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /auth/token", 200, TOKEN)
    ended = innoai("tokens", "create", "--json")
    assert (peer.last.body, json.loads(ended.out)) == ({}, TOKEN)


@pytest.mark.parametrize("value", ["", " ", ","])
def test_an_unset_variable_makes_no_token_with_all_scopes(peer: Peer, innoai_here: Run, value: str) -> None:
    ended = innoai_here("tokens", "create", "--scope", value)
    assert (ended.code, peer.asked) == (2, [])
    assert "Invalid value for --scope: nothing stands in it" in ended.err


def test_a_refresh_token_that_is_none_points_to_another_pair(peer: Peer, innoai: Run) -> None:
    peer.refuse("POST /auth/refresh", 401, "invalid_api_key", "That is no live refresh token.")
    ended = innoai("tokens", "refresh", "nope")
    assert ended.code == 3
    assert "hint: `innoai tokens create` makes" in ended.err


def test_refresh_needs_the_refresh_token_and_no_key(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /auth/refresh", 200, TOKEN)
    ended = innoai(
        "tokens", "refresh", "-", "--json", stdin="the-refresh-token\n", env={"INNOAI_API_KEY": ""}
    )
    assert (ended.code, json.loads(ended.out)) == (0, TOKEN)
    assert peer.last.body == {"refresh_token": "the-refresh-token"}
    assert "authorization" not in peer.last.headers


def test_revoke_needs_the_token_and_no_key(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /auth/revoke", 200, {})
    ended = innoai("tokens", "revoke", ACCESS_TOKEN, env={"INNOAI_API_KEY": ""})
    assert (ended.code, peer.last.body) == (0, {"token": ACCESS_TOKEN})
    assert ended.out == "the server refuses this very token from now on\n"


@pytest.mark.parametrize(
    "text",
    [
        "foo",
        "a.b.c",
        ACCESS_TOKEN[:-1],
        ACCESS_TOKEN[1:],
        f"{ACCESS_TOKEN}.",
        ACCESS_TOKEN.replace(".", ".x", 1),
        f"x.{ACCESS_TOKEN}",
        "W10.W10." + "A" * 43,
    ],
)
def test_a_mistyped_token_is_told_instead_of_seeming_revoked(peer: Peer, innoai_here: Run, text: str) -> None:
    ended = innoai_here("tokens", "revoke", text)
    assert (ended.code, ended.out, peer.asked) == (2, "", [])
    assert "Copy it again" in ended.err
    assert text not in ended.err


def test_a_key_is_no_token_to_revoke(peer: Peer, innoai_here: Run) -> None:
    ended = innoai_here("tokens", "revoke", SECRET)
    assert (ended.code, peer.asked) == (2, [])
    assert "`innoai keys revoke`" in ended.err
    assert SECRET not in ended.err


def test_inspect_shows_the_claims_of_the_answer_alone(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /auth/introspect", 200, {"active": False})
    assert innoai("tokens", "inspect", "a.b.c").out == "active  no\n"
    assert peer.last.body == {"token": "a.b.c"}
