"""A walk over the matrix: for each of its rows a request that succeeds when it is admitted."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from innoai.access.routes import INFERENCE_POSTS
from tests.contract.clients import HELLO, bearer, create_key, mint
from tests.support.server import MODEL

if TYPE_CHECKING:
    from innoai.access.routes import Route
    from tests.support.server import Server

HOME = "203.0.113.7"
_numbers = itertools.count(1)


class Call(NamedTuple):
    """A request that succeeds when it is admitted: `{…}` in the path and body is filled in.

    `leaves`: the actions that it leaves in the audit log.
    """

    status: int
    body: dict[str, Any] | None = None
    leaves: tuple[str, ...] = ()


INFERENCE = Call(200, {**HELLO, "input": "Hello", "prompt": "Hello"})
HOOK = {"url": "https://hooks.example.com/innoai", "event_types": ["webhook.test"]}
CALLS: dict[tuple[str, str], Call] = {
    ("GET", "/v1/models"): Call(200),
    ("GET", "/v1/models/{model}"): Call(200),
    **{("POST", path): INFERENCE for path in INFERENCE_POSTS},
    ("POST", "/v1/auth/token"): Call(200, {}),
    ("POST", "/v1/auth/refresh"): Call(200, {"refresh_token": "{refresh_token}"}),
    ("GET", "/v1/auth/validate"): Call(200),
    ("GET", "/v1/auth/forward"): Call(204),
    ("POST", "/v1/auth/revoke"): Call(200, {"token": "{access_token}"}, ("token.revoked",)),
    ("POST", "/v1/auth/introspect"): Call(200, {"token": "{access_token}"}),
    ("POST", "/v1/auth/explain"): Call(200, {"key": "{key_id}", "method": "GET", "path": "/v1/models"}),
    ("POST", "/v1/keys"): Call(201, {"name": "Made by a walk"}, ("key.created",)),
    ("GET", "/v1/keys"): Call(200),
    ("GET", "/v1/keys/{key_id}"): Call(200),
    ("PATCH", "/v1/keys/{key_id}"): Call(200, {"name": "Changed by a walk"}, ("key.updated",)),
    ("DELETE", "/v1/keys/{key_id}"): Call(204, leaves=("key.revoked",)),
    ("POST", "/v1/keys/{key_id}/rotate"): Call(201, {}, ("key.rotated",)),
    ("POST", "/v1/keys/leaks"): Call(200, {"text": "no key is here"}),
    ("GET", "/v1/keys/{key_id}/activity"): Call(200),
    ("GET", "/v1/keys/{key_id}/advice"): Call(200),
    ("POST", "/v1/keys/{key_id}/preview"): Call(200, {"scopes": ["inference:read"]}),
    ("GET", "/v1/requests/stream"): Call(200),
    ("GET", "/v1/requests/refusals"): Call(200),
    ("POST", "/v1/customers"): Call(201, {"customer_id": "{new_customer_id}"}, ("customer.created",)),
    ("GET", "/v1/customers"): Call(200),
    ("GET", "/v1/customers/{customer_id}"): Call(200),
    ("PATCH", "/v1/customers/{customer_id}"): Call(200, {"name": "Changed by a walk"}, ("customer.updated",)),
    ("DELETE", "/v1/customers/{customer_id}"): Call(204, leaves=("key.revoked", "customer.deleted")),
    ("POST", "/v1/members"): Call(201, {"email": "{new_email}"}, ("member.invited",)),
    ("GET", "/v1/members"): Call(200),
    ("GET", "/v1/members/{member_id}"): Call(200),
    ("PATCH", "/v1/members/{member_id}"): Call(200, {"name": "Changed by a walk"}, ("member.updated",)),
    ("DELETE", "/v1/members/{member_id}"): Call(204, leaves=("member.removed",)),
    ("GET", "/v1/billing/usage"): Call(200),
    ("GET", "/v1/billing/summary"): Call(200),
    ("GET", "/v1/billing/top"): Call(200),
    ("GET", "/v1/billing/settings"): Call(200),
    ("PATCH", "/v1/billing/settings"): Call(
        200, {"alert_thresholds": "{thresholds}"}, ("billing.settings_updated",)
    ),
    ("PUT", "/v1/billing/settings"): Call(
        200, {"currency": "USD", "alert_thresholds": "{thresholds}"}, ("billing.settings_updated",)
    ),
    ("GET", "/v1/billing/statements"): Call(200),
    ("GET", "/v1/billing/statements/{month}/{customer_id}"): Call(200),
    ("POST", "/v1/webhooks"): Call(201, HOOK, ("webhook.created",)),
    ("GET", "/v1/webhooks"): Call(200),
    ("GET", "/v1/webhooks/event-types"): Call(200),
    ("GET", "/v1/webhooks/stream"): Call(200),
    ("GET", "/v1/webhooks/deliveries"): Call(200),
    ("GET", "/v1/webhooks/deliveries/{delivery_id}"): Call(200),
    ("POST", "/v1/webhooks/deliveries/{delivery_id}/replay"): Call(202, leaves=("webhook.replayed",)),
    ("GET", "/v1/webhooks/{endpoint_id}"): Call(200),
    ("PATCH", "/v1/webhooks/{endpoint_id}"): Call(
        200, {"description": "Changed by a walk"}, ("webhook.updated",)
    ),
    ("DELETE", "/v1/webhooks/{endpoint_id}"): Call(204, leaves=("webhook.deleted",)),
    ("POST", "/v1/webhooks/{endpoint_id}/rotate-secret"): Call(200, {}, ("webhook.secret_rotated",)),
    ("POST", "/v1/webhooks/{endpoint_id}/test"): Call(202, leaves=("webhook.tested",)),
    ("POST", "/v1/webhooks/{endpoint_id}/replay"): Call(
        202, {"since": "2026-11-24T22:07:02Z"}, ("webhook.replayed",)
    ),
    ("GET", "/v1/audit"): Call(200),
    ("GET", "/v1/tiers"): Call(200),
}


class Walker:
    """Makes each route's request at a server behind a proxy, from an address of choice."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.client = httpx.Client(base_url=server.origin, headers={"x-forwarded-for": HOME}, timeout=30)
        self.admin = httpx.Client(base_url=server.base_url, headers=bearer(server.admin_key), timeout=30)

    def close(self) -> None:
        self.client.close()
        self.admin.close()

    def key(self, **members: Any) -> str:
        secret: str = create_key(self.admin, **members)["key"]
        return secret

    def walk(self, route: Route, credential: str | None, address: str = HOME) -> httpx.Response:
        """The answer to a fresh request of the route, whose subject exists and is nobody's own."""
        path, body = request_of(route, Subject(self.admin))
        headers = {"x-forwarded-for": address}
        if credential is not None:
            headers |= bearer(credential)
        asked = self.client.build_request(route.method, path, json=body, headers=headers)
        answer = self.client.send(asked, stream=True)
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            answer.read()
        answer.close()
        return answer


