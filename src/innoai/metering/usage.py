"""Reading token counts from the answers of OpenAI-compatible servers.

Chat completions, completions and embeddings count `prompt_tokens` and `completion_tokens`; the
Responses API counts `input_tokens` and `output_tokens`, in a stream inside its last event.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from innoai.metering import estimates

if TYPE_CHECKING:
    from collections.abc import Iterator

TAIL_BYTES = 64 * 1024
"""How much of an answer's end is looked at when the whole is too long to keep."""


WHOLE_BYTES = 4 * 1024 * 1024
"""A JSON answer up to this size is kept whole for reading its usage; of a longer one, the end."""

Tokens = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""As many as a column of the store holds; an upstream that claims more is not believed."""


class _Details(msgspec.Struct, frozen=True):
    cached_tokens: Tokens | None = None


class _Counts(msgspec.Struct, frozen=True):
    prompt_tokens: Tokens | None = None
    completion_tokens: Tokens | None = None
    prompt_tokens_details: _Details | None = None
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    input_tokens_details: _Details | None = None


class _Answer(msgspec.Struct, frozen=True):
    usage: _Counts | None = None


class Usage(msgspec.Struct, frozen=True):
    """Tokens that an upstream says it read, read from its cache, and wrote."""

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_counts = msgspec.json.Decoder(_Counts).decode
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


def usage_of(body: bytes) -> Usage | None:
    """The usage of a whole JSON answer; None when it has none."""
    try:
        counts = _decode_answer(body).usage
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return None if counts is None else _usage(counts)


def usage_in_tail(tail: bytes) -> Usage | None:
    """The last usage object in the end of an answer, be it JSON or server-sent events."""
    return next((usage for _, usage in usages_from_the_end(tail)), None)


def usages_from_the_end(data: bytes) -> Iterator[tuple[int, Usage]]:
    """The usage objects in some JSON or events, the last one first, with where the member begins.

    Found by a backward search for the name: scanning forward by a pattern takes a hundred times as long.
    """
    position = data.rfind(_USAGE_NAME)
    while position != -1:
        usage = _usage_at(data, position)
        if usage is not None:
            yield position, usage
        position = data.rfind(_USAGE_NAME, 0, position)


def _usage_at(data: bytes, position: int) -> Usage | None:
    """The usage object of a member that begins at `position`, which has no braces in strings."""
    closing = _CLOSING_USAGE.match(data, position)
    if closing is not None:
        return _counted(closing[1])
    member = _USAGE_MEMBER.match(data, position)
    if member is None:
        return None
    start = member.start(1)
    depth = 0
    for brace in _BRACE.finditer(data, start):
        depth += 1 if brace[0] == b"{" else -1
        if depth == 0:
            is_near = 0 < _depth_at(data, brace.end()) <= _DEEPEST
            return _counted(data[start : brace.end()]) if is_near else None
    return None


def _counted(counts: bytes) -> Usage | None:
    try:
        return _usage(_decode_counts(counts))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


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


class UsageReader:
    """Sees an answer's bytes pass, and keeps as many as it takes to know the usage."""

    __slots__ = ("_content_type", "_is_json", "_kept", "_let_go", "_size")

    def __init__(self, content_type: bytes) -> None:
        self._content_type = content_type
        self._is_json = content_type.startswith(b"application/json")
        self._kept: list[bytes] = []
        self._size = 0
        self._let_go = 0

    def feed(self, chunk: bytes) -> None:
        """The next bytes."""
        self._kept.append(chunk)
        self._size += len(chunk)
        limit = WHOLE_BYTES if self._is_json else TAIL_BYTES
        while self._size - len(self._kept[0]) >= limit:
            size = len(self._kept.pop(0))
            self._size -= size
            self._let_go += size

    def usage(self) -> Usage | None:
        """What the answer said, once it is whole."""
        kept = self._joined()
        if self._is_json:
            usage = usage_of(kept)
            if usage is not None:
                return usage
        return usage_in_tail(kept[-TAIL_BYTES:])

    def estimated_tokens(self) -> int:
        """About how many tokens have passed, where the answer did not say; none in images and sound."""
        passed = self._size + self._let_go
        if self._is_json or self._content_type.startswith(b"text/event-stream"):
            return estimates.completion_tokens(self._joined(), passed)
        return passed // estimates.BYTES_PER_TOKEN if self._content_type.startswith(b"text/") else 0

    def _joined(self) -> bytes:
        return self._kept[0] if len(self._kept) == 1 else b"".join(self._kept)


def _usage(counts: _Counts) -> Usage | None:
    prompt = counts.prompt_tokens if counts.prompt_tokens is not None else counts.input_tokens
    completion = counts.completion_tokens if counts.completion_tokens is not None else counts.output_tokens
    if prompt is None and completion is None:
        return None
    details = counts.prompt_tokens_details or counts.input_tokens_details
    cached = 0 if details is None or details.cached_tokens is None else details.cached_tokens
    return Usage(prompt or 0, cached, completion or 0)
