"""uvicorn's connection, with three things added: bounded request heads, our envelope for what cannot be
parsed, and word to the gateway when the caller hangs up, without a task that waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from innoai.envelope import refusal_body, refusal_headers
from innoai.errors import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from innoai.errors import Refusal

CONNECTION_KEY = "innoai.connection"
"""Where a scope holds the connection that it came over."""

_REASONS = {400: b"Bad Request", 431: b"Request Header Fields Too Large"}


class Connection(HttpToolsProtocol):
    """One caller's connection."""

    max_header_bytes = 32 * 1024
    new_request_id: Callable[[], str]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_hang_up: Callable[[], None] | None = None
        self._head_bytes = 0
        self._in_head = True
        self._refused = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever asked to be told."""
        super().connection_lost(exc)
        if self.on_hang_up is not None:
            self.on_hang_up()

    def hang_up(self) -> None:
        """Close at once, so that the caller sees that the answer is not whole."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head before the parser keeps it."""
        if self._refused:
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > self.max_header_bytes and not self._refused:
            self._refuse(refusal("headers_too_large"))

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head = True
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        scope[CONNECTION_KEY] = self

    def on_headers_complete(self) -> None:
        """The head is whole: refuse one that grew too large within a single read, too."""
        self._in_head = False
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        self._head_bytes = 0
        if size > self.max_header_bytes:
            self._refuse(refusal("headers_too_large"))
            raise httptools.HttpParserError("the head is too large")
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP in our own words."""
        if not self._refused:
            self._refuse(refusal("invalid_request", "The request is not valid HTTP/1.1. Check its framing."))

    def _refuse(self, refused: Refusal) -> None:
        self._refused = True
        request_id = self.new_request_id()
        body = refusal_body(refused, request_id)
        status = refused.kind.status
        headers = [
            *refusal_headers(refused, request_id),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (status, _REASONS[status], lines, body))
        self.transport.close()
