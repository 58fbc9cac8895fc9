"""Whether what a snippet printed is what the page shows: the same shape, with other values.

In JSON, objects have the same members and arrays the same kinds of elements; a value is of the same type, and
null is as good as any. In text, line answers to line: what is a number, an id, an instant, a secret or an
address may differ, and … stands for anything.
"""

from __future__ import annotations

import json
import re
from typing import Any

_VALUE = re.compile(
    r"sk-inno-\S+|whsec_\S+|eyJ[\w.-]+|\b[a-z]{2,4}_[0-9A-Za-z]{4,}\b|\d{4}-\d\d-\d\d(?:T[\d:.]+Z)?"
    r"|(?:https?://)?(?:127\.0\.0\.1|localhost|\[::1\]|[\w.-]+\.example\.com):?\d*|\b[0-9a-f]{8,}\b|\d+(?:[.,]\d+)*"
)


def difference(shown: str, printed: str, *, is_json: bool) -> str | None:
    """What differs, in a sentence; None when the page is true."""
    if not is_json:
        return _text_difference(shown, printed)
    said = _documents(printed)
    if not said:
        return f"the page shows JSON, and it printed {printed!r}"
    return _json_difference("the answer", json.loads(without_comments(shown)), said[-1])


def without_comments(text: str) -> str:
    """JSON whose `//` comments are taken out, which the documents use to explain."""
    return re.sub(r'("(?:[^"\\]|\\.)*")|//[^\n]*', lambda found: found[1] or "", text)


def _documents(text: str) -> list[Any]:
    """The JSON documents in what was printed, one behind the other."""
    decoder = json.JSONDecoder()
    found: list[Any] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            value, at = decoder.raw_decode(text, at)
        except ValueError:
            at = text.find("\n", at) + 1 or len(text)
            continue
        if isinstance(value, dict | list):
            found.append(value)
    return found


def _json_difference(where: str, shown: Any, said: Any) -> str | None:
    if shown is None or said is None or shown == "…":
        return None
    if isinstance(shown, dict) and isinstance(said, dict):
        if shown.keys() != said.keys() and shown and said:
            return f"{where}: the page shows the members {sorted(shown)}, and there are {sorted(said)}"
        return next(
            (
                told
                for name in shown
                if name in said and (told := _json_difference(name, shown[name], said[name]))
            ),
            None,
        )
    if isinstance(shown, list) and isinstance(said, list):
        if shown and said:
            return _json_difference(f"the first of {where}", shown[0], said[0])
        return None if not shown or said else f"{where}: the page shows some, and there are none"
    kind, got = type(shown), type(said)
    numbers = (int, float)
    if kind is got or (isinstance(shown, numbers) and isinstance(said, numbers) and bool not in (kind, got)):
        return None
    return f"{where}: the page shows {shown!r}, and it is {said!r}"


def _text_difference(shown: str, printed: str) -> str | None:
    wanted, got = _lines(shown), _lines(printed)
    for number, line in enumerate(wanted):
        if line == "…":
            return None
        if number >= len(got):
            return f"the page shows {line!r}, and no more was printed"
        if not re.fullmatch(_pattern(_without_ends(line)), _normal(_without_ends(got[number]))):
            return f"the page shows {line!r}, and it printed {got[number]!r}"
    return f"it printed more than the page shows: {got[len(wanted)]!r}" if len(got) > len(wanted) else None


def _lines(text: str) -> list[str]:
    return [re.sub(r"\s+", " ", line.strip()) for line in text.splitlines() if line.strip()]


def _normal(line: str) -> str:
    return _VALUE.sub("0", line)


def _without_ends(line: str) -> str:
    """Keys are shown by their last four characters behind …, which there stands for nothing else."""
    return re.sub(r"…[0-9A-Za-z]{4}(?!\w)", "0", line)


def _pattern(line: str) -> str:
    return ".*".join(re.escape(_normal(part)) for part in line.split("…"))
