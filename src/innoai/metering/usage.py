"""Reading token counts from the answers of OpenAI-compatible servers.

Chat completions, completions and embeddings count `prompt_tokens` and `completion_tokens`; the
Responses API counts `input_tokens` and `output_tokens`, in a stream inside its last event.

What an answer holds may be the caller's own words, such as the parameters of a tool, so nothing here takes
longer than in proportion to its length: each event is read once, and where the beginning of the JSON is gone,
a few candidates are looked at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from innoai import json_shapes
from innoai.metering import estimates
from innoai.metering.stream_events import event_end, last_event_end, payload, payloads

if TYPE_CHECKING:
    from collections.abc import Iterator

TAIL_BYTES = 64 * 1024
"""How much of an answer's end is looked at when the whole is too long to keep."""

HEAD_BYTES = 4 * 1024
"""And of its beginning: llama.cpp tells the usage before the embeddings."""

WHOLE_BYTES = 4 * 1024 * 1024
"""A JSON answer up to this size is kept whole for reading its usage; of a longer one, the end."""

Tokens = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""As many as a column of the store holds; an upstream that claims more is not believed."""


class _Details(msgspec.Struct, frozen=True):
    cached_tokens: Tokens | None = None


class _Counts(msgspec.Struct, frozen=True):
    """OpenAI's names, and where DeepSeek and Moonshot put what came from the cache."""

    prompt_tokens: Tokens | None = None
    completion_tokens: Tokens | None = None
    prompt_tokens_details: _Details | None = None
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    input_tokens_details: _Details | None = None
    total_tokens: Tokens | None = None
    prompt_cache_hit_tokens: Tokens | None = None
    cached_tokens: Tokens | None = None


class _Answer(msgspec.Struct, frozen=True):
    usage: _Counts | None = None


class Usage(msgspec.Struct, frozen=True):
    """Tokens that an upstream says it read, read from its cache, and wrote."""

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_counts = msgspec.json.Decoder(_Counts).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_OF_THE_CACHE = ("prompt_tokens_details", "input_tokens_details", "prompt_cache_hit_tokens", "cached_tokens")
"""Members of a usage that say no more than how much of the prompt came from the cache."""

_USAGE_NAME = b'"usage"'
_BRACE = re.compile(rb"[{}]")
_USAGE_MEMBER = re.compile(rb'"usage"\s*:\s*(\{)')
_CLOSING_USAGE = re.compile(
    rb'"usage"\s*:\s*(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})\}(?=\r?\n\r?\n|\r\r)',
)
"""A usage that closes its event, as in nearly every stream, so that no brace need be walked."""
_WHAT_FOLLOWS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}]|\n\r?\n|\r\r')
_DEEPEST = 2
"""Objects that a usage is in: the answer or event, and in one of the Responses API its response.

What lies deeper may be the caller's own words, which answers repeat, such as the parameters of a tool.
"""

_MOST_CANDIDATES = 4
"""Of what may be a usage in text whose beginning is gone: each is looked at to the end of the text."""

_MOST_COUNTS = 4 * 1024
"""Bytes of a usage object that is read once more where it is oddly written."""

_ERROR = b"error"
_DONE = b"[DONE]"
_SERVED = frozenset(("choices", "data", "output", "text"))
"""Members of answers that hold what was asked for."""

_NOTHING = frozenset((b"null", b"[]", b"{}", b'""'))

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def usage_of(body: bytes) -> Usage | None:
    """The usage of a whole JSON answer, or of an object right in it; None when it has none."""
    usage = _own_usage(body)
    if usage is not None or _USAGE_NAME not in body:
        return usage
    try:
        return _usage_in_object(body)
    except _UNREADABLE:
        return None


def _own_usage(body: bytes) -> Usage | None:
    try:
        counts = _decode_answer(body).usage
        return None if counts is None else _usage(counts)
    except msgspec.ValidationError:
        return _oddly_written(body)
    except _UNREADABLE:
        return None


def _oddly_written(body: bytes) -> Usage | None:
    """The same of an answer whose counts are written as 12.0, or that is no object."""
    try:
        members = _decode_members(body)
    except _UNREADABLE:
        return None
    return _counted(members["usage"]) if "usage" in members else None


