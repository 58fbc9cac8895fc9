from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.answers import page
from tests.cli.peer import Answer
from tests.support.samples import audit_log, jsonl, rehash

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run
    from tests.cli.peer import Peer

LOG = audit_log(3)
HEAD = {"sequence": 3, "hash": LOG[2]["hash"]}
AS_JSONL = {"content-type": "application/jsonl"}
FIRST_PAGE = {**page(LOG[2]), "head": HEAD}


def test_entries_are_listed_with_who_did_what(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /audit", 200, {**FIRST_PAGE, "next_cursor": "2"})
    ended = innoai(
        *(
            "audit",
            "list",
            "--action",
            "key.*",
            "--actor",
            "key_1",
            "--target",
            "key_3",
            "--from",
            "2026-11-01",
        ),
        *("--to", "2026-12-01", "--limit", "1", "--cursor", "9"),
    )
    assert peer.last.path == (
        "/v1/audit?from=2026-11-01T00%3A00%3A00Z&to=2026-12-01T00%3A00%3A00Z&action=key.%2A"
        "&actor_id=key_1&target_id=key_3&limit=1&cursor=9"
    )
    assert "3         2026-11-24T22:07:02.120Z  key.created  key key_1  key_3" in ended.out
    assert "innoai audit list" in ended.err
    assert ended.err.endswith(" --limit 1 --cursor 2\n")


def test_json_of_the_list_is_what_was_hashed(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /audit", 200, FIRST_PAGE)
    shown = json.loads(innoai("audit", "list", "--json").out)
    assert shown == FIRST_PAGE
    assert rehash(shown["data"][0]) == LOG[2]


def test_an_export_is_byte_for_byte_the_servers(peer: Peer, innoai: Run, tmp_path: Path) -> None:
    peer.answer("GET /audit", 200, jsonl(LOG), AS_JSONL)
    assert innoai("audit", "export", "--action", "key.*").out.encode() == jsonl(LOG)
    assert peer.last.path == "/v1/audit?action=key.%2A&format=jsonl"
    innoai("audit", "export", "log.jsonl")
    assert (tmp_path / "log.jsonl").read_bytes() == jsonl(LOG)


def verify(innoai: Run, tmp_path: Path, text: bytes, *arguments: str) -> tuple[int, Any]:
    (tmp_path / "log.jsonl").write_bytes(text)
    nowhere = {"INNOAI_API_KEY": "", "INNOAI_BASE_URL": "http://127.0.0.1:1/v1"}
    ended = innoai("audit", "verify", "log.jsonl", "--json", *arguments, env=nowhere)
    return ended.code, json.loads(ended.out)


def test_a_whole_file_is_verified_without_server_and_key(innoai: Run, tmp_path: Path) -> None:
    assert verify(innoai, tmp_path, jsonl(LOG)) == (0, {"verified": True, "head": HEAD})


@pytest.mark.parametrize(
    ("log", "broken"),
    [
        (
            [LOG[0], {**LOG[1], "action": "key.revoked"}, LOG[2]],
            {"sequence": 2, "id": "aud_2", "why": "content changed"},
        ),
        (
            [rehash({**LOG[0], "action": "key.revoked"}), *LOG[1:]],
            {"sequence": 2, "id": "aud_2", "why": "link broken"},
        ),
        ([LOG[0], LOG[2]], {"sequence": 2, "id": None, "why": "entry missing"}),
    ],
)
def test_the_first_broken_link_is_named(
    innoai: Run, tmp_path: Path, log: list[dict[str, Any]], broken: dict[str, Any]
) -> None:
    assert verify(innoai, tmp_path, jsonl(log)) == (1, {"verified": False, "broken": broken})


def test_a_head_that_was_kept_tells_that_the_end_is_gone(innoai: Run, tmp_path: Path) -> None:
    kept = f"3:{LOG[2]['hash']}"
    assert verify(innoai, tmp_path, jsonl(LOG), "--head", kept)[0] == 0
    code, verdict = verify(innoai, tmp_path, jsonl(LOG[:2]), "--head", kept)
    assert (code, verdict["broken"]["why"]) == (1, "does not reach the head")


def test_people_are_told_in_sentences(innoai: Run, tmp_path: Path) -> None:
    whole = innoai("audit", "verify", "-", stdin=jsonl(LOG).decode())
    assert whole.out == f"whole: 3 entries\nhead  3:{LOG[2]['hash']}\n"
    (tmp_path / "log.jsonl").write_bytes(jsonl(LOG[1:]))
    broken = innoai("audit", "verify", "log.jsonl")
    assert broken.out.splitlines()[0] == "broken at entry 1 (-)"
    assert broken.out.splitlines()[1].startswith("entry missing: ")
    assert (broken.code, broken.err) == (1, "")


def test_the_servers_log_is_compared_with_its_head(peer: Peer, innoai: Run) -> None:
    peer.answer_in_turn("GET /audit", Answer(200, FIRST_PAGE), Answer(200, jsonl(LOG), AS_JSONL))
    assert innoai("audit", "verify").code == 0
    peer.answer_in_turn("GET /audit", Answer(200, FIRST_PAGE), Answer(200, jsonl(LOG[:2]), AS_JSONL))
    ended = innoai("audit", "verify")
    assert (ended.code, ended.out.splitlines()[0]) == (1, "broken at entry 3 (-)")


def test_a_server_that_exports_garbage_is_told(peer: Peer, innoai: Run) -> None:
    peer.answer_in_turn("GET /audit", Answer(200, FIRST_PAGE), Answer(200, b"garbage\n", AS_JSONL))
    ended = innoai("audit", "verify")
    assert (ended.code, ended.out) == (8, "")


@pytest.mark.parametrize(
    ("text", "line"),
    [(b"garbage", 1), (jsonl(LOG) + b"[1]\n", 4), (b'{"sequence":1,"sequence":2}\n', 1), (b"\xff\n", 1)],
)
def test_a_line_that_is_no_entry_is_named(innoai: Run, tmp_path: Path, text: bytes, line: int) -> None:
    (tmp_path / "log.jsonl").write_bytes(text)
    ended = innoai("audit", "verify", "log.jsonl")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"error: log.jsonl, line {line}: it ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("verify", "nowhere.jsonl"), "cannot read nowhere.jsonl"),
        (("verify", "."), "cannot read ."),
        (("verify", "--head", "3"), "SEQUENCE:HASH"),
        (("list", "--from", "x"), "RFC 3339"),
        (("list", "--limit", "0"), "--limit"),
    ],
)
def test_a_slip_is_told_before_anything_is_sent(
    peer: Peer, innoai: Run, arguments: tuple[str, ...], said: str
) -> None:
    ended = innoai("audit", *arguments)
    assert (ended.code, ended.out, peer.asked) == (2, "", [])
    assert said in ended.err


def test_a_time_that_ends_before_it_begins_is_refused(innoai: Run) -> None:
    ended = innoai("audit", "list", "--from", "2026-12-01", "--to", "2026-11-01T12:00:00+08:00")
    assert (ended.code, ended.out) == (2, "")
    assert "before --from" in ended.err
