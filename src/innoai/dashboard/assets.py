"""The files under /static/: scripts, styles and pictures, under names that change with their content.

So browsers keep them for good. They are read once, and compressed once.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "/static/"
_FOLDER = Path(__file__).with_name("static")
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOREVER = b"public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file, as it is and compressed."""

    media_type: str
    content: bytes
    gzipped: bytes

    def answer(self, *, gzip_is_fine: bool) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Headers and body for a browser that does, or does not, take gzip."""
        body = self.gzipped if gzip_is_fine else self.content
        headers = [
            (b"content-type", self.media_type.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", _FOREVER),
            (b"vary", b"accept-encoding"),
            (b"x-content-type-options", b"nosniff"),
            (b"cross-origin-resource-policy", b"same-origin"),
        ]
        if gzip_is_fine:
            headers.append((b"content-encoding", b"gzip"))
        return headers, body


class Assets:
    """All of them, by the path that they are asked for."""

    def __init__(self) -> None:
        paths: dict[str, str] = {}
        by_path: dict[str, Asset] = {}
        for file in sorted(_FOLDER.iterdir()):
            if file.suffix not in _TYPES:
                continue
            content = file.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:12]
            path = f"{PREFIX}{file.stem}-{digest}{file.suffix}"
            paths[file.name] = path
            by_path[path] = Asset(_TYPES[file.suffix], content, gzip.compress(content, mtime=0))
        self.by_path: Mapping[str, Asset] = MappingProxyType(by_path)
        self._paths = paths

    def path(self, name: str) -> str:
        """Where the file of that name is to be had. KeyError when there is none."""
        return self._paths[name]


def takes_gzip(scope: Mapping[str, Any]) -> bool:
    """Whether the request says that gzip may come back."""
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
    return any(
        part.partition(b";")[0].strip().lower() == b"gzip" and b"q=0" not in part.replace(b" ", b"")[-3:]
        for part in accepted.split(b",")
    )
