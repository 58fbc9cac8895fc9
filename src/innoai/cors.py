"""Which web pages may call the API from a browser (Fetch Standard, CORS protocol).

A page of another origin can do nothing that any program could not: credentials come in a header that the page
itself sets, and no cookie counts under /v1. So a preflight is answered without a credential.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    Headers = list[tuple[bytes, bytes]]

ANY = "*"
PREFLIGHT_SECONDS = 7200
"""For which a browser need not ask again; none takes more of it."""

_is_origin = re.compile(
    r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:.]+\](:[0-9]{1,5})?"
).fullmatch
_are_names = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z, -]{1,1024}").fullmatch


class Cors:
    """The origins that may, such as `https://app.example.com`; `*` is every origin."""

    __slots__ = ("_any", "_origins")

    def __init__(self, origins: Iterable[str]) -> None:
        """Raises ValueError for what no browser would send as an origin."""
        named = tuple(origins)
        for origin in named:
            if origin != ANY and not _is_origin(origin):
                raise ValueError(
                    f"{origin!r} is no origin; write it as browsers do, such as https://app.example.com"
                )
        self._any = ANY in named
        self._origins = frozenset(origin.encode() for origin in named)

    def headers(self, origin: bytes | None) -> Headers:
        """What lets a page of this origin read an answer; nothing for others, and where there is none."""
        if origin is None or not (self._any or origin in self._origins):
            return []
        exposed = (b"access-control-expose-headers", b"*")
        if self._any:
            return [(b"access-control-allow-origin", b"*"), exposed]
        return [(b"access-control-allow-origin", origin), (b"vary", b"origin"), exposed]

    def preflight(self, origin: bytes | None, methods: Iterable[str], wanted: bytes | None) -> Headers | None:
        """The answer's headers, when a browser asks what a page may send; None where it may send nothing.

        `methods`: what the path takes. `wanted`: the names of the headers that the page would send.
        """
        allowed = self.headers(origin)
        if not allowed:
            return None
        names = wanted if wanted is not None and _are_names(wanted) else b"authorization, content-type"
        return [
            *allowed[:-1],
            (b"access-control-allow-methods", ", ".join(methods).encode()),
            (b"access-control-allow-headers", names),
            (b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS),
        ]


NOWHERE = Cors(())
"""For no page at all."""
