"""The OpenAPI document and the pages for people: where innoai is, and every route to read and to try.

The pages need nothing from elsewhere: scripts and styles are files of this server, and their
Content-Security-Policy lets in nothing else.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response, get
from swagger_ui_bundle import swagger_ui_path

from innoai.api.admission import Inside
from innoai.api.openapi import document
from innoai.api.services import Services
from innoai.api.wire import JSON
from innoai.errors import InnoError

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCUMENT = msgspec.json.encode(document())

Visit = Request[Any, Any, Any]

_is_host = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}", re.ASCII).fullmatch
_PAGES = Path(__file__).with_name("pages")
_HTML = "text/html"
_CSS = "text/css"
_JS = "text/javascript"
_PNG = "image/png"
_CLOSED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PLAIN_POLICY = f"{_CLOSED}; style-src 'self'"
DOCS_POLICY = f"{_CLOSED}; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:"
"""Swagger UI draws its icons from data: addresses."""

ASSETS: Mapping[str, tuple[Path, str]] = MappingProxyType(
    {
        "page.css": (_PAGES / "page.css", _CSS),
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


@get("/")
async def show_home(request: Visit, services: Inside) -> Response[bytes]:
    """Say that innoai is here, where the documentation is and how to make the first call."""
    return _page("home.html", PLAIN_POLICY, url=_address(request, services))


@get("/setup")
async def show_setup(request: Visit, services: Inside) -> Response[bytes]:
    """Say what there is instead of a dashboard."""
    return _page("setup.html", PLAIN_POLICY, url=_address(request, services))


def _address(request: Visit, services: Services) -> str:
    """Where the visitor found this server, unless the operator says what its address is."""
    host = request.headers.get("host", "")
    if services.settings.server.public_url is not None or _is_host(host) is None:
        return services.settings.server.url
    return f"http://{host}"


def _page(name: str, policy: str, **values: str) -> Response[bytes]:
    template = Template((_PAGES / name).read_text("utf-8"))
    page = template.substitute({key: escape(value) for key, value in values.items()})
    headers = {
        "content-security-policy": policy,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    return Response(page.encode(), media_type=_HTML, headers=headers)
