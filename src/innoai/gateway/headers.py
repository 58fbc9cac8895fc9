"""What goes on and what stays: hop-by-hop headers, credentials, and whatever speaks of the other side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from innoai.errors import refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from innoai.errors import Refusal


Headers = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""RFC 9110 §7.6.1."""

_NOT_FORWARDED = HOP_BY_HOP | {
    b"host",
    b"content-length",
    b"content-type",
    b"content-encoding",
    b"expect",
    b"cookie",
    # What a browser says of the page: a model server may refuse others than its own.
    b"origin",
    b"referer",
    # They would name the caller's account at the model server, where the gateway's own is used.
    b"openai-organization",
    b"openai-project",
    # The answer is read for its usage, so it must come unencoded.
    b"accept-encoding",
    # Where the caller is, is nobody else's business.
    b"forwarded",
    b"via",
    b"x-real-ip",
    b"x-request-id",
}
_NOT_FORWARDED_PREFIXES = (
    b"access-control-",
    b"sec-",
    # Who a proxy says that the caller is, and where.
    b"x-innoai-",
    b"x-forwarded-",
    b"x-envoy-",
    b"cf-",
    b"fly-",
    b"x-azure-",
    # Where other gateways would send the request, with the credential of this one.
    b"x-portkey-",
    b"helicone-",
)
_NOT_FORWARDED_PARTS = (
    b"authorization",
    b"x-auth",
    b"token",
    b"secret",
    b"api-key",
    b"apikey",
    b"subscription-key",
    b"client-ip",
    b"connecting-ip",
    # Another server reads it as a hyphen (RFC 3875 §4.1.18), and so as one of these.
    b"_",
)
"""Credentials, in every header where a client may put one; the model server gets the gateway's own."""

_COMPRESSED = refusal("unsupported_media_type", "The body is compressed. Send it without Content-Encoding.")
_SEVERAL_TYPES = refusal("invalid_request", "There are several Content-Type headers. Send one.")
_JSON_TYPES = (b"", b"application/json")

_NOT_RELAYED = HOP_BY_HOP | {
    # The framing is made anew.
    b"content-length",
    b"date",
    b"server",
    # State and limits of the gateway's account at the model server.
    b"set-cookie",
    b"openai-organization",
    b"openai-project",
    b"strict-transport-security",
    b"alt-svc",
    b"www-authenticate",
    b"x-request-id",
}
_NOT_RELAYED_PREFIXES = (b"x-ratelimit-", b"access-control-")
_UNENCODED = (b"", b"identity")


@dataclass(slots=True)
class RequestHeaders:
    """A caller's headers, read once. `forwarded` is what may go on to a model server."""

    credential: str | None
    content_type: bytes
    content_length: int | None
    forwarded_for: str
    forwarded: Headers
    problem: Refusal | None = None
    """What about them keeps the body from being read."""


def read_request(headers: Iterable[tuple[bytes, bytes]]) -> RequestHeaders:
    """Read a request's headers, whose names are in lower case."""
    read = RequestHeaders(None, b"", None, "", [])
    authorized = False
    named_by_connection: set[bytes] = set()
    types = 0
    for name, value in headers:
        if _may_go_on(name):
            read.forwarded.append((name, value))
        elif name == b"authorization":
            # Two credentials are none: which one would count?
            read.credential = "" if authorized else bearer(value)
            authorized = True
        elif name == b"content-type":
            read.content_type = value
            types += 1
        elif name == b"content-encoding" and value.strip().lower() != b"identity":
            read.problem = _COMPRESSED
        elif name == b"content-length":
            read.content_length = int(value) if value.isdigit() else None
        elif name == b"x-forwarded-for":
            entry = value.decode("latin-1")
            read.forwarded_for = f"{read.forwarded_for},{entry}" if read.forwarded_for else entry
        elif name == b"connection":
            named_by_connection |= _options(value)
    if not named_by_connection <= _HARMLESS_OPTIONS:
        read.forwarded = [header for header in read.forwarded if header[0] not in named_by_connection]
    if types > 1:
        # The model server may go by another of them.
        read.problem = _SEVERAL_TYPES
    # JSON is written anew, in UTF-8 whatever the caller called it.
    is_json = read.content_type.partition(b";")[0].strip().lower() in _JSON_TYPES
    read.forwarded.append((b"content-type", b"application/json" if is_json else read.content_type))
    return read


def _may_go_on(name: bytes) -> bool:
    """Whether a header is the model server's business."""
    return not (
        name in _NOT_FORWARDED
        or name.startswith(_NOT_FORWARDED_PREFIXES)
        or any(part in name for part in _NOT_FORWARDED_PARTS)
    )


_HARMLESS_OPTIONS = frozenset((b"close", b"keep-alive", b"upgrade", b"te", b""))


def _options(value: bytes) -> set[bytes]:
    """The options of a Connection header, in lower case."""
    return {option.strip().lower() for option in value.split(b",")}


def bearer(value: bytes) -> str | None:
    """The credential of an Authorization header (RFC 6750 §2.1); None for another scheme."""
    scheme, _, credential = value.strip().partition(b" ")
    return credential.strip().decode("latin-1") if scheme.lower() == b"bearer" else None


@dataclass(frozen=True, slots=True)
class AnswerReading:
    """What is to know of an answer's headers. `lines` is what the caller gets of them."""

    lines: bytes
    content_type: bytes
    content_length: int | None
    is_encoded: bool = False
    """Whether the body is compressed, although that was not asked for."""

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON."""
        return self.content_type.startswith(b"application/json")

    @property
    def is_stream(self) -> bool:
        """Whether the body is server-sent events, and readable."""
        return self.content_type.startswith(b"text/event-stream") and not self.is_encoded


def read_answer(headers: Headers) -> AnswerReading:
    """Read an answer's headers, whose names are in lower case."""
    lines = []
    content_type, content_length, is_encoded = b"", None, False
    for name, value in headers:
        if name not in _NOT_RELAYED:
            if name.startswith(_NOT_RELAYED_PREFIXES):
                continue
            lines.append(b"%b: %b\r\n" % (name, value))
            if name == b"content-type":
                content_type = value.lower()
            elif name == b"content-encoding":
                is_encoded |= value.strip().lower() not in _UNENCODED
        elif name == b"content-length":
            content_length = int(value)
        elif name == b"connection" and not _options(value) <= _HARMLESS_OPTIONS:
            named = _options(value) | {b"connection"}
            return read_answer([header for header in headers if header[0] not in named])
        elif name == b"x-request-id":
            lines.append(b"x-upstream-request-id: %b\r\n" % value)
    return AnswerReading(b"".join(lines), content_type, content_length, is_encoded)


def retry_after(headers: Headers) -> float | None:
    """The seconds of Retry-After, where it names seconds."""
    value = next((value for name, value in headers if name == b"retry-after"), b"")
    return float(value) if value.isdigit() else None
