"""The audit log's chain, followed as docs/audit.md says, with nothing of the server's."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BEGINNING = "0" * 64


def digest(entry: Mapping[str, Any]) -> str:
    """The hash that an entry is to have."""
    content = {name: value for name, value in entry.items() if name != "hash"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def first_broken(lines: Iterable[str], head: Mapping[str, Any] | None = None) -> int | None:
    """The number of the first entry that is not as it was written, or is missing; None for a whole log."""
    sequence, reached = 0, BEGINNING
    for sequence, line in enumerate(lines, start=1):
        entry = json.loads(line)
        if (entry["sequence"], entry["previous_hash"]) != (sequence, reached) or entry["hash"] != digest(
            entry
        ):
            return sequence
        reached = entry["hash"]
    if head is not None and (sequence, reached) != (head["sequence"], head["hash"]):
        return sequence + 1
    return None
