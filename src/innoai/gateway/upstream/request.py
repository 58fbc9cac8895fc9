"""The request as bytes. Its host and its framing are always written here, never copied from the headers."""

from __future__ import annotations

from typing import Final, NamedTuple, NewType

# RFC 9110 §5.6.2. Deleting these from a run of names is the cheapest way to find what is not among them.
_LOWER_TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
_TARGET: Final = bytes(code for code in range(0x21, 0x100) if code != 0x7F)
_LINE_BREAKERS: Final = b"\r\n\0"
_WRITTEN_HERE: Final = frozenset((b"host", b"content-length", b"transfer-encoding"))
_JOIN_LIMIT: Final = 64 * 1024
"""Bytes of a body that is cheaper to copy behind its head than to write by itself."""


class RequestHead(NamedTuple):
    """What is asked for, with POST. The hop-by-hop headers are already taken out (RFC 9110 §7.6.1).

    target: path and query. headers: with names in lower case; host, content-length and transfer-encoding are
    ignored.
    """

    target: bytes
    headers: list[tuple[bytes, bytes]]


PreparedHead = NewType("PreparedHead", bytes)
"""A head in wire form up to the digits of its content-length, to be sent again and again."""


def prepare(head: RequestHead, authority: bytes) -> PreparedHead:
    """The head in wire form, but for the length of a body.

    Raises ValueError where a part of the head could be read as anything but this part of this request.
    """
    target, headers = head
    by_name = dict(headers)
    if b"".join(by_name).translate(None, _LOWER_TOKEN) or b"" in by_name:
        raise ValueError("the name of a header is not a token in lower case")
    if not _WRITTEN_HERE.isdisjoint(by_name):
        headers = [header for header in headers if header[0] not in _WRITTEN_HERE]
    if target.translate(None, _TARGET) or target[:1] != b"/":
        raise ValueError("the target is not a path with an optional query")
    lines = (
        b"POST %b HTTP/1.1" % target,
        b"host: " + authority,
        *map(b": ".join, headers),
        b"content-length: ",
    )
    text = b"\r\n".join(lines)
    if len(text) - len(text.translate(None, _LINE_BREAKERS)) != 2 * (len(lines) - 1):
        raise ValueError("a header contains a line break or NUL")
    return PreparedHead(text)


def framed(head: PreparedHead, body: bytes) -> list[bytes]:
    """The whole request, in the pieces in which it is cheapest to write."""
    length = len(body)
    if length <= _JOIN_LIMIT:
        return [b"%b%d\r\n\r\n%b" % (head, length, body)]
    return [b"%b%d\r\n\r\n" % (head, length), body]
