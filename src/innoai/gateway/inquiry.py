"""Questions about a credential that are answered on the connection itself: validate, forward and token.

Others ask them for each of their requests, so they cost no task and no ASGI scope as long as memory
suffices. Whatever is not plain, or not in memory, is left to the control plane, which gives the same
answers byte for byte. What both say comes from `innoai.auth`; here is only how to get there without
waiting.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog

from innoai import json_shapes
from innoai.access.decide import Request
from innoai.access.networks import caller_address
from innoai.access.principal import Principal
from innoai.access.routes import route_for
from innoai.access.scopes import SCOPES
from innoai.auth import forwarded
from innoai.auth.forwarded import (
    YES,
    YES_TO_ENVOY,
    ForwardQuery,
    asked_about,
    described_by_path,
    identity,
    with_code,
)
from innoai.auth.minting import TokenRequest, asks_for_another, enabled, presented
from innoai.auth.validation import validation
from innoai.door import admission
from innoai.envelope import rate_headers, refusal_body, refusal_headers
from innoai.errors import InnoError
from innoai.gateway.headers import bearer

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from innoai.access.networks import Networks
    from innoai.access.principal import Customer
    from innoai.auth.minting import Mint
    from innoai.door import Admission, Door
    from innoai.gateway.headers import Headers
    from innoai.keyring.keyring import Keyring

MOST_CONTENT = 16 * 1024
"""Bytes of a body above which it is left to the control plane."""

VALIDATE = b"/v1/auth/validate"
TOKEN = b"/v1/auth/token"
FORWARD = forwarded.PATH.encode()
FORWARD_PREFIX = forwarded.PREFIX.encode()
_EMPTY = b"content-type: text/plain; charset=utf-8\r\ncontent-length: 0\r\n"
_PATHS = frozenset((VALIDATE, TOKEN, FORWARD))
_JSON_TYPES = frozenset((b"application/json", b"application/x-www-form-urlencoded"))
_VALIDATE_ROUTE = route_for("GET", VALIDATE.decode())
_TOKEN_ROUTE = route_for("POST", TOKEN.decode())
_QUERIES: Mapping[bytes, ForwardQuery] = {
    b"": ForwardQuery(),
    **{b"scope=%b" % scope.encode(): ForwardQuery(scope) for scope in SCOPES},
    **{b"scope=%b" % scope.replace(":", "%3A").encode(): ForwardQuery(scope) for scope in SCOPES},
}
_is_plain_target = re.compile(rb"[A-Za-z0-9/._~:@!$&'()*+,;=%?-]*").fullmatch

log = structlog.get_logger()


class Reply(NamedTuple):
    """A whole answer; `lines` are its header fields."""

    status: int
    lines: bytes
    body: bytes


class Inquiry(NamedTuple):
    """The head of such a request, read once: the same head may ask again. It carries no decision."""

    ask: Callable[[bytes], Reply | None]

    def answer(self, content: bytes) -> Reply | None:
        """The answer to the request with this body; None when it is the control plane's, and untouched."""
        try:
            return self.ask(content)
        except Exception as error:
            log.error("unexpected", exc_info=error)
            return None


class _Presented(NamedTuple):
    """A credential in a header, its digest in the keyring, and from where it came."""

    credential: str | None
    seen: bytes | None
    address: int | None


