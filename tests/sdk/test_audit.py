"""The chain of an audit log: every single change shows, and which link it broke."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innoai.sdk.audit import BEGINNING, BrokenLink, Head, Verified, Why, read, verify
from tests.sdk.peer import Answer, Peer
from tests.support.samples import audit_log, jsonl, rehash

if TYPE_CHECKING:
    from tests.sdk.conftest import Either

LOG = audit_log(5)
EXAMPLE = Path(__file__).parents[2] / "docs/audit-example.jsonl"
HEAD = Head(5, LOG[4]["hash"])


def changed(sequence: int, **members: Any) -> list[dict[str, Any]]:
    """The log with an entry altered, its hash left."""
    return [{**entry, **members} if entry["sequence"] == sequence else entry for entry in LOG]


def test_a_whole_log_is_verified_to_its_head() -> None:
    assert verify(LOG) == Verified(HEAD)
    assert verify(LOG, heads=[HEAD, Head(2, LOG[1]["hash"]), Head(0, BEGINNING)]) == Verified(HEAD)


def test_an_empty_log_is_whole() -> None:
    assert verify([]) == Verified(Head(0, BEGINNING))


def test_the_example_of_the_documentation_is_whole() -> None:
    with EXAMPLE.open("rb") as lines:
        verdict = verify(map(read, lines))
    assert isinstance(verdict, Verified)
    assert verdict.head.sequence == len(EXAMPLE.read_bytes().splitlines())


@pytest.mark.parametrize("sequence", [1, 3, 5])
@pytest.mark.parametrize(
    "members", [{"action": "key.revoked"}, {"after": {}}, {"at": "2026-11-24T22:07:02.12Z"}, {"added": 1}]
)
def test_a_changed_content_shows(sequence: int, members: dict[str, Any]) -> None:
    broken = BrokenLink(sequence, f"aud_{sequence}", Why.CONTENT_CHANGED)
    assert verify(changed(sequence, **members)) == broken


def test_a_changed_content_with_its_hash_renewed_breaks_the_next_link() -> None:
    forged = [rehash({**LOG[0], "action": "key.revoked"}), *LOG[1:]]
    assert verify(forged) == BrokenLink(2, "aud_2", Why.LINK_BROKEN)


def test_a_log_that_was_written_anew_does_not_reach_its_head() -> None:
    last = rehash({**LOG[4], "action": "key.revoked"})
    assert verify([*LOG[:4], last], heads=[HEAD]) == BrokenLink(5, "aud_5", Why.HEAD_NOT_REACHED)


@pytest.mark.parametrize("missing", [1, 2, 4])
def test_a_removed_entry_is_named(missing: int) -> None:
    rest = [entry for entry in LOG if entry["sequence"] != missing]
    assert verify(rest) == BrokenLink(missing, None, Why.ENTRY_MISSING)


def test_a_removed_end_shows_against_the_head_alone() -> None:
    assert verify(LOG[:3]) == Verified(Head(3, LOG[2]["hash"]))
    assert verify(LOG[:3], heads=[HEAD]) == BrokenLink(5, None, Why.HEAD_NOT_REACHED)
    assert verify([], heads=[HEAD]) == BrokenLink(5, None, Why.HEAD_NOT_REACHED)


def test_an_entry_twice_or_in_between_breaks_the_link() -> None:
    assert verify([LOG[0], LOG[0], *LOG[1:]]) == BrokenLink(2, "aud_1", Why.LINK_BROKEN)
    assert verify([LOG[1], LOG[0]]) == BrokenLink(1, None, Why.ENTRY_MISSING)


def test_two_heads_of_one_sequence_that_differ_cannot_both_be_reached() -> None:
    heads = [HEAD, Head(5, "0" * 64)]
    assert verify(LOG, heads=heads) == BrokenLink(5, "aud_5", Why.HEAD_NOT_REACHED)


@given(
    st.dictionaries(st.sampled_from(["sequence", "id", "hash", "previous_hash", "x"]), st.none() | st.text())
)
def test_whatever_an_entry_is_the_answer_is_a_broken_link(entry: dict[str, Any]) -> None:
    assert isinstance(verify([entry]), BrokenLink)


@pytest.mark.parametrize(
    "line", ["", "[1]", "{", '{"a":1,"a":2}', '{"after":{"a":1,"a":2}}', "[" * 100_000, b"\xff", "null"]
)
def test_what_is_no_entry_is_no_line_of_an_export(line: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"it is no JSON object|it has a member twice"):
        read(line)


def page(entries: list[dict[str, Any]], head: Head = HEAD) -> Answer:
    shown = {"sequence": head.sequence, "hash": head.hash}
    return Answer({"object": "list", "data": entries, "next_cursor": None, "head": shown})


def export(entries: list[dict[str, Any]]) -> Answer:
    return Answer(raw=jsonl(entries), headers={"content-type": "application/jsonl"})


async def test_an_entry_from_the_list_is_what_was_hashed(either: Either, peer: Peer) -> None:
    peer.on("GET /v1/audit", page(LOG[::-1]))
    found = await either.done(
        either.client.audit.list(action="key.*", actor_id="key_1", from_="2026-11-01T00:00:00Z")
    )
    assert peer.received[0].query == {
        "action": ["key.*"],
        "actor_id": ["key_1"],
        "from": ["2026-11-01T00:00:00Z"],
    }
    assert (found.head.sequence, found.data[0].actor.kind) == (5, "key")
    assert verify(entry.to_dict() for entry in reversed(found.data)) == Verified(HEAD)


async def test_an_export_is_walked_entry_by_entry(either: Either, peer: Peer) -> None:
    peer.on("GET /v1/audit", export(LOG))
    entries = either.client.audit.export(target_id="key_1")
    found = [e async for e in entries] if hasattr(entries, "__aiter__") else list(entries)
    assert found == LOG
    assert peer.received[0].query == {"target_id": ["key_1"], "format": ["jsonl"]}


async def test_the_servers_log_is_compared_with_the_servers_head(either: Either, peer: Peer) -> None:
    peer.on("GET /v1/audit", page(LOG[4:]), export(LOG), page(LOG[4:]), export(LOG[:4]))
    assert await either.done(either.client.audit.verify()) == Verified(HEAD)
    assert await either.done(either.client.audit.verify()) == BrokenLink(5, None, Why.HEAD_NOT_REACHED)


async def test_the_servers_log_is_compared_with_an_earlier_head(either: Either, peer: Peer) -> None:
    rewritten = audit_log(2)
    rewritten[1] = rehash({**rewritten[1], "address": None})
    head = Head(2, rewritten[1]["hash"])
    peer.on("GET /v1/audit", page(rewritten[1:], head), export(rewritten))
    earlier = Head(2, LOG[1]["hash"])
    verdict = await either.done(either.client.audit.verify(heads=[earlier]))
    assert verdict == BrokenLink(2, "aud_2", Why.HEAD_NOT_REACHED)


def test_an_exports_line_survives_reading() -> None:
    assert [read(line) for line in jsonl(LOG).splitlines()] == [json.loads(json.dumps(e)) for e in LOG]
