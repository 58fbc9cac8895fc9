"""The event types as others read them: each with a JSON Schema and an example of a whole event."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import defstruct

from innoai.events.types import EVENT_TYPES, Instant

EXAMPLE_IDS = ("evt_0UySTdUKAr5mXqP9LcWv3H", "acc_0UySTdUK2bVnKt7YhRw4Zs")
EXAMPLE_INSTANT = "2026-11-24T22:07:02Z"


def schema(type_name: str) -> dict[str, Any]:
    """The JSON Schema of an event of that type: one object, without references."""
    event_type = EVENT_TYPES[type_name]
    members = [
        ("id", str),
        ("object", Literal["event"]),
        ("type", Literal[type_name]),
        ("created_at", Instant),
        ("account_id", str),
        ("data", event_type.data),
    ]
    shape = defstruct("Event", members, namespace={"__doc__": event_type.description})
    described = msgspec.json.schema(shape)
    whole: dict[str, Any] = _inlined(described, described.pop("$defs"))
    return whole


def example(type_name: str) -> dict[str, Any]:
    """A whole event of that type."""
    event_id, account_id = EXAMPLE_IDS
    return {
        "id": event_id,
        "object": "event",
        "type": type_name,
        "created_at": EXAMPLE_INSTANT,
        "account_id": account_id,
        "data": dict(EVENT_TYPES[type_name].example),
    }


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {name: _inlined(value, definitions) for name, value in schema.items()}
