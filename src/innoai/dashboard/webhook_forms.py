"""The form of a webhook endpoint: what was typed becomes what the API takes, and an endpoint the form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from innoai.dashboard.edits import touched
from innoai.errors import InnoError
from innoai.events.types import EVENT_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from innoai.dashboard.forms import Form

ALL = "*"
EVERY, CHOSEN = "every", "chosen"

_CONTRADICTION = "Every event is chosen, and types are ticked. Choose one of the two."

OVERLAPS = {"0": "At once", "3600": "In an hour", "86400": "In a day", "604800": "In a week"}
"""How long deliveries are signed with the old secret as well, in seconds."""


def groups() -> list[tuple[str, list[tuple[str, str]]]]:
    """The types of events with what they mean, under what they are about; first the pattern of them all."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, kind in EVENT_TYPES.items():
        group = name.partition(".")[0]
        whole = (f"{group}.*", "All of these, and those that come later")
        found.setdefault(group, [whole]).append((name, kind.description))
    return list(found.items())


def empty_values() -> dict[str, Any]:
    """What stands in the form of a new endpoint."""
    return {"url": "", "description": "", "which": EVERY, "event_types": [], "headers": ""}


def typed_values(form: Form) -> dict[str, Any]:
    """What stands in the form again after it was refused: what was typed."""
    return {
        "url": form.raw("url"),
        "description": form.raw("description"),
        "which": form.text("which", EVERY),
        "event_types": form.all("event_types"),
        "headers": form.raw("headers"),
    }


def values_of(endpoint: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in the form of an endpoint that is to be changed; its headers are never shown again."""
    patterns = list(endpoint["event_types"])
    return {
        "url": endpoint["url"],
        "description": endpoint["description"] or "",
        "which": EVERY if ALL in patterns else CHOSEN,
        "event_types": [] if ALL in patterns else patterns,
        "headers": "",
    }


def creation(form: Form, shown: Mapping[str, Any]) -> dict[str, Any]:
    """What POST /v1/webhooks takes. `shown`: what the form began with.

    Raises:
        InnoError: invalid_request for no type at all, all and some at once, or what is no header.
    """
    return {
        "url": form.text("url"),
        "description": form.text("description") or None,
        "event_types": _event_types(form, shown),
        "headers": _headers(form),
    }


def change(form: Form, shown: Mapping[str, Any]) -> dict[str, Any]:
    """What PATCH /v1/webhooks/{endpoint_id} takes: what is not as it was shown.

    Headers stay as they are unless new ones are typed.
    """
    changed = touched(typed_values(form), shown)
    if "which" in changed:
        changed |= {"event_types"}
    body = {name: value for name, value in creation(form, shown).items() if name in changed}
    return {**body, "headers": {}} if form.has("forget_headers") else body


def _event_types(form: Form, shown: Mapping[str, Any]) -> list[str]:
    """What was chosen: every event, or ticks. Of the two that one counts which was touched."""
    which, ticked = form.text("which", EVERY), form.all("event_types")
    changed = touched({"which": which, "event_types": ticked}, shown)
    if which == EVERY and "event_types" in changed and ticked:
        if "which" in changed:
            raise InnoError("invalid_request", _CONTRADICTION, param="event_types")
        return ticked
    if which == EVERY:
        return [ALL]
    if not ticked:
        raise InnoError("invalid_request", "Tick at least one type, or take them all.", param="event_types")
    return ticked


def _headers(form: Form) -> dict[str, str]:
    headers = {}
    for line in filter(str.strip, form.raw("headers").split("\n")):
        name, separator, value = line.partition(":")
        if not separator or not name.strip() or not value.strip():
            raise InnoError(
                "invalid_request", "Write one header on a line, such as X-Team: payments.", param="headers"
            )
        headers[name.strip()] = value.strip()
    return headers
