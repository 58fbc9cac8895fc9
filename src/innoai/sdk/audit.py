"""Is this audit log whole? The chain of its hashes, recomputed; no server is asked, and nothing is imported.

The hash of an entry is SHA-256 over all its other members as JSON: sorted by name, without white space, UTF-8
unescaped. Among them is the hash before it, so that a changed, removed or inserted entry breaks a link. Who
owns the whole log could write all of it anew; a Head kept from an earlier time tells even that.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BEGINNING = "0" * 64
"""What the first entry names as the hash before it."""


class Why(StrEnum):
    """What is wrong with a link."""

    CONTENT_CHANGED = "content changed"
    LINK_BROKEN = "link broken"
    ENTRY_MISSING = "entry missing"
    HEAD_NOT_REACHED = "does not reach the head"


@dataclass(frozen=True, slots=True)
class Head:
    """How far a log had come: the sequence and the hash of an entry that has to be in it. 0 is before all."""

    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class Verified:
    """The log is whole up to `head`, which is worth keeping."""

    head: Head


@dataclass(frozen=True, slots=True)
class BrokenLink:
    """The first entry that does not fit. id: None where there is no such entry."""

    sequence: int
    id: str | None
    why: Why


def verify(entries: Iterable[Mapping[str, Any]], *, heads: Iterable[Head] = ()) -> Verified | BrokenLink:
    """Follow the chain through all entries of a log, the oldest first, as `audit.export()` gives them.

    heads: what the log has to pass through, as the server or an earlier verification names it.
    """
    chain = Chain(heads)
    for entry in entries:
        broken = chain.take(entry)
        if broken is not None:
            return broken
    return chain.end()


class Chain:
    """The links so far: `take` the entries one by one, then `end`."""

    def __init__(self, heads: Iterable[Head] = ()) -> None:
        self._heads: dict[int, set[str]] = {}
        for head in heads:
            self._heads.setdefault(head.sequence, set()).add(head.hash)
        self._last = Head(0, BEGINNING)

    def take(self, entry: Mapping[str, Any]) -> BrokenLink | None:
        """The next entry; what is wrong with it, if anything is."""
        sequence, digest = self._last.sequence + 1, entry.get("hash")
        entry_id = entry["id"] if isinstance(entry.get("id"), str) else None
        found = entry.get("sequence")
        if isinstance(found, int) and found > sequence:
            return BrokenLink(sequence, None, Why.ENTRY_MISSING)
        if not isinstance(digest, str) or _hash(entry) != digest:
            return BrokenLink(sequence, entry_id, Why.CONTENT_CHANGED)
        if found != sequence or entry.get("previous_hash") != self._last.hash:
            return BrokenLink(sequence, entry_id, Why.LINK_BROKEN)
        if self._heads.get(sequence, {digest}) != {digest}:
            return BrokenLink(sequence, entry_id, Why.HEAD_NOT_REACHED)
        self._last = Head(sequence, digest)
        return None

    def end(self) -> Verified | BrokenLink:
        """The verdict, after the last entry."""
        missed = min((sequence for sequence in self._heads if sequence > self._last.sequence), default=None)
        if missed is not None:
            return BrokenLink(missed, None, Why.HEAD_NOT_REACHED)
        return Verified(self._last)


def read(line: bytes | str) -> dict[str, Any]:
    """The entry in a line of an export.

    Raises ValueError on what is no JSON object, or one whose text shows a member twice: a reader may see the
    one, and the hash cover the other.
    """
    try:
        entry = json.loads(line, object_pairs_hook=_each_once)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("it is no JSON object") from None
    if not isinstance(entry, dict):
        raise ValueError("it is no JSON object")
    return entry


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("it has a member twice")
    return members


def _hash(entry: Mapping[str, Any]) -> str:
    content = {name: value for name, value in entry.items() if name != "hash"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # Half of a surrogate pair is in no log that a server wrote; encoded strictly it would raise here.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