class Subject(dict[str, Any]):
    """Fresh objects of the account whose key `admin` has, by the names that paths and bodies give them.

    Each is made when it is first named: most requests are about one of them, or none.
    """

    def __init__(self, admin: httpx.Client) -> None:
        number = next(_numbers)
        self._admin = admin
        self._own_name = f"walk-{number}"
        super().__init__(
            model=MODEL,
            new_customer_id=f"new-{self._own_name}",
            new_email=f"new-{self._own_name}@example.com",
            month=f"{datetime.now(UTC):%Y-%m}",
            thresholds=[1 + number % 100],
        )

    def all_made(self) -> Subject:
        """The same, with all its objects made."""
        for name in ("customer_id", "access_token", "member_id", "delivery_id"):
            self[name]
        return self

    def __missing__(self, name: str) -> Any:
        self.update(self._made(name))
        return self[name]

    def _made(self, name: str) -> dict[str, Any]:
        match name:
            case "key_id" | "key" | "customer_id":
                made = create_key(self._admin, customer_id=self._own_name)
                return {"key_id": made["id"], "key": made["key"], "customer_id": self._own_name}
            case "access_token" | "refresh_token":
                return mint(self._admin, self["key"])
            case "member_id":
                invited = self._admin.post("/members", json={"email": f"{self._own_name}@example.com"})
                return {"member_id": invited.json()["id"]}
            case "endpoint_id":
                return {"endpoint_id": self._admin.post("/webhooks", json=HOOK).json()["id"]}
            case "delivery_id":
                sent = self._admin.post(f"/webhooks/{self['endpoint_id']}/test")
                return {"delivery_id": sent.json()["id"]}
        raise KeyError(name)


def request_of(route: Route, subject: Subject) -> tuple[str, dict[str, Any] | None]:
    """The path and the body of the route's request about this subject."""
    body = CALLS[route.method, route.path].body
    if body is not None:
        body = {name: _filled(value, subject) for name, value in body.items()}
    return route.path.format_map(subject), body


def _filled(value: Any, subject: Subject) -> Any:
    if isinstance(value, str) and value.startswith("{"):
        return subject[value.strip("{}")]
    return value
