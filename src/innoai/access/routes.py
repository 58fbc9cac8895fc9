"""The matrix: which scope each route asks for. The one table that guards, documents and is shown.

`scope` None means that any live credential suffices. `own_key` marks the route that a key may
always use on itself, whatever its scopes; `account_only` one that concerns the whole account, which
a customer's credential may not use; `feature` one that the account's tier has to include.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from innoai.access.scopes import (
    ADMIN_FULL,
    BILLING_READ,
    BILLING_WRITE,
    CUSTOMERS_DELETE,
    CUSTOMERS_READ,
    CUSTOMERS_WRITE,
    INFERENCE_READ,
    INFERENCE_WRITE,
    WEBHOOKS_READ,
    WEBHOOKS_WRITE,
)
from innoai.access.tiers import AUDIT, STATEMENTS, WEBHOOKS

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path template such as `/v1/keys/{key_id}`, with the scope that it asks for."""

    method: str
    path: str
    scope: str | None
    own_key: bool = False
    account_only: bool = False
    feature: str | None = None


INFERENCE_POSTS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/images/variations",
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
)


def _webhooks(method: str, path: str) -> Route:
    scope = WEBHOOKS_READ if method == "GET" else WEBHOOKS_WRITE
    return Route(method, path, scope, account_only=True, feature=WEBHOOKS)


ROUTES: tuple[Route, ...] = (
    Route("GET", "/v1/models", INFERENCE_READ),
    Route("GET", "/v1/models/{model}", INFERENCE_READ),
    *(Route("POST", path, INFERENCE_WRITE) for path in INFERENCE_POSTS),
    Route("POST", "/v1/auth/token", None),
    Route("POST", "/v1/auth/refresh", None),
    Route("GET", "/v1/auth/validate", None),
    Route("GET", "/v1/auth/forward", None),
    Route("POST", "/v1/auth/revoke", None),
    Route("POST", "/v1/auth/introspect", None),
    Route("POST", "/v1/auth/explain", ADMIN_FULL),
    Route("POST", "/v1/keys", ADMIN_FULL),
    Route("GET", "/v1/keys", ADMIN_FULL),
    Route("GET", "/v1/keys/{key_id}", ADMIN_FULL),
    Route("PATCH", "/v1/keys/{key_id}", ADMIN_FULL),
    Route("DELETE", "/v1/keys/{key_id}", ADMIN_FULL, own_key=True),
    Route("POST", "/v1/keys/{key_id}/rotate", ADMIN_FULL),
    Route("POST", "/v1/keys/leaks", ADMIN_FULL, account_only=True),
    Route("GET", "/v1/keys/{key_id}/activity", ADMIN_FULL, account_only=True),
    Route("GET", "/v1/keys/{key_id}/advice", ADMIN_FULL, account_only=True),
    Route("POST", "/v1/keys/{key_id}/preview", ADMIN_FULL, account_only=True),
    Route("GET", "/v1/requests/stream", ADMIN_FULL, account_only=True),
    Route("GET", "/v1/requests/refusals", ADMIN_FULL, account_only=True),
    Route("POST", "/v1/customers", CUSTOMERS_WRITE),
    Route("GET", "/v1/customers", CUSTOMERS_READ),
    Route("GET", "/v1/customers/{customer_id}", CUSTOMERS_READ),
    Route("PATCH", "/v1/customers/{customer_id}", CUSTOMERS_WRITE),
    Route("DELETE", "/v1/customers/{customer_id}", CUSTOMERS_DELETE),
    Route("POST", "/v1/members", ADMIN_FULL, account_only=True),
    Route("GET", "/v1/members", ADMIN_FULL, account_only=True),
    Route("GET", "/v1/members/{member_id}", ADMIN_FULL, account_only=True),
    Route("PATCH", "/v1/members/{member_id}", ADMIN_FULL, account_only=True),
    Route("DELETE", "/v1/members/{member_id}", ADMIN_FULL, account_only=True),
    Route("GET", "/v1/billing/usage", BILLING_READ),
    Route("GET", "/v1/billing/summary", BILLING_READ),
    Route("GET", "/v1/billing/top", BILLING_READ, account_only=True),
    Route("GET", "/v1/billing/settings", BILLING_READ, account_only=True),
    Route("PATCH", "/v1/billing/settings", BILLING_WRITE, account_only=True),
    Route("PUT", "/v1/billing/settings", BILLING_WRITE, account_only=True),
    Route("GET", "/v1/billing/statements", BILLING_READ, feature=STATEMENTS),
    Route("GET", "/v1/billing/statements/{month}/{customer_id}", BILLING_READ, feature=STATEMENTS),
    Route("GET", "/v1/audit", ADMIN_FULL, account_only=True, feature=AUDIT),
    _webhooks("POST", "/v1/webhooks"),
    _webhooks("GET", "/v1/webhooks"),
    _webhooks("GET", "/v1/webhooks/event-types"),
    _webhooks("GET", "/v1/webhooks/stream"),
    _webhooks("GET", "/v1/webhooks/deliveries"),
    _webhooks("GET", "/v1/webhooks/deliveries/{delivery_id}"),
    _webhooks("POST", "/v1/webhooks/deliveries/{delivery_id}/replay"),
    _webhooks("GET", "/v1/webhooks/{endpoint_id}"),
    _webhooks("PATCH", "/v1/webhooks/{endpoint_id}"),
    _webhooks("DELETE", "/v1/webhooks/{endpoint_id}"),
    _webhooks("POST", "/v1/webhooks/{endpoint_id}/rotate-secret"),
    _webhooks("POST", "/v1/webhooks/{endpoint_id}/test"),
    _webhooks("POST", "/v1/webhooks/{endpoint_id}/replay"),
    Route("GET", "/v1/tiers", None),
)

_SEGMENT = re.compile(r"\{[a-z_]+\}")
_MODEL = "{model}"
"""The one part of a template that may be several segments: names such as meta-llama/Llama-3."""


def _pattern(template: str) -> str:
    return _SEGMENT.sub(lambda part: "(?s:.+)" if part[0] == _MODEL else "[^/]+", template)


_BY_TEMPLATE: Mapping[tuple[str, str], Route] = MappingProxyType(
    {(route.method, route.path): route for route in ROUTES}
)
_PATHS = frozenset(route.path for route in ROUTES)
_ROWS: Mapping[str, tuple[Route, ...]] = MappingProxyType(
    {
        method: tuple(route for route in ROUTES if route.method == method)
        for method in dict.fromkeys(route.method for route in ROUTES)
    }
)
_PATTERNS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        method: re.compile("|".join(f"({_pattern(row.path)})" for row in rows))
        for method, rows in _ROWS.items()
    }
)
"""The rows of a method, and one expression whose groups are their paths, in the same order."""


def route_for(method: str, template: str) -> Route:
    """The row for a method and a path template; KeyError when the matrix has none."""
    return _BY_TEMPLATE[method, template]


def match(method: str, path: str) -> Route | None:
    """The row that a concrete request falls under, if any; an exact path wins over a template."""
    exact = _BY_TEMPLATE.get((method, path))
    if exact is not None or path in _PATHS:
        return exact
    pattern = _PATTERNS.get(method)
    found = None if pattern is None else pattern.fullmatch(path)
    return None if found is None or found.lastindex is None else _ROWS[method][found.lastindex - 1]


def allowed_methods(path: str) -> tuple[str, ...]:
    """The methods that some row takes on this concrete path, for the Allow header."""
    return tuple(method for method in _ROWS if match(method, path) is not None)
