"""/v1/auth/forward: what a proxy is told about a request that it asks about (innoai.auth.forwarded)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from litestar import MediaType, Response, get

from innoai.api.admission import (
    ASKS_FOR_ANOTHER,
    Inside,
    address_of,
    admit,
    header_credential,
    request_id_of,
)
from innoai.api.wire import JsonRequest, read_query
from innoai.auth.forwarded import (
    PATH,
    PREFIX,
    YES,
    YES_TO_ENVOY,
    ForwardQuery,
    asked_about,
    described_by_path,
    identity,
    with_code,
)
from innoai.door import admission
from innoai.errors import InnoError

if TYPE_CHECKING:
    from innoai.door import Admission


_ENVOY = "innoai.asked_by_envoy"


@get(PATH, opt=ASKS_FOR_ANOTHER, status_code=YES_TO_ENVOY)
async def forward(request: JsonRequest, services: Inside) -> Response[bytes | None]:
    """Decide about the request that the headers describe; a yes says who asks, in headers."""
    try:
        admitted = await _admit(request, services)
    except InnoError as error:
        raise with_code(error) from None
    admit(request, admitted)
    headers = {name.decode(): value.decode() for name, value in identity(admitted.principal)}
    status, nothing = (YES_TO_ENVOY, b"") if _ENVOY in request.scope else (YES, None)
    return Response(
        nothing,
        status_code=status,
        media_type=MediaType.TEXT,
        headers={"cache-control": "no-store", **headers},
    )


async def _admit(request: JsonRequest, services: Inside) -> Admission:
    credential = header_credential(request)
    asked = asked_about(
        lambda name: request.headers.getall(name, []),
        read_query(request, ForwardQuery),
        address_of(request, services),
        services.settings.models,
    )
    named = msgspec.structs.replace(asked, request_id=request_id_of(request))
    return admission(await services.door.admit(credential, named))


def as_asked_by_envoy(scope: dict[str, Any]) -> dict[str, Any]:
    """The request of an ASGI scope in the spelling of the other proxies, if it is in Envoy's."""
    if not scope["raw_path"].startswith(PREFIX.encode()):
        return scope
    target = scope["raw_path"].decode("latin-1")
    if scope["query_string"]:
        target += "?" + scope["query_string"].decode("latin-1")
    described = [
        (name.encode(), value.encode("latin-1")) for name, value in described_by_path(scope["method"], target)
    ]
    return {
        **scope,
        "method": "GET",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "headers": [*scope["headers"], *described],
        _ENVOY: True,
    }