class InquiryDesk:
    """Answers what memory suffices for."""

    def __init__(
        self,
        *,
        door: Door,
        keyring: Keyring,
        mint: Mint,
        models: Container[str],
        trusted_proxies: Networks,
        new_request_id: Callable[[], str],
    ) -> None:
        self._door = door
        self._keyring = keyring
        self._mint = mint
        self._models = models
        self._trusted_proxies = trusted_proxies
        self._new_request_id = new_request_id

    def inquiry(
        self, method: bytes, path: bytes, query: bytes, headers: Headers, client: tuple[str, int] | None
    ) -> Inquiry | None:
        """The inquiry that a head begins; None when it begins none, or none that is plain."""
        if path not in _PATHS and not path.startswith(FORWARD_PREFIX):
            return None
        fields = dict(headers)
        if len(fields) != len(headers) or not _is_plain(fields):
            return None
        authorization = fields.get(b"authorization")
        credential = None if authorization is None else bearer(authorization)
        forwarded_for = fields.get(b"x-forwarded-for", b"").decode("latin-1")
        address = caller_address(client, forwarded_for, self._trusted_proxies)
        from_header = _Presented(credential, self._door.digest(credential), address)
        if path == TOKEN:
            is_minting = method == b"POST" and _media_type(fields) in _JSON_TYPES
            return Inquiry(partial(self._mint_token, from_header)) if is_minting else None
        if path == VALIDATE:
            request = Request(_VALIDATE_ROUTE, address)
            return Inquiry(partial(self._validate, from_header, request)) if method == b"GET" else None
        return self._forward_inquiry(method, path, query, fields, from_header)

    def _forward_inquiry(
        self, method: bytes, path: bytes, query: bytes, fields: dict[bytes, bytes], from_header: _Presented
    ) -> Inquiry | None:
        if method == b"HEAD":
            return None
        status = YES
        if path != FORWARD:
            target = path + b"?" + query if query else path
            if not _is_plain_target(target):
                return None
            for name, value in described_by_path(method.decode(), target.decode()):
                if fields.setdefault(name.encode(), value.encode()) != value.encode():
                    return None
            query, status = b"", YES_TO_ENVOY
        elif method != b"GET":
            return None
        asked = _QUERIES.get(query)
        if asked is None:
            return None

        def values(name: str) -> tuple[str, ...]:
            value = fields.get(name.encode())
            return () if value is None else (value.decode("latin-1"),)

        try:
            request = asked_about(values, asked, from_header.address, self._models)
        except InnoError:
            return None
        return Inquiry(partial(self._forward, from_header, request, status))

    # The three questions.

    def _validate(self, from_header: _Presented, request: Request, _content: bytes) -> Reply | None:
        request_id = self._new_request_id()
        try:
            admitted = self._admit(from_header.credential, request, from_header.seen, request_id)
        except InnoError as error:
            return _refusal(error, request_id)
        if admitted is None:
            return None
        self._tell(admitted, request_id, VALIDATE, 200)
        body = msgspec.json.encode(validation(admitted.principal))
        return Reply(200, _json_head(body, request_id) + _rate_lines(admitted), body)

    def _forward(
        self, from_header: _Presented, request: Request, status: int, _content: bytes
    ) -> Reply | None:
        request_id = self._new_request_id()
        try:
            admitted = self._admit(from_header.credential, request, from_header.seen, request_id)
        except InnoError as error:
            return _refusal(with_code(error), request_id)
        if admitted is None:
            return None
        self._tell(admitted, request_id, FORWARD, status)
        who = _lines(identity(admitted.principal))
        framing = _EMPTY if status == YES_TO_ENVOY else b""
        head = b"cache-control: no-store\r\n%b%bx-request-id: %b\r\n" % (who, framing, request_id.encode())
        return Reply(status, head + _rate_lines(admitted), b"")

    def _mint_token(self, from_header: _Presented, content: bytes) -> Reply | None:
        wanted = _token_request(content)
        if wanted is None:
            return None
        request_id = self._new_request_id()
        try:
            credential = presented(from_header.credential, wanted.api_key)
            if not self._knows_customer(credential, wanted.customer_id):
                return None
            seen = from_header.seen if credential == from_header.credential else None
            admitted = self._admit(credential, Request(_TOKEN_ROUTE, from_header.address), seen, request_id)
            if admitted is None:
                return None
            caller = admitted.principal
            granted = self._mint.grant(caller, wanted)
            customer = self._customer_for(caller, wanted.customer_id)
            pair = self._mint.pair(caller, customer, granted, rotate=wanted.rotate)
        except InnoError as error:
            return _refusal(error, request_id)
        self._tell(admitted, request_id, TOKEN, 200)
        body = msgspec.json.encode(pair)
        return Reply(200, _json_head(body, request_id), body)

    def _admit(
        self, credential: str | None, request: Request, seen: bytes | None, request_id: str
    ) -> Admission | None:
        named = msgspec.structs.replace(request, request_id=request_id)
        decision = self._door.admit_now(credential, named, seen)
        return None if decision is None else admission(decision)

    def _tell(self, admitted: Admission, request_id: str, path: bytes, status: int) -> None:
        """Tell whoever watches that the request is over, as it is as soon as it is decided."""
        tail = self._door.tail
        if tail.is_watched:
            tail.answered(admitted.principal, request_id, path.decode(), status, 0.0)

    def _knows_customer(self, credential: str | None, customer_id: str | None) -> bool:
        """Whether the customer that a token is asked for is in memory, where that matters.

        It is asked before the door is, which counts whom it admits.
        """
        principal = None
        if customer_id is not None and credential is not None:
            principal = self._keyring.cached(credential)
        if not isinstance(principal, Principal) or principal.customer is not None or customer_id is None:
            return True
        return self._keyring.cached_customer(principal.account.id, customer_id) is not None

    def _customer_for(self, caller: Principal, customer_id: str | None) -> Customer | None:
        if customer_id is None or not asks_for_another(caller, customer_id):
            return caller.customer
        customer = self._keyring.cached_customer(caller.account.id, customer_id)
        if customer is None:
            raise InnoError("service_unavailable")
        return enabled(customer)


def _is_plain(fields: Mapping[bytes, bytes]) -> bool:
    """Whether nothing about a head needs more than a look: its framing, and the letters of its credential."""
    length = fields.get(b"content-length", b"0")
    return (
        b"transfer-encoding" not in fields
        and length.isdigit()
        and int(length) <= MOST_CONTENT
        and fields.get(b"authorization", b"").isascii()
    )


def _media_type(fields: Mapping[bytes, bytes]) -> bytes:
    return fields.get(b"content-type", b"application/json").partition(b";")[0].strip().lower()


def _token_request(content: bytes) -> TokenRequest | None:
    """What is asked for; None for what the control plane has to explain."""
    if len(content) > MOST_CONTENT or not content.isascii():
        return None
    try:
        return json_shapes.decode(content, TokenRequest)
    except msgspec.DecodeError:
        return None


def _json_head(body: bytes, request_id: str) -> bytes:
    return (
        b"cache-control: no-store\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\nx-request-id: %b\r\n" % (len(body), request_id.encode())
    )


def _rate_lines(admitted: Admission) -> bytes:
    return _lines(rate_headers(admitted.rate))


def _refusal(error: InnoError, request_id: str) -> Reply:
    """The envelope, with its fields in the order in which the control plane sends them."""
    body = refusal_body(error.refusal, request_id)
    content_type, *fields = refusal_headers(error.refusal, request_id)
    length = (b"content-length", b"%d" % len(body))
    return Reply(error.refusal.kind.status, _lines([*fields, *error.headers, content_type, length]), body)


def _lines(headers: Headers) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])
