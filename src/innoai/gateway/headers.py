"""What goes on and what stays: hop-by-hop headers, credentials, and whatever speaks of the other side."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from innoai.errors import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
    # What a browser says of the page: a model server may refuse others than its own.
    b"origin",
    b"referer",
    # They would name the caller's account at the model server, where the gateway's own is used.
    b"openai-organization",
    b"openai-project",
    # The answer is read for its usage, so it must come unencoded.
    b"accept-encoding",
    # Where the caller is, and who, is nobody else's business.
    b"forwarded",
    b"from",
    b"via",
    b"x-request-id",
}
_FORWARDED = frozenset(
    (
        b"accept",
        b"accept-language",
        b"user-agent",
        b"idempotency-key",
        b"x-idempotency-key",
        b"traceparent",
        b"tracestate",
        b"baggage",
        b"openai-beta",
        b"x-client-request-id",
    )
)
"""What clients say to a model server, though a word of it may look like a credential's."""

_WHOSE = re.compile(
    # Who a proxy says that the caller is, and where.
    rb"^(?:access-control-|sec-|x-innoai-|x-forwarded|x-envoy-|x-original-|x-rewrite-|x-appengine-|x-arr-"
    rb"|x-nf-|x-vercel-|x-azure-|x-pomerium-|x-goog-iap-|x-amzn-(?:oidc|m?tls|trace)-|x-ssl-|ssl-|cf-"
    rb"|cloudfront-|fastly-|fly-|akamai-|true-client-|tailscale-"
    # Where other gateways would send the request, with the credential of this one.
    rb"|x-portkey-|helicone-|x-helicone-|x-litellm-|x-bf-)"
    # Another server reads an underscore as a hyphen (RFC 3875 §4.1.18), and so as one of these.
    rb"|_"
    # Credentials, wherever in a name clients and proxies put the word.
    rb"|authoriz|x-auth|authent|token|secret|passw|credential|api-?key|subscription-key|cookie|session"
    rb"|jwt|assertion|oauth|oidc|saml|bearer|client-?cert|certificate"
    # Addresses and names of people; and what would make the request another.
    rb"|client-?ip|connecting-ip|email|username"
    rb"|(?<![a-z0-9])(?:keys?|access-?key|auth|cert|dpop|signature|pwd|sid|vk"
    rb"|ips?|addr|address|remote|proxyuser|user|userid|login|identity|principal|account"
    rb"|override|http-method)(?![a-z0-9])"
)
"""What speaks of the caller in the name of a header. It is looked for at the beginning, then anywhere."""

_CREDENTIAL = re.compile(rb"sk-inno-|(?<![\w-])eyJ[\w-]+\.eyJ|(?:^|[ ,])bearer ", re.IGNORECASE)
"""A key or a token, under whatever name it comes."""

_COMPRESSED = refusal("unsupported_media_type", "The body is compressed. Send it without Content-Encoding.")
_SEVERAL_TYPES = refusal("invalid_request", "There are several Content-Type headers. Send one.")
_JSON_TYPES = (b"", b"application/json")

_NOT_RELAYED = HOP_BY_HOP | {
    # The framing is made anew.
    b"content-length",
    b"date",
    b"server",
    # State and limits of the gateway's account at the model server.
    b"openai-organization",
    b"openai-project",
    # What the gateway says itself.
    b"x-request-id",
    b"x-upstream-request-id",
}
_UNENCODED = (b"", b"identity", b"none", b"utf-8")
_RELAYED = frozenset(
    (
        b"content-type",
        b"content-encoding",
        b"cache-control",
        b"retry-after",
        b"openai-version",
        b"openai-processing-ms",
        b"openai-model",
        b"x-accel-buffering",
    )
)
"""What model servers say of an answer, and need not be looked at."""

_THEIRS = re.compile(
    # Of the gateway's account, of what stands before the model server, and what is the gateway's to say.
    rb"^(?:x-ratelimit-|anthropic-ratelimit-|x-innoai-|x-forwarded|forwarded$|via$|x-envoy-|x-amzn-|x-amz-cf-"
    rb"|cf-|x-served-by$|x-powered-by$|x-real-ip$|x-litellm-|x-portkey-"
    # Commands to a browser, which would take the gateway for their sender.
    rb"|access-control-|set-cookie|strict-transport-security$|alt-svc$|alt-used$|refresh$|clear-site-data$"
    rb"|location$|content-location$|link$|nel$|report-to$|reporting-endpoints$|expect-ct$|public-key-pins"
    rb"|content-security-policy|permissions-policy|feature-policy$|service-worker-|(?:x-)?sourcemap$|accept-ch$"
    rb"|critical-ch$|cross-origin-|origin-agent-cluster$|timing-allow-origin$|speculation-rules$"
    # Commands to a proxy before the gateway: nginx would send what such a header names.
    rb"|x-accel-|x-sendfile|x-lighttpd-|x-reproxy-)"
    rb"|_"
    # Credentials; but a model server may count tokens.
    rb"|authoriz|x-auth|authent|(?<!per-)token(?!s)|secret|passw|credential|api-?key|cookie|session"
    rb"|jwt|assertion|oauth|bearer|(?<![a-z0-9])(?:keys?|access-?key|auth|signature)(?![a-z0-9])"
)
"""What in an answer is not the caller's business, by the name of its header."""

_UPSTREAM_CREDENTIAL = re.compile(
    rb"(?<![\w-])(?:sk-[\w-]{8}|eyJ[\w-]+\.eyJ)|(?:^|[ ,])bearer ", re.IGNORECASE
)
"""What looks like a key of the gateway's, which a model server that echoes requests would tell."""


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
        if _may_go_on(name, value):
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


_LONGEST_KNOWN = 64
"""Bytes of a name whose judgement is remembered: the same few names come with every request."""


def _remembered(judge: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
    """The same judgement of a name, within bounds worked out once."""
    known = lru_cache(maxsize=1024)(judge)
    return lambda name: known(name) if len(name) <= _LONGEST_KNOWN else judge(name)


def _may_go_on(name: bytes, value: bytes) -> bool:
    """Whether a header is the model server's business."""
    return not _names_the_caller(name) and not holds_credential(value)


def holds_credential(value: bytes) -> bool:
    """Whether there is a key or a token of ours in it, or what looks like one."""
    return _CREDENTIAL.search(value) is not None


@_remembered
def _names_the_caller(name: bytes) -> bool:
    if name in _FORWARDED or name.startswith(b"x-stainless-"):
        return False
    return name in _NOT_FORWARDED or _WHOSE.search(name) is not None


def _may_come_back(name: bytes, value: bytes) -> bool:
    """Whether a header of an answer is the caller's business."""
    return not _is_theirs(name) and _UPSTREAM_CREDENTIAL.search(value) is None


@_remembered
def _is_theirs(name: bytes) -> bool:
    return _THEIRS.search(name) is not None


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
            if name not in _RELAYED and not _may_come_back(name, value):
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
