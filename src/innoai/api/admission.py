"""The guard in front of every handler: the route's row of the matrix, the door, and the caller it admits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import MethodNotAllowedException
from litestar.handlers.base import BaseRouteHandler
from litestar.params import SkipValidation

from innoai.access.decide import Request as AccessRequest
from innoai.access.networks import caller_address
from innoai.access.routes import route_for
from innoai.api.services import Services
from innoai.door import PRINCIPAL_KEY, Admission, Presenter, admission
from innoai.envelope import REQUEST_ID_KEY
from innoai.errors import InnoError

if TYPE_CHECKING:
    from innoai.access.routes import Route

Connection = ASGIConnection[Any, Any, Any, Any]
# Litestar would otherwise try to convert these, field by field, for each request.
Caller = NamedDependency[SkipValidation[Admission]]
Inside = NamedDependency[SkipValidation[Services]]
"""The rooms below, for a handler to work with."""

ADMISSION_KEY = "innoai.admission"
HEAD_KEY = "innoai.head"
"""Marks a HEAD, which handlers see as the GET: one whose answer has no end need not begin it."""

CREDENTIAL_IN_BODY = {"admits_itself": True, "credential_in_body": True}
"""Marks a handler that admits its caller itself, since the credential may be in the body."""
ASKS_FOR_ANOTHER = {"admits_itself": True}
"""Marks one that admits its caller itself, since another request is decided about."""

_TYPED_PARAMETER = re.compile(r"\{(\w+):\w+\}")


async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
    """Admit the caller to a /v1 route, or raise what refuses. Runs before the body is read."""
    method = _scope(connection)["method"]
    if method == "OPTIONS":
        # Litestar would answer it on every path, which no row of the matrix does.
        raise MethodNotAllowedException
    template = path_template(handler)
    if not template.startswith("/v1/") or handler.opt.get("admits_itself"):
        return
    services: Services = connection.app.state.services
    await admit_to(connection, services, route_for(method, template))


async def admit_to(connection: Connection, services: Services, route: Route) -> Admission:
    """Admit the caller to a route, or raise what refuses; it is remembered who was admitted."""
    asked = access_request(connection, services, route)
    presenter = _presenter(connection)
    if presenter is None:
        decision = await services.door.admit(header_credential(connection), asked)
    else:
        decision = await services.door.admit_presented(presenter, asked)
    admitted = admission(decision)
    admit(connection, admitted)
    return admitted


async def is_still_admitted(connection: Connection, services: Services, route: Route) -> bool:
    """Whether the door would let the request in now; nothing is taken from its rate."""
    asked = access_request(connection, services, route)
    presenter = _presenter(connection)
    if presenter is None:
        decision = await services.door.preview(header_credential(connection), asked)
    else:
        decision = services.door.preview_principal(await presenter(), asked)
    return decision.allowed


def admit(connection: Connection, admitted: Admission) -> None:
    """Remember who was admitted, for the handler and for the answer's rate headers."""
    _scope(connection)[ADMISSION_KEY] = admitted


def provide_caller(request: Request[Any, Any, Any]) -> Admission:
    """The admitted caller, for handlers to ask for."""
    caller: Admission = _scope(request)[ADMISSION_KEY]
    return caller


def access_request(connection: Connection, services: Services, route: Route) -> AccessRequest:
    """What the decision needs of a control-plane request."""
    return AccessRequest(
        route,
        address_of(connection, services),
        target_key=connection.path_params.get("key_id"),
        request_id=request_id_of(connection),
    )


def address_of(connection: Connection, services: Services) -> int | None:
    """Where the caller is, behind trusted proxies; None where nobody can tell."""
    forwarded = ",".join(connection.headers.getall("x-forwarded-for", []))
    return caller_address(connection.scope["client"], forwarded, services.trusted_proxies)


def request_id_of(connection: Connection) -> str:
    """The id of the request, which its answer carries too."""
    request_id: str = _scope(connection)[REQUEST_ID_KEY]
    return request_id


def header_credential(connection: Connection) -> str | None:
    """The bearer credential of the Authorization header.

    Raises:
        InnoError: invalid_request when there are several, since only one could count.
    """
    values = connection.headers.getall("authorization", [])
    if len(values) > 1:
        raise InnoError("invalid_request", "There are several Authorization headers. Send one.")
    if not values:
        return None
    scheme, _, credential = values[0].strip().partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else None


def path_template(handler: BaseRouteHandler) -> str:
    """The handler's path as the matrix writes it: `/v1/keys/{key_id}`."""
    return _TYPED_PARAMETER.sub(r"{\1}", min(handler.paths))


def _presenter(connection: Connection) -> Presenter | None:
    """Who says who this is, where that is a room of this process and no credential: the dashboard."""
    return _scope(connection).get(PRINCIPAL_KEY)


def _scope(connection: Connection) -> dict[str, Any]:
    """The ASGI scope as the open mapping that it is."""
    return cast("dict[str, Any]", connection.scope)
