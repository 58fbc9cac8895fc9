from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.cli.answers import KEY, NEW_KEY, SECRET, VALIDATION, page
from tests.cli.conftest import API_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run
    from tests.cli.peer import Peer


def test_the_pages_create_sends_the_name_alone_and_shows_the_secret_once(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /keys", 201, NEW_KEY)
    ended = innoai("keys", "create", "--name", "Production V2")
    assert (ended.code, peer.last.body) == (0, {"name": "Production V2"})
    assert peer.last.headers["authorization"] == f"Bearer {API_KEY}"
    assert ended.out.count(SECRET) == 1
    assert "Store it now" in ended.err
    assert SECRET not in ended.err


def test_every_option_of_create_becomes_its_member(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /keys", 201, NEW_KEY)
    innoai(
        *("keys", "create", "--name", "n", "--scope", "billing:read", "--scope", "customers:read"),
        *("--allow-ip", "192.168.1.0/24", "--allow-ip", "10.0.0.0/8", "--rate-limit", "1000"),
        *("--expires-at", "2027-01-31T12:00:00+08:00", "--model", "inno-ai-boyong-4.5"),
        *("--customer", "customer-123", "--idempotency-key", "once"),
    )
    created = peer.asked[0]
    assert created.body == {
        "name": "n",
        "scopes": ["billing:read", "customers:read"],
        "allowed_ips": ["192.168.1.0/24", "10.0.0.0/8"],
        "rate_limit": 1000,
        "expires_at": "2027-01-31T04:00:00Z",
        "models": ["inno-ai-boyong-4.5"],
        "customer_id": "customer-123",
    }
    assert created.headers["idempotency-key"] == "once"


def test_a_level_and_a_lifetime_are_sent(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /keys", 201, NEW_KEY)
    before = datetime.now(UTC).replace(microsecond=0)
    innoai("keys", "create", "--name", "n", "--level", "write", "--expires-in", "90d")
    assert peer.last.body["level"] == "write"
    expiry = datetime.fromisoformat(peer.last.body["expires_at"])
    assert before + timedelta(days=90) <= expiry <= datetime.now(UTC) + timedelta(days=90)


def test_json_is_exactly_the_object_of_the_api(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /keys", 201, {**NEW_KEY, "added_later": [1]})
    ended = innoai("keys", "create", "--name", "n", "--json")
    assert json.loads(ended.out) == {**NEW_KEY, "added_later": [1]}
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--name", "n", "--scope", "a", "--level", "read"),
        ("--name", "n", "--expires-in", "1h", "--expires-at", "2027-01-31"),
        ("--name", "n", "--level", "god"),
        ("--name", "n", "--rate-limit", "0"),
        (),
    ],
)
def test_a_contradictory_create_is_refused_before_anything_is_sent(
    peer: Peer, innoai_here: Run, arguments: tuple[str, ...]
) -> None:
    ended = innoai_here("keys", "create", *arguments)
    assert ended.code == 2
    assert ended.err.startswith("error: ")
    assert "innoai keys create --help" in ended.err or "innoai --help" in ended.err
    assert peer.asked == []


def test_a_list_shows_prefix_and_last_four_and_how_to_go_on(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /keys", 200, page(KEY, next_cursor="c2"))
    ended = innoai("keys", "list")
    header, row = ended.out.splitlines()
    assert header.split()[:4] == ["id", "name", "key", "status"]
    assert "key_abc123  Production V2  sk-inno-…Zk9Q  active" in row
    assert "innoai keys list --cursor c2" in ended.err


def test_what_is_told_of_the_rest_is_the_whole_command_without_the_key(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /keys", 200, page(KEY, next_cursor="c2"))
    given = ("--api-key", "sk-inno-given", "--search", "two words", "--cursor", "c1", "--limit=5")
    ended = innoai("keys", "list", *given)
    assert ended.err == "There is more: innoai keys list --search 'two words' --limit=5 --cursor c2\n"


def test_a_list_passes_its_filters_on(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /keys", 200, page())
    ended = innoai(
        *("keys", "list", "--limit", "5", "--cursor", "a/b", "--status", "revoked", "--customer", "c 1"),
        "--json",
    )
    assert peer.last.path == "/v1/keys?limit=5&cursor=a%2Fb&status=revoked&customer_id=c+1"
    assert json.loads(ended.out) == page()


def test_show_prints_a_line_for_each_member(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /keys/key_abc123", 200, KEY)
    lines = dict(line.split(maxsplit=1) for line in innoai("keys", "show", "key_abc123").out.splitlines())
    assert lines["key"] == "sk-inno-…Zk9Q"
    assert lines["scopes"] == "inference:read, inference:write"
    assert lines["expires_at"] == "-"
    assert lines["created_at"] == "2026-11-24T22:07:02Z"


@pytest.mark.parametrize(
    ("option", "value", "member", "sent"),
    [
        ("--rate-limit", "none", "rate_limit", None),
        ("--expires-at", "none", "expires_at", None),
        ("--expires-in", "none", "expires_at", None),
        ("--model", "one,two", "models", ["one", "two"]),
        ("--allow-ip", "any", "allowed_ips", []),
        ("--model", "any", "models", None),
        ("--rate-limit", "5", "rate_limit", 5),
        ("--allow-ip", "10.0.0.0/8,::1", "allowed_ips", ["10.0.0.0/8", "::1"]),
        ("--scope", "inference:read, inference:write", "scopes", ["inference:read", "inference:write"]),
        ("--level", "Admin", "scopes", ["admin:full"]),
    ],
)
def test_update_sets_a_bound_or_takes_it_away(
    peer: Peer, innoai_here: Run, option: str, value: str, member: str, sent: object
) -> None:
    peer.answer("PATCH /keys/key_abc123", 200, KEY)
    assert innoai_here("keys", "update", "key_abc123", option, value).code == 0
    change = peer.asked[0]
    assert (change.method, change.body) == ("PATCH", {member: sent})


@pytest.mark.parametrize(
    ("option", "word"),
    [
        ("--model", "any"),
        ("--allow-ip", "any"),
        ("--rate-limit", "none"),
        ("--expires-in", "none"),
        ("--expires-at", "none"),
    ],
)
def test_the_words_for_no_bound_make_a_key_without_it(
    peer: Peer, innoai_here: Run, option: str, word: str
) -> None:
    peer.answer("POST /keys", 201, NEW_KEY)
    assert innoai_here("keys", "create", "--name", "n", option, word).code == 0
    assert peer.last.body == {"name": "n"}


def test_update_takes_a_lifetime_as_create_does(peer: Peer, innoai_here: Run) -> None:
    peer.answer("PATCH /keys/key_abc123", 200, KEY)
    before = datetime.now(UTC)
    assert innoai_here("keys", "update", "key_abc123", "--expires-in", "1h").code == 0
    expires_at = datetime.fromisoformat(peer.last.body["expires_at"])
    assert timedelta(minutes=59) < expires_at - before < timedelta(minutes=61)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--allow-ip", "any", "--allow-ip", "10.0.0.0/8"),
        ("--model", "any", "--model", "m"),
        ("--scope", "admin:full", "--level", "read"),
        ("--rate-limit", "many"),
        ("--expires-in", "1h", "--expires-at", "none"),
        (),
    ],
)
def test_a_contradictory_update_is_refused_before_anything_is_sent(
    peer: Peer, innoai_here: Run, arguments: tuple[str, ...]
) -> None:
    ended = innoai_here("keys", "update", "key_abc123", *arguments)
    assert (ended.code, peer.asked) == (2, [])


@pytest.mark.parametrize(
    "command", [("create", "--name", "n"), ("update", "key_abc123"), ("preview", "key_abc123")]
)
@pytest.mark.parametrize("option", ["--allow-ip", "--scope", "--model"])
@pytest.mark.parametrize("value", ["", " ", ",", " , "])
def test_an_unset_variable_takes_no_restriction_away(
    peer: Peer, innoai_here: Run, command: tuple[str, ...], option: str, value: str
) -> None:
    ended = innoai_here("keys", *command, option, value)
    assert (ended.code, peer.asked) == (2, [])
    assert f"Invalid value for {option}: nothing stands in it" in ended.err


def test_one_empty_value_among_others_is_refused_as_well(peer: Peer, innoai_here: Run) -> None:
    ended = innoai_here("keys", "create", "--name", "n", "--allow-ip", "10.0.0.0/8", "--allow-ip", "")
    assert (ended.code, peer.asked) == (2, [])


@pytest.mark.parametrize(
    "command", [("create", "--name", "n", "--model", "nope"), ("update", "key_abc123", "--model", "nope")]
)
def test_a_model_that_is_not_served_is_remarked_on(
    peer: Peer, innoai_here: Run, command: tuple[str, ...]
) -> None:
    peer.answer("POST /keys", 201, NEW_KEY)
    peer.answer("PATCH /keys/key_abc123", 200, KEY)
    served = {"id": "inno-ai-boyong-4.5", "object": "model", "created": 1, "owned_by": "innoai"}
    peer.answer("GET /models", 200, {"object": "list", "data": [served]})
    ended = innoai_here("keys", *command)
    assert ended.code == 0
    assert "Not served to you: nope." in ended.err


def test_an_expired_key_is_not_rotated_and_the_way_out_is_another_key(peer: Peer, innoai_here: Run) -> None:
    peer.refuse("POST /keys/key_abc123/rotate", 409, "conflict", "It has expired.")
    ended = innoai_here("keys", "rotate", "key_abc123")
    assert ended.code == 6
    assert "hint: a key that has ended or has a successor" in ended.err
    assert "innoai keys create" in ended.err


def test_rotate_sends_the_overlap_in_seconds_and_shows_the_successor(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /keys/key_abc123/rotate", 201, {**NEW_KEY, "rotated_from": "key_abc123"})
    ended = innoai("keys", "rotate", "key_abc123", "--overlap", "24h")
    assert peer.last.body == {"overlap": 86_400}
    assert SECRET in ended.out


def test_an_overlap_of_nothing_is_sent_as_zero(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /keys/key_abc123/rotate", 201, NEW_KEY)
    innoai("keys", "rotate", "key_abc123", "--overlap", "0")
    assert peer.last.body == {"overlap": 0}


def test_the_pages_revoke_sends_the_secret_as_the_only_proof(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /auth/revoke", 200, {})
    ended = innoai("keys", "revoke", SECRET, env={"INNOAI_API_KEY": ""})
    assert (ended.code, peer.last.body) == (0, {"token": SECRET})
    assert "authorization" not in peer.last.headers
    assert ended.out == f"revoked sk-inno-…{SECRET[-4:]}\n"


def test_a_secret_can_come_from_stdin(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /auth/revoke", 200, {})
    ended = innoai("keys", "revoke", "-", "--json", stdin=f"{SECRET}\n")
    assert (ended.code, json.loads(ended.out), peer.last.body) == (0, {}, {"token": SECRET})


def test_a_mistyped_secret_is_told_instead_of_seeming_revoked(peer: Peer, innoai: Run) -> None:
    ended = innoai("keys", "revoke", SECRET[:-1] + "!")
    assert (ended.code, peer.asked) == (2, [])
    assert "checksum" in ended.err
    assert SECRET[:-1] not in ended.err


def test_revoke_by_id_deletes_the_key_and_asks_nothing_without_a_terminal(peer: Peer, innoai: Run) -> None:
    peer.answer("DELETE /keys/key_abc123", 204)
    ended = innoai("keys", "revoke", "key_abc123")
    assert (ended.code, ended.out, ended.err) == (0, "revoked key_abc123\n", "")
    assert (peer.last.method, peer.last.path) == ("DELETE", "/v1/keys/key_abc123")


@pytest.mark.parametrize("key", ["key_abc123", SECRET])
def test_the_key_that_one_acts_with_is_not_revoked_in_passing(peer: Peer, innoai: Run, key: str) -> None:
    peer.answer("GET /auth/validate", 200, {**VALIDATION, "key_id": "key_abc123"})
    peer.answer("DELETE /keys/key_abc123", 204)
    peer.answer("POST /auth/revoke", 200, {})
    ended = innoai("keys", "revoke", key, env={"INNOAI_API_KEY": SECRET})
    assert (ended.code, ended.out) == (130, "")
    assert "is the key that this command acts with; nothing was changed" in ended.err
    assert SECRET not in ended.err
    assert innoai("keys", "revoke", key, "--yes", env={"INNOAI_API_KEY": SECRET}).code == 0
    assert [asked.method for asked in peer.asked if asked.path != "/v1/auth/validate"] in (
        ["DELETE"],
        ["POST"],
    )


@pytest.mark.parametrize("command", ["show", "rotate"])
def test_a_secret_never_becomes_part_of_an_address(peer: Peer, innoai: Run, command: str) -> None:
    ended = innoai("keys", command, SECRET)
    assert (ended.code, peer.asked) == (2, [])
    assert SECRET not in ended.err


@pytest.mark.parametrize("rights", [("--level", "admin"), ("--scope", "admin:full")])
def test_a_customers_key_with_all_rights_is_refused_for_being_both(
    innoai: Run, rights: tuple[str, str]
) -> None:
    ended = innoai("keys", "create", "--name", "n", "--customer", "c", *rights)
    assert ended.code == 2
    assert "a customer's key never has admin:full" in ended.err


def test_leaked_keys_are_found_among_any_bytes(peer: Peer, innoai: Run, tmp_path: Path) -> None:
    peer.answer("POST /keys/leaks", 200, {"object": "leak_report", "keys": [], "others": 1})
    log = tmp_path / "binary.log"
    log.write_bytes(b"\xff\x00caf\xe9 " + SECRET.encode() + b" \xfe")
    ended = innoai("keys", "leaked", str(log))
    assert ended.code == 0, ended.err
    assert peer.last.body["text"] == SECRET


def test_leaked_reads_stdin(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /keys/leaks", 200, {"object": "leak_report", "keys": [], "others": 1})
    ended = innoai("keys", "leaked", "-", stdin=f"key: {SECRET}")
    assert ended.code == 0, ended.err
    assert (peer.last.body["text"], "source" in peer.last.body) == (SECRET, False)
