"""Bodies of events: JSON that JavaScript writes again byte for byte after it has read it.

A receiver that has a parsed body at hand verifies `JSON.stringify(req.body)`. So a body is written as
JSON.stringify (ECMA-262 §25.5.2) writes what JSON.parse made of it: no white space, the shortest
escapes, and names that look like array indices first, in ascending order.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MAX_SAFE_INTEGER = 2**53 - 1
_MAX_INDEX = 2**32 - 2
_is_index = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII).fullmatch


def write(document: Mapping[str, Any]) -> str:
    """The document as text.

    Raises:
        ValueError: something in it would not survive: a float, an integer beyond 2^53, half of a
            surrogate pair, or the name `__proto__`, which receivers refuse to read.
    """
    text = json.dumps(_in_order(dict(document)), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    text.encode()
    return text


def _in_order(value: object) -> object:
    if isinstance(value, dict):
        if "__proto__" in value:
            raise ValueError("no member may be called __proto__")
        return {name: _in_order(value[name]) for name in sorted(value, key=_place)}
    if isinstance(value, list):
        return [_in_order(item) for item in value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER):
        raise ValueError(f"{value!r} is no number that every receiver reads alike")
    return value


def _place(name: str) -> int:
    """Where JavaScript puts a member: array indices by number, then all others as they came."""
    if _is_index(name) and int(name) <= _MAX_INDEX:
        return int(name)
    return _MAX_INDEX + 1
