"""innoai.toml, written for a test."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MANY_FAILURES = 1_000_000
"""Failed authentications a minute for servers at which tests fail on purpose, all from one address."""

SHORTCUTS_VARIABLE = "INNOAI_SERVER_SHORTCUTS"
SHORTCUTS = os.environ.get(SHORTCUTS_VARIABLE, "true") == "true"
"""Whether the servers of this run take short ways: `make test-parsed` has them take none."""

about_shortcuts = pytest.mark.skipif(not SHORTCUTS, reason="it is about what only a short way does")


def settings(
    models: Mapping[str, Sequence[Mapping[str, object]]],
    sections: Mapping[str, Mapping[str, object]] | None = None,
) -> str:
    """The text: each model with its upstreams, and sections like `{"server": {"bind": "…"}}`."""
    written: dict[str, Mapping[str, object]] = {"limits": {"failed_auth": MANY_FAILURES}, **(sections or {})}
    lines = []
    for section, values in written.items():
        lines += [f"[{section}]", *(f"{name} = {_value(value)}" for name, value in values.items())]
    for name, upstreams in models.items():
        lines += [f'[models."{name}"]', f"upstreams = {_value(list(upstreams))}"]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    """A TOML value; strings, numbers and truth values are written as in JSON."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_value(member)}" for name, member in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)
