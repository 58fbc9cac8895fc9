"""The request as bytes. Its host and its framing are always written here, never copied from the headers."""

from __future__ import annotations

from typing import Final, NamedTuple

# RFC 9110 §5.6.2. Deleting these from a run of names is the cheapest way to find what is not among them.
_LOWER_TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
_TOKEN: Final = _LOWER_TOKEN + b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TARGET: Final = bytes(code for code in range(0x21, 0x100) if code != 0x7F)
_LINE_BREAKERS: Final = b"\r\n\0"
_COMMON_METHODS: Final = frozenset((b"GET", b"POST", b"PUT", b"PATCH", b"DELETE"))
_FRAMED_OTHERWISE: Final = frozenset((b"CONNECT", b"HEAD"))  # their answers (RFC 9112 §6.3)
_WRITTEN_HERE: Final = frozenset((b"host", b"content-length", b"transfer-encoding"))
# RFC 9110 §8.6: with these an empty body is announced, as their servers expect one.
_EXPECT_A_BODY: Final = frozenset((b"POST", b"PUT", b"PATCH"))


class RequestHead(NamedTuple):
    """What is asked for. The hop-by-hop headers are already taken out (RFC 9110 §7.6.1).

    method: in upper case, neither CONNECT nor HEAD. target: path and query. headers: with names in lower
    case; host, content-length and transfer-encoding are ignored.
    """

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]


class PreparedHead(NamedTuple):
    """A head in wire form up to its framing, to be sent again and again. lines: each with its line break."""

    method: bytes
    lines: bytes

    def framed(self, length: int, body: bytes = b"") -> bytes:
        """The whole head, and what goes with it. length: of the body in bytes."""
        if length or self.method in _EXPECT_A_BODY:
            return b"%bcontent-length: %d\r\n\r\n%b" % (self.lines, length, body)
        return self.lines + b"\r\n"


def prepare(head: RequestHead, authority: bytes) -> PreparedHead:
    """The head in wire form up to its framing.

    Raises ValueError where a part of the head could be read as anything but this part of this request.
    """
    method, target, headers = head
    by_name = dict(headers)
    if b"".join(by_name).translate(None, _LOWER_TOKEN) or b"" in by_name:
        raise ValueError("the name of a header is not a token in lower case")
    if not _WRITTEN_HERE.isdisjoint(by_name):
        headers = [header for header in headers if header[0] not in _WRITTEN_HERE]
    if method not in _COMMON_METHODS and (
        not method or method.translate(None, _TOKEN) or method in _FRAMED_OTHERWISE
    ):
        raise ValueError("the method is not one that can be sent")
    if target.translate(None, _TARGET) or target[:1] != b"/":
        raise ValueError("the target is not a path with an optional query")
    lines = b"\r\n".join(
        (b"%b %b HTTP/1.1" % (method, target), b"host: " + authority, *map(b": ".join, headers), b"")
    )
    if len(lines) - len(lines.translate(None, _LINE_BREAKERS)) != 2 * (2 + len(headers)):
        raise ValueError("a header contains a line break or NUL")
    return PreparedHead(method, lines)
