"""The request as bytes. Its framing is always written here, never copied from the caller's headers."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

# RFC 9110 §5.6.2. Deleting these from a run of names is the cheapest way to find what is not among them.
_TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TARGET: Final = bytes(code for code in range(0x21, 0x100) if code != 0x7F)
_LINE_BREAKERS: Final = b"\r\n\0"
_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding"))
_HOST: Final = b"host"
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")
# RFC 9110 §8.6: with these an empty body is announced, as their servers expect one.
_EXPECT_A_BODY: Final = frozenset((b"POST", b"PUT", b"PATCH"))


class RequestHead(NamedTuple):
    """What is asked for. The hop-by-hop headers are already taken out (RFC 9110 §7.6.1).

    method: in upper case, not CONNECT. target: path and query. headers: transfer-encoding is ignored, and so
    is content-length, except that it announces the length of a streamed body.
    """

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]


def announced_length(head: RequestHead) -> int | None:
    """The content-length of the head, or None without one. Raises ValueError if it is no single number."""
    values = [value for name, value in head.headers if name.lower() == b"content-length"]
    if not values:
        return None
    if len(values) > 1 or not _LENGTH.fullmatch(values[0]):
        raise ValueError("content-length is one number")
    return int(values[0])


def encode(head: RequestHead, authority: bytes, length: int | None) -> bytes:
    """The head in wire form, with the empty line. length: of the body in bytes; None means chunked.

    Raises ValueError where a part of the head could be read as anything but this part of this request.
    """
    method, target, headers = head
    names = [name.lower() for name, _ in headers]
    if not _FRAMING.isdisjoint(names):
        headers = [header for header in headers if header[0].lower() not in _FRAMING]
    fields = b"\r\n".join(map(b": ".join, headers))
    if len(fields) - len(fields.translate(None, _LINE_BREAKERS)) != 2 * max(len(headers) - 1, 0):
        raise ValueError("a header contains a line break or NUL")
    if b"".join(names).translate(None, _TOKEN) or b"" in names:
        raise ValueError("a header's name is not a token")
    if not method or method.translate(None, _TOKEN) or method == b"CONNECT":
        raise ValueError("the method is not one that can be sent")
    if target.translate(None, _TARGET) or not target.startswith(b"/"):
        raise ValueError("the target is not a path with an optional query")
    return b"%b %b HTTP/1.1\r\n%b%b%b%b\r\n" % (
        method,
        target,
        _host_line(names, authority),
        fields,
        b"\r\n" if fields else b"",
        _framing_line(method, length),
    )


def _host_line(names: list[bytes], authority: bytes) -> bytes:
    given = names.count(_HOST)
    if given > 1:
        raise ValueError("there is more than one host header")
    return b"" if given else b"host: %b\r\n" % authority


def _framing_line(method: bytes, length: int | None) -> bytes:
    if length is None:
        return b"transfer-encoding: chunked\r\n"
    if length or method in _EXPECT_A_BODY:
        return b"content-length: %d\r\n" % length
    return b""
