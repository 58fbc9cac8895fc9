"""The form of a webhook endpoint: what was typed becomes what the API takes, and an endpoint the form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from innoai.errors import InnoError
from innoai.events.types import EVENT_TYPES, wants

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from innoai.dashboard.forms import Form

ALL = "*"
EVERY, CHOSEN = "every", "chosen"

OVERLAPS = {"0": "At once", "3600": "In an hour", "86400": "In a day", "604800": "In a week"}
"""How long deliveries are signed with the old secret as well, in seconds."""


def groups() -> list[tuple[str, list[tuple[str, str]]]]:
    """The types of events with what they mean, under what they are about."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, kind in EVENT_TYPES.items():
        found.setdefault(name.partition(".")[0], []).append((name, kind.description))
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
    patterns: Sequence[str] = endpoint["event_types"]
    return {
        "url": endpoint["url"],
        "description": endpoint["description"] or "",
        "which": EVERY if ALL in patterns else CHOSEN,
        "event_types": [name for name in EVENT_TYPES if wants(patterns, name)],
        "headers": "",
    }


def creation(form: Form) -> dict[str, Any]:
    """What POST /v1/webhooks takes. InnoError invalid_request for no type at all, or what is no header."""
    return {
        "url": form.text("url"),
        "description": form.text("description") or None,
        "event_types": _event_types(form),
        "headers": _headers(form),
    }


def change(form: Form) -> dict[str, Any]:
    """What PATCH /v1/webhooks/{endpoint_id} takes; headers stay as they are unless new ones are typed."""
    body = creation(form)
    if form.has("forget_headers"):
        body["headers"] = {}
    elif not body["headers"]:
        del body["headers"]
    return body


def _event_types(form: Form) -> list[str]:
    if form.text("which", EVERY) == EVERY:
        return [ALL]
    chosen = form.all("event_types")
    if not chosen:
        raise InnoError("invalid_request", "Tick at least one type, or take them all.", param="event_types")
    return chosen


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
