"""The OpenAPI document, and the page for people that shows every route to read and to try.

The page needs nothing from elsewhere: scripts and styles are files of this server, and its
Content-Security-Policy lets in nothing else.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
from litestar import Response, get
from swagger_ui_bundle import swagger_ui_path

from innoai.api.openapi import document
from innoai.api.wire import JSON
from innoai.errors import InnoError

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCUMENT = msgspec.json.encode(document())

_PAGES = Path(__file__).with_name("pages")
_HTML = "text/html"
_CSS = "text/css"
_JS = "text/javascript"
_PNG = "image/png"
_CLOSED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
DOCS_POLICY = f"{_CLOSED}; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:"
"""Swagger UI draws its icons from data: addresses."""

ASSETS: Mapping[str, tuple[Path, str]] = MappingProxyType(
    {
        "docs.js": (_PAGES / "docs.js", _JS),
        "swagger-ui.css": (Path(swagger_ui_path) / "swagger-ui.css", _CSS),
        "swagger-ui-bundle.js": (Path(swagger_ui_path) / "swagger-ui-bundle.js", _JS),
        "favicon-32x32.png": (Path(swagger_ui_path) / "favicon-32x32.png", _PNG),
    }
)
"""The files under /docs/ by name: where they are, and their media type."""


@get("/openapi.json")
async def show_document() -> Response[bytes]:
    """Show the OpenAPI document."""
    return Response(DOCUMENT, media_type=JSON)


@get("/docs")
async def show_docs() -> Response[bytes]:
    """Show every route, to read and to try."""
    return _page("docs.html", DOCS_POLICY)


@get("/docs/{name:str}")
async def show_asset(name: str) -> Response[bytes]:
    """Give a script, a style or a picture of the pages."""
    if name not in ASSETS:
        raise InnoError("not_found")
    path, media_type = ASSETS[name]
    headers = {"cache-control": "no-cache", "x-content-type-options": "nosniff"}
    return Response(path.read_bytes(), media_type=media_type, headers=headers)


def _page(name: str, policy: str) -> Response[bytes]:
    headers = {
        "content-security-policy": policy,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    return Response((_PAGES / name).read_bytes(), media_type=_HTML, headers=headers)
