"""Heads that come again: known by their bytes, without a parser.

A client sends the same head with every request, and a model server with every answer, but for the
digits of Content-Length (and the date, once a second). Once llhttp has accepted a head, a later one
on the same connection with the same bytes means the same, be its body as long as plain digits say, or
in chunks.
"""

from __future__ import annotations

import re
from typing import Self

_MOST_DIGITS = 9
_CONTENT_LENGTH = re.compile(
    rb"\r\ncontent-length:[ \t]*([0-9]{1,%d})[ \t]*(?=\r\n)" % _MOST_DIGITS, re.IGNORECASE
)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*(?=\r\n)", re.IGNORECASE)
_chunk_size = re.compile(rb"([0-9a-fA-F]{1,7})\r\n").match
_LAST_CHUNK = b"0\r\n\r\n"
_MOST_CHUNKS = 8
_FRAMING = re.compile(rb"\n(?:content-length|transfer-encoding)[ \t]*:", re.IGNORECASE)
PATIENCE = 8
RETRY_EVERY = 32
"""After so many new heads in a row on a connection, only each so-manieth is still learnt."""


def is_worth_learning(new_heads: int) -> bool:
    """Whether to learn a head, when so many in a row were new: heads that always differ are not worth it."""
    return new_heads <= PATIENCE or new_heads % RETRY_EVERY == 0


class RepeatedBodiless:
    """A request that is its head alone: the same bytes again, and nothing else.

    That is one with neither Content-Length nor Transfer-Encoding (RFC 9112 §6.3); an answer may be without
    both and have a body.
    """

    __slots__ = ("_message",)

    def __init__(self, message: bytes) -> None:
        self._message = message

    @classmethod
    def learn(cls, data: bytes) -> Self | None:
        """The request that `data` is; None if it is more or less than one head, or has a body to come.

        Only for data that a parser has accepted.
        """
        is_head = 0 < data.find(b"\r\n\r\n") == len(data) - 4
        return cls(data) if is_head and _FRAMING.search(data) is None else None

    def body_of(self, data: bytes) -> bytes | None:
        """The empty body, if `data` is exactly this message; None for anything else."""
        return b"" if data == self._message else None


class RepeatedHead:
    """A head, with a gap where its Content-Length has digits."""

    __slots__ = ("_after", "_before", "_last_head", "_last_length")

    def __init__(self, before: bytes, after: bytes) -> None:
        self._before = before
        self._after = after
        # The last message in full, since many bodies are as long as the one before, too.
        self._last_head = b"\n"
        self._last_length = 0

    @classmethod
    def learn(cls, data: bytes) -> Self | None:
        """The head that `data` begins with; None if it is not whole, or has not just one Content-Length.

        Only for data that a parser has accepted.
        """
        end = data.find(b"\r\n\r\n") + 4
        lengths = list(_CONTENT_LENGTH.finditer(data, 0, end)) if end >= 4 else []
        if len(lengths) != 1:
            return None
        return cls(data[: lengths[0].start(1)], data[lengths[0].end(1) : end])

    def body_of(self, data: bytes) -> bytes | None:
        """The body, if `data` is exactly one message with this head; None for anything else."""
        if len(data) == self._last_length and data.startswith(self._last_head):
            return data[len(self._last_head) :]
        if not data.startswith(self._before):
            return None
        start = len(self._before)
        end = data.find(b"\r", start, start + _MOST_DIGITS + 1)
        if end == -1 or not data.startswith(self._after, end):
            return None
        digits = data[start:end]
        head_length = end + len(self._after)
        if not digits.isdigit() or len(data) - head_length != int(digits):
            return None
        self._last_head, self._last_length = data[:head_length], len(data)
        return data[head_length:]


class RepeatedChunked:
    """A head of a message in chunks (RFC 9112 §7.1), which may come again with all of a short message.

    So do many answers to streams: a model server that is fast, or far behind a proxy, sends a few large
    chunks at once. Many small ones, extensions and trailers are the parser's.
    """

    __slots__ = ("_head", "_size")

    def __init__(self, head: bytes) -> None:
        self._head = head
        self._size = len(head)

    @classmethod
    def learn(cls, data: bytes) -> Self | None:
        """The head that `data` begins with; None if it is not whole, or not framed by chunks alone.

        Only for data that a parser has accepted.
        """
        head = data[: data.find(b"\r\n\r\n") + 4]
        is_chunked = len(_CHUNKED.findall(head)) == 1 == len(_FRAMING.findall(head))
        return cls(head) if is_chunked else None

    def body_of(self, data: bytes) -> bytes | None:
        """The body, if `data` is exactly one message with this head in few chunks; None for anything else."""
        if not (data.endswith(_LAST_CHUNK) and data.startswith(self._head)):
            return None
        chunks: list[bytes] = []
        position, last = self._size, len(data) - len(_LAST_CHUNK)
        while position < last:
            size = _chunk_size(data, position, last)
            if size is None or len(chunks) == _MOST_CHUNKS:
                return None
            start = size.end()
            end = start + int(size[1], 16)
            if end == start or data[end : end + 2] != b"\r\n":
                return None
            chunks.append(data[start:end])
            position = end + 2
        return b"".join(chunks) if position == last else None
