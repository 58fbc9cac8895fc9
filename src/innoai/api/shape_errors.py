"""What is wrong with JSON of another shape than a route takes, in words for people, and which member it is.

msgspec says it to programmers: "Expected `str` matching regex '…' - at `$.name`". Here its sentence is taken
apart. What a pattern means and which words a member takes are read from the shape itself: a pattern is told
by its Meta's extra["expected"], or by its description.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import inspect

from innoai.errors import InnoError

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "datetime": "an instant",
}
_UNITS = {"str": "character", "array": "entry", "object": "member"}
_PLURALS = {"entry": "entries"}

_place = re.compile(r"(?P<problem>.*) - at (?P<name>`key` in )?`\$\.?(?P<path>.*)`", re.DOTALL).fullmatch
_missing = re.compile(r"Object missing required field `(.+)`", re.DOTALL).fullmatch
_unknown = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL).fullmatch
_enum = re.compile(r"Invalid enum value (.+)", re.DOTALL).fullmatch
_types = re.compile(r"Expected `([a-z |]+)`, got `([a-z]+)`").fullmatch
_size = re.compile(r"Expected `(str|array|object)` of length (>=|<=) ([0-9]+)").fullmatch
_bound = re.compile(r"Expected `(int|float)` (>=|<=|>|<) ([0-9.]+)").fullmatch
_pattern = re.compile(r"Expected `str` matching regex .+", re.DOTALL).fullmatch
_BOUNDS = {">=": "of at least", "<=": "of at most", ">": "above", "<": "below"}


def invalid(error: msgspec.ValidationError, shape: type[msgspec.Struct]) -> InnoError:
    """The refusal of a value that was to be a `shape`, by what msgspec says: `invalid_request`, `param`."""
    text = str(error)
    found = _place(text)
    problem, path = (found["problem"], found["path"]) if found else (text, "")
    missing, unknown = _missing(problem), _unknown(problem)
    if missing is not None:
        member, sentence = _below(path, missing[1]), "it is missing. Send it"
    elif unknown is not None:
        member, sentence = _below(path, unknown[1]), "this takes no such member. Leave it out"
    else:
        of_name = found is not None and found["name"] is not None
        member = path.removesuffix("[...]")
        sentence = _told(problem, list(_types_at(inspect.type_info(shape), path, of_name=of_name)))
        sentence += " in a name" if of_name else ""
    if not member:
        return InnoError("invalid_request", f"The body is not what this route takes: {sentence}.")
    return InnoError("invalid_request", f"{member}: {sentence}.", param=member)


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _told(problem: str, expected: list[inspect.Type]) -> str:
    """One problem as the end of a sentence; `expected` are the types that would do there."""
    types, size, bound, enum = _types(problem), _size(problem), _bound(problem), _enum(problem)
    if _pattern(problem):
        return f"expected {_meaning(expected)}"
    if enum is not None:
        return f"{enum[1]} is none of: {_choices(expected)}"
    if types is not None:
        wanted = " or ".join(_WORDS.get(name, name) for name in types[1].split(" | "))
        return f"expected {wanted}, not {_WORDS.get(types[2], types[2])}{_advice(types[1])}"
    if size is not None:
        return _sized(*size.groups())
    if bound is not None:
        return f"expected {_WORDS[bound[1]]} {_BOUNDS[bound[2]]} {bound[3]}"
    if "datetime" in problem or "RFC3339" in problem:
        return f"expected an instant{_advice('datetime')}"
    return problem[:1].lower() + problem[1:]


def _sized(kind: str, comparison: str, number: str) -> str:
    if (comparison, number) == (">=", "1"):
        return "it may not be empty"
    unit = _UNITS[kind]
    units = unit if number == "1" else _PLURALS.get(unit, f"{unit}s")
    return f"expected at {'least' if comparison == '>=' else 'most'} {number} {units}"


def _advice(wanted: str) -> str:
    """How to write what is often written in another way."""
    if "datetime" in wanted:
        return "; write one with its offset, such as 2026-11-24T22:07:02Z"
    if "int" in wanted and "str" in wanted:
        # An amount of money, which no float is exactly.
        return '; write decimals as text, such as "12.50"'
    return ""


def _meaning(expected: list[inspect.Type]) -> str:
    """What the pattern there stands for."""
    notes = [one for one in expected if isinstance(one, inspect.Metadata)]
    told = [(one.extra or {}).get("expected") for one in notes]
    described = [(one.extra_json_schema or {}).get("description") for one in notes]
    return next(filter(None, told + described), "another spelling")


def _choices(expected: list[inspect.Type]) -> str:
    """The words that would do there."""
    words = [str(value) for one in expected if isinstance(one, inspect.LiteralType) for value in one.values]
    words += [str(one.value) for kind in expected if isinstance(kind, inspect.EnumType) for one in kind.cls]
    return ", ".join(words)


def _types_at(root: inspect.Type, path: str, *, of_name: bool) -> Iterator[inspect.Type]:
    """The types that a value at `path` may have; with `of_name`, those of the names in the object there."""
    types = list(_alternatives(root))
    for step in re.findall(r"\[[0-9.]+\]|[^.\[\]]+", path):
        types = [inner for one in types for below in _step(one, step) for inner in _alternatives(below)]
    if not of_name:
        yield from types
        return
    for one in types:
        if isinstance(one, inspect.DictType):
            yield from _alternatives(one.key_type)


def _step(container: inspect.Type, step: str) -> Iterator[inspect.Type]:
    """The type one step down a path: into a member, or with brackets into a list or a free object."""
    if isinstance(container, inspect.StructType):
        yield from (field.type for field in container.fields if field.encode_name == step)
    elif isinstance(container, inspect.ListType):
        yield container.item_type
    elif isinstance(container, inspect.DictType):
        yield container.value_type


def _alternatives(kind: inspect.Type) -> Iterator[inspect.Type]:
    """A type itself and, of a union or of one with metadata, what it is made of."""
    yield kind
    inner: Any = kind.types if isinstance(kind, inspect.UnionType) else [getattr(kind, "type", None)]
    for one in inner:
        if isinstance(one, inspect.Type):
            yield from _alternatives(one)