def usage_in_tail(tail: bytes) -> Usage | None:
    """The last usage object in the end of an answer, be it JSON or server-sent events."""
    return next((usage for _, usage in usages_from_the_end(tail)), None)


def usages_from_the_end(data: bytes) -> Iterator[tuple[int, Usage]]:
    """The usage of each event that has one, the last one first, with where the member begins.

    JSON is one event. Found by a backward search for the name: scanning forward by a pattern takes a hundred
    times as long.
    """
    position = data.rfind(_USAGE_NAME)
    while position != -1:
        before = position
        if _USAGE_MEMBER.match(data, position) is not None:
            closing = _CLOSING_USAGE.match(data, position)
            usage = None if closing is None else _counted(closing[1])
            if usage is None:
                before = last_event_end(data, position)
                usage = _usage_of_event(data[before : event_end(data, position)])
            if usage is not None:
                yield position, usage
        position = data.rfind(_USAGE_NAME, 0, before)


def _usage_of_event(event: bytes) -> Usage | None:
    try:
        return _usage_in_object(payload(event))
    except _UNREADABLE:
        return _usage_of_a_rest(event)


def _usage_in_object(text: bytes) -> Usage | None:
    """The usage of a JSON object, or of an object right in it; one of _UNREADABLE if it is none."""
    members = _decode_members(text)
    own = _counted(members["usage"]) if "usage" in members else None
    inner = (value for value in map(bytes, members.values()) if _USAGE_NAME in value)
    return own or next(filter(None, map(_own_usage, inner)), None)


def _usage_of_a_rest(text: bytes) -> Usage | None:
    """The last usage in an event, or in JSON, that has no beginning any more."""
    position = text.rfind(_USAGE_NAME)
    for _ in range(_MOST_CANDIDATES):
        if position == -1:
            break
        usage = _usage_at(text, position)
        if usage is not None:
            return usage
        position = text.rfind(_USAGE_NAME, 0, position)
    return None


def _usage_at(data: bytes, position: int) -> Usage | None:
    """The usage object of a member that begins at `position`, which has no braces in strings."""
    member = _USAGE_MEMBER.match(data, position)
    if member is None:
        return None
    start = member.start(1)
    end = _end_of_object(data, start)
    is_near = end is not None and 0 < _depth_at(data, end) <= _DEEPEST
    return _counted(data[start:end]) if is_near else None


def _end_of_object(data: bytes, start: int) -> int | None:
    """Where the object that begins at `start` ends; it has no braces in strings."""
    depth = 0
    for brace in _BRACE.finditer(data, start):
        depth += 1 if brace[0] == b"{" else -1
        if depth == 0:
            return brace.end()
    return None


def _usage_in_head(head: bytes) -> Usage | None:
    """The usage right in an answer of which only the beginning is there."""
    position = head.find(_USAGE_NAME)
    member = None if position == -1 else _USAGE_MEMBER.match(head, position)
    if member is None or head.count(b"{", 0, position) != 1 or b"}" in head[:position]:
        return None
    end = _end_of_object(head, member.start(1))
    return None if end is None else _counted(head[member.start(1) : end])


def _counted(counts: bytes | msgspec.Raw) -> Usage | None:
    try:
        return _usage(_decode_counts(counts))
    except msgspec.ValidationError:
        return _usage_of_whole_numbers(bytes(counts))
    except _UNREADABLE:
        return None


def _usage_of_whole_numbers(counts: bytes) -> Usage | None:
    if len(counts) > _MOST_COUNTS:
        return None
    try:
        return _usage(json_shapes.decode(_without_odd_details(counts), _Counts))
    except _UNREADABLE:
        return None


def _without_odd_details(counts: bytes) -> bytes:
    """The counts without what is ill-typed of the cache, such as the empty list that PHP makes of an object.

    That is unknown then; what was read and written is not, and is worth money.
    """
    members = _decode_members(counts)
    for name in _OF_THE_CACHE:
        if name in members and not _is_sound(name, members[name]):
            del members[name]
    return msgspec.json.encode(members)


