"""Asking the control plane in this process, as any client does over the wire.

So no rule, audit entry or webhook exists twice: what a page does, the API does, for the member who is
signed in, and its door decides.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from innoai.door import PRINCIPAL_KEY
from innoai.envelope import REQUEST_ID_KEY
from innoai.errors import ERRORS, InnoError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from innoai.door import Presenter

    Scope = dict[str, Any]
    ASGIApp = Callable[
        [Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
    ]

_PASSED_ON = (b"x-forwarded-for",)
"""Headers of the visitor's that the control plane needs, to see the same address."""

_QUEUED = 4
"""Messages of an answer that wait for their reader."""
_SEGMENT = re.compile(r"\{(\w+)\}")


class Answer(NamedTuple):
    """What the control plane said."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Streamed(NamedTuple):
    """An answer that is passed on while it comes."""

    status: int
    headers: dict[str, str]
    content: AsyncIterator[bytes]


class Asked(NamedTuple):
    """A request: a template of the matrix with what is put into it, and what goes along."""

    method: str
    path: str
    values: Mapping[str, Any]
    body: Any = None
    headers: tuple[tuple[bytes, bytes], ...] = ()


async def ask(app: ASGIApp, outer: Scope, presenter: Presenter, asked: Asked) -> Any:
    """The decoded answer; None where it has no body.

    Raises:
        InnoError: what the API refused, with its code, sentence and details.
    """
    answer = await _whole(app, *_request(outer, presenter, asked))
    if answer.status >= 400:
        raise refused(answer.body)
    return msgspec.json.decode(answer.body) if answer.body else None


async def stream(app: ASGIApp, outer: Scope, presenter: Presenter, asked: Asked) -> Streamed:
    """The answer as it comes: a file to keep, or events without an end.

    What ends the control plane, before the answer or within it, is raised where the answer would go on.

    Raises:
        InnoError: what the API refused.
    """
    answering = _Answering(app, *_request(outer, presenter, asked))
    try:
        start = await answering.next()
    except BaseException:
        await answering.end()
        raise
    headers = {
        name.decode(): value.decode()
        for name, value in start["headers"]
        if name in (b"content-type", b"content-disposition", b"cache-control", b"x-accel-buffering")
    }
    content = _content(answering)
    if start["status"] >= 400:
        raise refused(b"".join([piece async for piece in content]))
    return Streamed(start["status"], headers, content)


async def _content(answering: _Answering) -> AsyncIterator[bytes]:
    try:
        more = True
        while more:
            message = await answering.next()
            if message.get("body"):
                yield message["body"]
            more = message.get("more_body", False)
    finally:
        await answering.end()


class _Answering:
    """The control plane at work on an answer, no further ahead of its reader than a few messages."""

    def __init__(self, app: ASGIApp, scope: Scope, body: bytes) -> None:
        self._body: bytes | None = body
        self._messages: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(_QUEUED)
        self._gone = asyncio.Event()
        self._work = asyncio.ensure_future(self._run(app, scope))

    async def next(self) -> dict[str, Any]:
        """The next message of the answer; where there is none, what ended the control plane is raised."""
        message = await self._messages.get()
        if message is None:
            await self._work
            raise InnoError("internal_error")
        return message

    async def end(self) -> None:
        """Nobody reads any more."""
        self._gone.set()
        self._work.cancel()
        await asyncio.wait([self._work])

    async def _run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._receive, self._messages.put)
        finally:
            # Nobody takes anything out of a queue that may be full, once the reader has gone.
            if not self._gone.is_set():
                await self._messages.put(None)

    async def _receive(self) -> dict[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}


def refused(body: bytes) -> InnoError:
    """The error that an envelope of ours tells."""
    error = msgspec.json.decode(body)["error"]
    details = {
        name: value for name, value in error.items() if name not in ("code", "message", "type", "request_id")
    }
    code = error["code"] if error["code"] in ERRORS else "internal_error"
    return InnoError(code, error["message"], **details)


def _request(outer: Scope, presenter: Presenter, asked: Asked) -> tuple[Scope, bytes]:
    """The ASGI scope and the body of a request, on behalf of the visitor of the outer scope."""
    path, query = _target(asked.path, asked.values)
    body = b"" if asked.body is None else msgspec.json.encode(asked.body)
    passed_on = [(name, value) for name, value in outer["headers"] if name in _PASSED_ON]
    scope = {
        "type": "http",
        "asgi": outer["asgi"],
        "http_version": outer["http_version"],
        "method": asked.method,
        "scheme": outer["scheme"],
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            *passed_on,
            *asked.headers,
            *(
                [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
                if body
                else []
            ),
        ],
        "client": outer["client"],
        "server": outer["server"],
        "state": {},
        REQUEST_ID_KEY: outer[REQUEST_ID_KEY],
        PRINCIPAL_KEY: presenter,
    }
    return scope, body


def _target(template: str, values: Mapping[str, Any]) -> tuple[str, str]:
    """Path and query string: what the template names goes into the path, the rest behind it.

    What is put into the path stays one segment of it, whatever a visitor has typed.
    """
    named = set(_SEGMENT.findall(template))
    filled = template.format(**{name: _segment(str(values[name])) for name in named})
    rest = {name: value for name, value in values.items() if name not in named and value not in (None, "")}
    return filled, urlencode(rest, doseq=True)


def _segment(value: str) -> str:
    if not value or "/" in value or value in (".", "..") or "\0" in value:
        raise InnoError("not_found")
    return value


async def _whole(app: ASGIApp, scope: Scope, body: bytes) -> Answer:
    status = 500
    headers: list[tuple[bytes, bytes]] = []
    pieces: list[bytes] = []
    unread = True

    async def receive() -> dict[str, Any]:
        nonlocal unread
        if unread:
            unread = False
            return {"type": "http.request", "body": body, "more_body": False}
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message["headers"])
        else:
            pieces.append(message.get("body", b""))

    await app(scope, receive, send)
    return Answer(status, headers, b"".join(pieces))
