"""JSON read into shapes: as strictly as msgspec does, but a whole number may be written as 60.0 too.

To JSON these are one number (RFC 8259 §6), and JSON Schema calls both integers.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T")


def decode(content: bytes, shape: type[T]) -> T:
    """The JSON text as `shape`.

    Raises:
        msgspec.ValidationError: it has another shape.
        msgspec.DecodeError: it is no JSON, or nested more deeply than can be read.
    """
    try:
        return msgspec.json.decode(content, type=shape)
    except msgspec.ValidationError as error:
        return _leniently(content, shape, error)
    except RecursionError:
        raise msgspec.DecodeError("it is nested too deeply") from None


def _leniently(content: bytes, shape: type[T], error: msgspec.ValidationError) -> T:
    try:
        members = _with_whole_numbers(msgspec.json.decode(content))
    except RecursionError:
        raise error from None
    return msgspec.convert(members, shape)


def _with_whole_numbers(value: object) -> object:
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, list):
        return [_with_whole_numbers(item) for item in value]
    if isinstance(value, dict):
        return {name: _with_whole_numbers(member) for name, member in value.items()}
    return value
