"""The data plane: authenticate, decide, forward, stream, meter. Raw ASGI, since every request pays for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from innoai.access.decide import Request
from innoai.access.networks import client_address, parse_address
from innoai.access.routes import INFERENCE_POSTS, allowed_methods, route_for
from innoai.door import admission
from innoai.envelope import rate_headers, refusal_body, refusal_headers
from innoai.errors import InnoError, refusal
from innoai.gateway.body import read_json, read_multipart
from innoai.gateway.connection import CONNECTION_KEY
from innoai.gateway.forward import Inquiry
from innoai.gateway.headers import read_request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from innoai.access.networks import Networks
    from innoai.door import Admission, Door
    from innoai.gateway.body import JsonBody, MultipartBody
    from innoai.gateway.forward import Forwarder
    from innoai.gateway.headers import Headers, RequestHeaders
    from innoai.gateway.models import Models

    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[Any], Awaitable[None]]

MODELS_PATH = "/v1/models"
LARGE_BODY = 64 * 1024
"""Bytes above which a body is not read before the request has passed every other check."""

_ROUTES = {path: route_for("POST", path) for path in INFERENCE_POSTS}
_JSON_TYPES = (b"application/json", b"")


def is_inference(path: str) -> bool:
    """Whether a path belongs to the data plane."""
    return path in _ROUTES or path == MODELS_PATH or path.startswith(MODELS_PATH + "/")


class Gateway:
    """Answers the inference routes."""

    def __init__(
        self,
        door: Door,
        forwarder: Forwarder,
        models: Models,
        *,
        trusted_proxies: Networks,
        max_body_bytes: int,
        new_request_id: Callable[[], str],
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._door = door
        self._forwarder = forwarder
        self._models = models
        self._trusted_proxies = trusted_proxies
        self._max_body_bytes = max_body_bytes
        self._new_request_id = new_request_id
        self._clock = clock
        self._monotonic = monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = self._new_request_id()
        try:
            if scope["path"] in _ROUTES:
                await self._infer(request_id, scope, receive, send)
            else:
                await self._list_models(request_id, scope, send)
        except InnoError as error:
            headers = refusal_headers(error.refusal, request_id) + error.headers
            await _send(send, error.refusal.kind.status, headers, refusal_body(error.refusal, request_id))

    async def _infer(self, request_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        started_at, started = self._clock(), self._monotonic()
        path = scope["path"]
        if scope["method"] != "POST":
            raise _method_not_allowed(path)
        headers = read_request(scope["headers"])
        address = self._address(scope, headers)
        content = await self._read_body(headers, receive, Request(_ROUTES[path], address))
        body = await self._read_inquiry(headers, content, Request(_ROUTES[path], address))
        request = Request(_ROUTES[path], address, body.model, body.model in self._models.targets)
        admitted = await self._admit(headers.credential, request)
        inquiry = Inquiry(
            request_id,
            scope["method"],
            path,
            scope["query_string"],
            headers,
            body,
            admitted.principal,
            admitted.rate,
            started_at,
            started,
        )
        connection = scope[CONNECTION_KEY]
        connection.on_hang_up = inquiry.hang_up
        try:
            if not await self._forwarder.forward(inquiry, send):
                connection.hang_up()
        finally:
            connection.on_hang_up = None

    async def _list_models(self, request_id: str, scope: Scope, send: Send) -> None:
        path = scope["path"]
        if scope["method"] not in ("GET", "HEAD"):
            raise _method_not_allowed(path)
        headers = read_request(scope["headers"])
        wanted = path.removeprefix(MODELS_PATH).removeprefix("/") or None
        route = route_for("GET", MODELS_PATH if wanted is None else MODELS_PATH + "/{model}")
        served = wanted is None or wanted in self._models.targets
        request = Request(route, self._address(scope, headers), wanted, served)
        admitted = await self._admit(headers.credential, request)
        models = [self._describe(name) for name in self._models.names(admitted.principal.key.models)]
        answer = {"object": "list", "data": models} if wanted is None else self._describe(wanted)
        said = [(b"content-type", b"application/json"), (b"x-request-id", request_id.encode())]
        await _send(send, 200, said + rate_headers(admitted.rate), msgspec.json.encode(answer))

    def _describe(self, name: str) -> dict[str, str | int]:
        return {"id": name, "object": "model", "created": self._models.created, "owned_by": "innoai"}

    async def _admit(self, credential: str | None, request: Request) -> Admission:
        decision = self._door.admit_now(credential, request)
        return admission(await self._door.admit(credential, request) if decision is None else decision)

    def _address(self, scope: Scope, headers: RequestHeaders) -> int | None:
        return caller_address(scope["client"], headers.forwarded_for, self._trusted_proxies)

    async def _read_body(self, headers: RequestHeaders, receive: Receive, request: Request) -> bytes:
        """The whole body; a large one only after everything but the model and the rate was checked."""
        if (headers.content_length or 0) > self._max_body_bytes:
            raise _too_large(self._max_body_bytes)
        message = await receive()
        content: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            return content
        checked = False
        pieces = [content]
        size = len(content)
        while message.get("more_body", False):
            if not checked and ((headers.content_length or 0) > LARGE_BODY or size > LARGE_BODY):
                decision = await self._door.preview(headers.credential, request)
                if decision.refusal is not None:
                    raise InnoError.of(decision.refusal)
                checked = True
            message = await receive()
            piece = message.get("body", b"")
            size += len(piece)
            if size > self._max_body_bytes:
                raise _too_large(self._max_body_bytes)
            pieces.append(piece)
        return b"".join(pieces)

    async def _read_inquiry(
        self, headers: RequestHeaders, content: bytes, request: Request
    ) -> JsonBody | MultipartBody:
        """The body taken apart; what is wrong with it is said only to those who may make the request."""
        content_type = headers.content_type.lower()
        try:
            if content_type.partition(b";")[0].strip() in _JSON_TYPES:
                return read_json(content)
            if content_type.startswith(b"multipart/form-data"):
                return read_multipart(content, headers.content_type)
            raise InnoError("unsupported_media_type")
        except InnoError:
            await self._admit(headers.credential, request)
            raise


def caller_address(peer: tuple[str, int] | None, forwarded_for: str, trusted: Networks) -> int | None:
    """The caller's address from the socket's and X-Forwarded-For; None over a Unix socket."""
    try:
        address = None if peer is None else parse_address(peer[0])
    except ValueError:
        return None
    return client_address(address, forwarded_for, trusted)


def _method_not_allowed(path: str) -> InnoError:
    allow = ", ".join(allowed_methods(path)).encode()
    return InnoError.of(refusal("method_not_allowed"), [(b"allow", allow)])


async def _send(send: Send, status: int, headers: Headers, body: bytes) -> None:
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _too_large(limit: int) -> InnoError:
    return InnoError("payload_too_large", f"The request body is larger than {limit} bytes. Send less.")
