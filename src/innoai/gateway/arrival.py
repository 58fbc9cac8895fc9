"""What the head of an inference request says, and how to know it again.

A client sends the same head with every request, but for the digits of Content-Length. Once the
parser has accepted a head, a later one on the same connection that has the same bytes around the
digits says the same: it is not parsed, filtered and encoded again. What it does not carry over is
any decision; that is made anew for each request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from innoai.access.routes import INFERENCE_POSTS, route_for

if TYPE_CHECKING:
    from innoai.access.routes import Route
    from innoai.gateway.headers import RequestHeaders

ROUTES: dict[bytes, Route] = {path.encode(): route_for("POST", path) for path in INFERENCE_POSTS}
"""The paths that the data plane answers."""

_USAGE_OPTION_PATHS = frozenset((b"/v1/chat/completions", b"/v1/completions"))
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)
_MOST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request's head. `address` is the caller's, `seen` the credential's digest in the keyring.

    The heads for upstreams that are made from it are kept beside it.
    """

    method: bytes
    path: bytes
    query: bytes
    headers: RequestHeaders
    address: int | None
    seen: bytes | None
    upstream_heads: dict[int, Any] = field(default_factory=dict)

    route: Route = field(init=False)
    """The row of the matrix."""
    knows_usage_option: bool = field(init=False)
    """Whether streams of this route know `stream_options.include_usage`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "route", ROUTES[self.path])
        object.__setattr__(self, "knows_usage_option", self.path in _USAGE_OPTION_PATHS)


class Repeat:
    """Knows an arrival again by its bytes."""

    __slots__ = ("_after", "_before", "_digits_at", "arrival")

    def __init__(self, arrival: Arrival, before: bytes, after: bytes) -> None:
        self.arrival = arrival
        self._before = before
        self._digits_at = len(before)
        self._after = after

    def body_of(self, data: bytes) -> bytes | None:
        """The body, if `data` is exactly one request with this head; None for anything else."""
        if not data.startswith(self._before):
            return None
        start = self._digits_at
        end = data.find(b"\r", start, start + _MOST_DIGITS + 1)
        if end == -1 or not data.startswith(self._after, end):
            return None
        digits = data[start:end]
        body = data[end + len(self._after) :]
        return body if digits.isdigit() and len(body) == int(digits) else None


def learn(arrival: Arrival, data: bytes) -> Repeat | None:
    """How to know the arrival again, whose request begins with the first byte of `data`.

    None where the head is not whole in `data`, or is not framed by exactly one plain Content-Length.
    """
    end = data.find(b"\r\n\r\n") + 4
    head = data[:end] if end >= 4 else b""
    lengths = list(_CONTENT_LENGTH.finditer(head))
    if len(lengths) != 1:
        return None
    return Repeat(arrival, head[: lengths[0].start(1)], head[lengths[0].end(1) :])
