"""Forward authentication: the request that a proxy asks about, and what it is told of the caller.

The proxy describes the original request in headers: X-Original-Method and X-Original-URI (nginx, whose
configuration sets them; ingress-nginx sends X-Original-URL), or X-Forwarded-Method and X-Forwarded-Uri
(Traefik, Caddy). Envoy sends the original method, and the original path behind a prefix. A description
decides only about the credential that comes with it, so that whoever asks without a proxy learns what
it could learn anyway. What must not happen is that a caller speaks over its proxy: a request that is
described in two ways is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import msgspec

from innoai.access.decide import Request
from innoai.access.routes import match, route_for
from innoai.access.scopes import SCOPES, in_order
from innoai.auth.shapes import Scope
from innoai.errors import InnoError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from innoai.access.principal import Principal

PATH = "/v1/auth/forward"
PREFIX = f"{PATH}/"
"""What Envoy puts before the original path."""

YES, YES_TO_ENVOY = 204, 200
"""How a request is admitted: of an answer to its ext_authz, Envoy takes every other status for a refusal."""

METHOD_HEADERS = ("x-original-method", "x-forwarded-method")
URI_HEADERS = ("x-original-uri", "x-original-url", "x-forwarded-uri")
MODEL_HEADER = "x-innoai-model"
SCOPE_HEADER = "x-innoai-required-scope"
CODE_HEADER = b"x-innoai-error"

_ROUTE = route_for("GET", PATH)
_IN_TIER_NAMES = " !#$&'()*+,/:;=?@[]"


class ForwardQuery(msgspec.Struct, frozen=True):
    """What the proxy's operator asks for beyond a live credential."""

    scope: Scope | None = None


def described_by_path(method: str, target: str) -> tuple[tuple[str, str], ...]:
    """The headers that say what a request of Envoy's says by its method and its target."""
    return ("x-original-method", method), ("x-original-uri", "/" + target.removeprefix(PREFIX))


def asked_about(
    values: Callable[[str], Sequence[str]],
    query: ForwardQuery,
    address: int | None,
    models: Container[str],
) -> Request:
    """What a decision needs of the described request. `values` gives a header's values by its name.

    A request that falls under no row of the matrix is one of the proxied service's own, which any live
    credential may make that has the scope asked for.

    Raises:
        InnoError: invalid_request for half a description, for two that differ, or an unknown scope.
    """
    methods = {_method(value) for name in METHOD_HEADERS for value in values(name)}
    targets = {origin_form(value) for name in URI_HEADERS for value in values(name)}
    if len(methods) > 1 or len(targets) > 1:
        raise InnoError(
            "invalid_request",
            "The headers describe two different requests. Let the proxy strip those that it does not set.",
        )
    if len(methods) != len(targets):
        raise InnoError(
            "invalid_request",
            "The headers describe half a request. Send both its method and its URI, or neither.",
        )
    model = _only(values(MODEL_HEADER), MODEL_HEADER)
    # One that is there and empty is a slip of the operator's, whose demand must not vanish with it.
    scope = _only(values(SCOPE_HEADER), SCOPE_HEADER) if query.scope is None else query.scope
    if scope is not None and scope not in SCOPES:
        raise InnoError(
            "invalid_request", f"scope: there is no such scope; they are {', '.join(SCOPES)}.", param="scope"
        )
    path = "".join(map(canonical, targets))
    route = next((match(method, path) for method in methods), None) or _ROUTE
    return Request(
        route,
        address,
        model,
        model is None or model in models,
        path.rpartition("/")[2] if route.own_key else None,
        required_scope=scope,
    )


def canonical(target: str) -> str:
    """The path of a target as the most lenient server would read it.

    Decoded, without parameters, empty segments and dots: a request must not escape its row of the matrix
    by a spelling that the service behind the proxy understands all the same.
    """
    path = target.partition("#")[0].partition("?")[0]
    segments: list[str] = []
    for raw in path.replace("\\", "/").split("/"):
        for segment in unquote(raw.partition(";")[0]).replace("\\", "/").split("/"):
            if segment == "..":
                del segments[-1:]
            elif segment not in ("", "."):
                segments.append(segment)
    return "/" + "/".join(segments)


def identity(principal: Principal) -> list[tuple[bytes, bytes]]:
    """The headers by which the service behind the proxy hears who asks."""
    headers = [
        (b"x-innoai-account", principal.account.id.encode()),
        (b"x-innoai-key", principal.key.id.encode()),
    ]
    if principal.customer is not None:
        headers.append((b"x-innoai-customer", principal.customer.customer_id.encode()))
    headers.append((b"x-innoai-scopes", " ".join(in_order(principal.scopes)).encode()))
    # The operator's own name for it, which may be written in any letters.
    headers.append((b"x-innoai-tier", quote(principal.account.tier, safe=_IN_TIER_NAMES).encode()))
    return headers


def with_code(error: InnoError) -> InnoError:
    """The refusal with its code as a header, for proxies that keep no body of such an answer."""
    error.headers.append((CODE_HEADER, error.refusal.code.encode()))
    return error


def _method(value: str) -> str:
    """The method as the matrix writes it, which has no HEAD beside a GET."""
    method = value.strip().upper()
    return "GET" if method == "HEAD" else method


def origin_form(target: str) -> str:
    """Path and query of a request target, be it an absolute URI (RFC 9112 §3.2.2).

    A host ends where the path begins, or without one, where the query does (RFC 3986 §3.2).
    """
    if target.startswith("/") or "://" not in target:
        return target
    after_scheme = target.partition("://")[2]
    begin = next((place for place, letter in enumerate(after_scheme) if letter in "/?#"), len(after_scheme))
    rest = after_scheme[begin:]
    return rest if rest.startswith("/") else "/" + rest


def _only(values: Sequence[str], name: str) -> str | None:
    if len(values) > 1:
        raise InnoError("invalid_request", f"There are several {name} headers. Send one.", param=name)
    return values[0] if values else None
