"""One inference request, from its head to the decision about it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from innoai.access.decide import Request
from innoai.access.networks import client_address, parse_address
from innoai.access.routes import INFERENCE_POSTS, allowed_methods, route_for
from innoai.door import admission
from innoai.errors import InnoError, refusal
from innoai.gateway.body import JsonBody, MultipartBody, read_json, read_multipart
from innoai.gateway.headers import RequestHeaders, read_request
from innoai.gateway.passage import Passage

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from innoai.access.decide import Decision
    from innoai.gateway.connection import Connection
    from innoai.gateway.gateway import Gateway
    from innoai.gateway.headers import Headers

LARGE_BODY = 64 * 1024
"""Bytes above which a body is not read before the request has passed every check but model and rate."""

ROUTES = {path.encode(): route_for("POST", path) for path in INFERENCE_POSTS}
_JSON_TYPES = frozenset((b"application/json", b""))
_MULTIPART = b"multipart/form-data"

Body = JsonBody | MultipartBody | InnoError

log = structlog.get_logger()


class Visit:
    """A request on its way to a decision, and then the passage that it leads to.

    reading -> (previewing, when the body is large) -> deciding -> passing. It has no connection any
    more once it is refused or the caller has hung up.
    """

    __slots__ = (
        "_address",
        "_connection",
        "_content",
        "_gateway",
        "_headers",
        "_is_complete",
        "_method",
        "_passage",
        "_path",
        "_previewed",
        "_previewing",
        "_query",
        "_size",
        "_started",
        "_started_at",
        "request_id",
    )

    def __init__(
        self, gateway: Gateway, connection: Connection, method: bytes, path: bytes, query: bytes
    ) -> None:
        self.request_id = gateway.new_request_id()
        self._gateway = gateway
        self._connection: Connection | None = connection
        self._method = method
        self._path = path
        self._query = query
        self._started_at = gateway.clock()
        self._started = gateway.monotonic()
        self._headers: RequestHeaders
        self._address: int | None = None
        self._content: list[bytes] = []
        self._size = 0
        self._previewed = self._previewing = False
        self._is_complete = False
        self._passage: Passage | None = None

    # What the connection says.

    def begin(self, headers: Headers, peer: tuple[str, int] | None, *, expects_continue: bool) -> None:
        """The head is known."""
        self._headers = read_request(headers)
        self._address = _address_of(peer, self._headers.forwarded_for, self._gateway)
        announced = self._headers.content_length or 0
        if self._method != b"POST":
            self._refuse(_method_not_allowed(self._path.decode()))
        elif announced > self._gateway.max_body_bytes:
            self._refuse(self._too_large())
        elif announced > LARGE_BODY:
            self._preview(expects_continue=expects_continue)
        elif expects_continue and self._connection is not None:
            self._connection.go_on()

    def feed(self, piece: bytes) -> None:
        """The next piece of the body."""
        self._content.append(piece)
        self._size += len(piece)
        if self._size > self._gateway.max_body_bytes:
            self._refuse(self._too_large())
        elif self._size > LARGE_BODY and not self._previewed:
            self._preview(expects_continue=False)

    def complete(self) -> None:
        """The body is whole."""
        self._is_complete = True
        if not self._previewing:
            self._decide()

    def hang_up(self) -> None:
        """The caller is gone."""
        self._connection = None
        if self._passage is not None:
            self._passage.hang_up()

    def pause(self) -> None:
        """The caller cannot take more for now."""
        if self._passage is not None:
            self._passage.pause()

    def resume(self) -> None:
        """The caller can take more."""
        if self._passage is not None:
            self._passage.resume()

    # Before a large body is read.

    def _preview(self, *, expects_continue: bool) -> None:
        self._previewed = self._previewing = True
        if self._connection is not None:
            self._connection.flow.pause_reading()
        self._spawn(self._check_before_reading(expects_continue=expects_continue))

    async def _check_before_reading(self, *, expects_continue: bool) -> None:
        request = Request(ROUTES[self._path], self._address)
        decision = await self._gateway.door.preview(self._headers.credential, request)
        if decision.refusal is not None:
            raise InnoError.of(decision.refusal)
        self._previewing = False
        if self._connection is None:
            return
        self._connection.flow.resume_reading()
        if expects_continue:
            self._connection.go_on()
        if self._is_complete:
            self._decide()

    # The decision.

    def _decide(self) -> None:
        try:
            body = self._read_body()
            request = self._request(body)
            decision = self._gateway.door.admit_now(self._headers.credential, request)
            if decision is None:
                self._spawn(self._decide_later(body, request))
            else:
                self._conclude(decision, body)
        except InnoError as error:
            self._refuse(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
            self._fail(error)

    async def _decide_later(self, body: Body, request: Request) -> None:
        """The same, where the store or shared limits have to be asked."""
        self._conclude(await self._gateway.door.admit(self._headers.credential, request), body)

    def _conclude(self, decision: Decision, body: Body) -> None:
        admitted = admission(decision)
        if isinstance(body, InnoError):
            raise body
        if self._connection is None:
            return
        self._passage = Passage(
            self._gateway,
            self._connection,
            request_id=self.request_id,
            path=self._path,
            query=self._query,
            forwarded=self._headers.forwarded,
            body=body,
            principal=admitted.principal,
            rate=admitted.rate,
            started_at=self._started_at,
            started=self._started,
        )
        self._passage.begin()

    def _read_body(self) -> Body:
        """The body taken apart, or what is wrong with it: that is said only to those who may ask at all."""
        content = self._content[0] if len(self._content) == 1 else b"".join(self._content)
        self._content.clear()
        given = self._headers.content_type
        media_type = given.partition(b";")[0].strip().lower()
        try:
            if media_type in _JSON_TYPES:
                return read_json(content)
            if media_type == _MULTIPART:
                return read_multipart(content, given)
        except InnoError as error:
            return error
        return InnoError("unsupported_media_type")

    def _request(self, body: Body) -> Request:
        if isinstance(body, InnoError):
            return Request(ROUTES[self._path], self._address)
        return Request(
            ROUTES[self._path], self._address, body.model, body.model in self._gateway.models.targets
        )

    # How it ends without a passage.

    def _refuse(self, error: InnoError) -> None:
        if self._connection is not None:
            self._connection.refuse(error, self.request_id)
            self._connection = None

    def _fail(self, error: Exception) -> None:
        log.error("unexpected", path=self._path.decode(), request_id=self.request_id, exc_info=error)
        self._refuse(InnoError("internal_error"))

    def _too_large(self) -> InnoError:
        most = self._gateway.max_body_bytes
        return InnoError("payload_too_large", f"The request body is larger than {most} bytes. Send less.")

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._gateway.tasks.add(task)
        task.add_done_callback(self._gateway.tasks.discard)

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except InnoError as error:
            self._refuse(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
            self._fail(error)


def _address_of(peer: tuple[str, int] | None, forwarded_for: str, gateway: Gateway) -> int | None:
    try:
        address = None if peer is None else parse_address(peer[0])
    except ValueError:
        return None
    return client_address(address, forwarded_for, gateway.trusted_proxies)


def _method_not_allowed(path: str) -> InnoError:
    allow = ", ".join(allowed_methods(path)).encode()
    return InnoError.of(refusal("method_not_allowed"), [(b"allow", allow)])