def _is_sound(name: str, value: msgspec.Raw) -> bool:
    try:
        json_shapes.decode(msgspec.json.encode({name: value}), _Counts)
    except _UNREADABLE:
        return False
    return True


def _depth_at(data: bytes, position: int) -> int:
    """How many objects that are open there end before their event does, or the data."""
    depth = ended = 0
    for found in _WHAT_FOLLOWS.finditer(data, position):
        token = found[0]
        if token == b"{":
            depth += 1
        elif token == b"}":
            depth -= 1
            ended = max(ended, -depth)
        elif not token.startswith(b'"'):
            break
    return ended


def _is_error(text: bytes) -> bool:
    """Whether it is an error, and nothing else that anyone would pay for."""
    try:
        members = _decode_members(text)
    except _UNREADABLE:
        return False
    filled = {name for name, value in members.items() if bytes(value).strip() not in _NOTHING}
    return "error" in filled and filled.isdisjoint(_SERVED)


class UsageReader:
    """Sees an answer's bytes pass, and keeps as many as it takes to know the usage."""

    __slots__ = ("_content_type", "_head", "_is_json", "_kept", "_let_go", "_size")

    def __init__(self, content_type: bytes) -> None:
        self._content_type = content_type
        self._is_json = content_type.startswith(b"application/json")
        self._kept: list[bytes] = []
        self._size = 0
        self._let_go = 0
        # The beginning of what was let go.
        self._head = b""

    def feed(self, chunk: bytes) -> None:
        """The next bytes."""
        self._kept.append(chunk)
        self._size += len(chunk)
        limit = WHOLE_BYTES if self._is_json else TAIL_BYTES
        while self._size - len(self._kept[0]) >= limit:
            passed = self._kept.pop(0)
            if len(self._head) < HEAD_BYTES:
                self._head += passed[: HEAD_BYTES - len(self._head)]
            self._size -= len(passed)
            self._let_go += len(passed)

    def usage(self) -> Usage | None:
        """What the answer said, once it is whole."""
        kept = self._joined()
        if self._is_json and not self._let_go:
            return usage_of(kept)
        usage = usage_in_tail(kept[-TAIL_BYTES:])
        return _usage_in_head(self._head) if usage is None and self._is_json else usage

    def estimated_tokens(self) -> int:
        """About how many tokens have passed, where the answer did not say; none in images and sound."""
        passed = self._size + self._let_go
        if self._is_json or self._content_type.startswith(b"text/event-stream"):
            return estimates.completion_tokens(self._joined(), passed)
        return passed // estimates.BYTES_PER_TOKEN if self._content_type.startswith(b"text/") else 0

    def tells_only_an_error(self) -> bool:
        """Whether the answer, whatever its status, is an error: as JSON, or as all the events of a stream."""
        kept = self._joined()
        if self._let_go or _ERROR not in kept:
            return False
        if not self._content_type.startswith(b"text/event-stream"):
            return self._is_json and _is_error(kept)
        told = [text for text in payloads(kept) if text.strip() != _DONE]
        return bool(told) and all(map(_is_error, told))

    def _joined(self) -> bytes:
        return self._kept[0] if len(self._kept) == 1 else b"".join(self._kept)


def _usage(counts: _Counts) -> Usage | None:
    prompt = counts.prompt_tokens if counts.prompt_tokens is not None else counts.input_tokens
    completion = counts.completion_tokens if counts.completion_tokens is not None else counts.output_tokens
    total = counts.total_tokens
    if prompt is None and completion is None:
        # As some answer embeddings.
        return None if total is None else Usage(total, 0, 0)
    # Gemini and xAI count what was thought in the total alone.
    completion = max(completion or 0, (total or 0) - (prompt or 0))
    return Usage(prompt or 0, _cached(counts), completion)


def _cached(counts: _Counts) -> int:
    details = counts.prompt_tokens_details or counts.input_tokens_details
    told = None if details is None else details.cached_tokens
    return told or counts.prompt_cache_hit_tokens or counts.cached_tokens or 0
