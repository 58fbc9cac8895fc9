"""What the head of an inference request says, read once.

When the same head comes again on the connection, its arrival serves again: nothing is parsed,
filtered or encoded anew. What it does not carry over is any decision.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from innoai.access.routes import INFERENCE_POSTS, route_for

if TYPE_CHECKING:
    from innoai.access.routes import Route
    from innoai.gateway.headers import RequestHeaders

ROUTES: dict[bytes, Route] = {path.encode(): route_for("POST", path) for path in INFERENCE_POSTS}
"""The paths that the data plane answers."""

JSON = b"application/json"
MULTIPART = b"multipart/form-data"

_USAGE_OPTION_PATHS = frozenset((b"/v1/chat/completions", b"/v1/completions"))


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
    media_type: bytes = field(init=False)
    """The body's, in lower case; JSON where none is named."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "route", ROUTES[self.path])
        media_type = self.headers.content_type.partition(b";")[0].strip().lower()
        object.__setattr__(self, "media_type", media_type or JSON)
        object.__setattr__(self, "knows_usage_option", self.path in _USAGE_OPTION_PATHS)
