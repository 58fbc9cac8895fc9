"""What somebody changed in a form: where it differs from what its page showed.

A page that was opened before somebody else's change does not undo that change when it is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from innoai.dashboard.forms import Form

SHOWN_FIELD = "shown"


def shown_by(form: Form, otherwise: Mapping[str, Any]) -> dict[str, Any]:
    """The values that the form's page began with; `otherwise` where the form does not tell."""
    try:
        told = msgspec.json.decode(form.raw(SHOWN_FIELD), type=dict[str, str | list[str]])
    except msgspec.DecodeError:
        return dict(otherwise)
    return {**otherwise, **told}


def as_field(shown: Mapping[str, Any]) -> str:
    """The same values as the hidden field in which the form brings them back."""
    return msgspec.json.encode(shown).decode()


def touched(typed: Mapping[str, Any], shown: Mapping[str, Any]) -> frozenset[str]:
    """The names of the fields in which something else stands than was shown."""
    return frozenset(name for name, value in typed.items() if _plain(value) != _plain(shown[name]))


def _plain(value: Any) -> Any:
    """Ticks come in the order of the page, whatever the order in which they were stored."""
    return sorted(value) if isinstance(value, list) else value
