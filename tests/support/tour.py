"""A tour of the dashboard: an account in which something has happened, and the address of every page."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx

from tests.support.server import MODEL

if TYPE_CHECKING:
    from tests.support.server import Server

LONG_NAME = (
    "Nightly reconciliation of the ledgers of all subsidiaries, second attempt, without the archive " * 2
)
PATIENCE_SECONDS = 30
PRICED = {"input": "0.5", "output": "1.5"}


def furnish(server: Server) -> dict[str, str]:
    """Make keys, customers, endpoints and traffic; gives the pages by a short name.

    Whoever looks has to be signed in as the owner of the first account.
    """
    with httpx.Client(
        base_url=server.base_url, headers={"authorization": f"Bearer {server.admin_key}"}, timeout=60
    ) as client:
        made = _Maker(client)
        backend = made.of("/keys", name="Production backend", scopes=["inference:read", "inference:write"])
        made.of("/keys", name=LONG_NAME[:200], level="admin", expires_at=_in_days(3))
        made.of("/keys", name="Billing export", level="read", allowed_ips=["203.0.113.0/24", "2001:db8::/32"])
        revoked = made.of("/keys", name="Old laptop", level="write")
        client.delete(f"/keys/{revoked['id']}").raise_for_status()
        rotated = made.of("/keys", name="Staging", level="write")
        made.of(f"/keys/{rotated['id']}/rotate", overlap=86_400)
        made.of(
            "/customers",
            customer_id="customer-123",
            name="Acme",
            metadata={"plan": "gold"},
            budgets={"monthly": "20"},
        )
        made.of("/customers", customer_id="a-customer-with-an-id-as-long-as-some-systems-like-to-have-them")
        bound = made.of("/keys", name="Acme's own", scopes=["inference:write"], customer_id="customer-123")
        vera = made.of("/members", email="vera@example.com", role="viewer", name="Vera")
        endpoint = made.of("/webhooks", url="https://example.com/webhooks", description="Production")
        made.of(f"/webhooks/{endpoint['id']}/test")
        made.of("/keys/leaks", text=revoked["key"], source="a build log")
        client.patch("/billing/settings", json={"budgets": {"monthly": "100"}}).raise_for_status()
        for number in range(24):
            _ask(server, bound["key"] if number % 3 else backend["key"])
        _ask(server, revoked["key"])
        month = _shipped(client)
        delivery = client.get("/webhooks/deliveries").json()["data"][0]
    return {
        "overview": "/",
        "keys": "/settings/api-keys",
        "key-new": "/settings/api-keys/new",
        "key": f"/settings/api-keys/{backend['id']}",
        "key-edit": f"/settings/api-keys/{backend['id']}/edit",
        "key-rotate": f"/settings/api-keys/{backend['id']}/rotate",
        "key-revoke": f"/settings/api-keys/{backend['id']}/revoke",
        "usage": "/usage",
        "requests": "/requests",
        "customers": "/customers",
        "customer-new": "/new-customer",
        "customer": "/customers/customer-123",
        "customer-edit": "/customers/customer-123/edit",
        "customer-delete": "/customers/customer-123/delete",
        "webhooks": "/webhooks",
        "webhook-new": "/webhooks/new",
        "webhook": f"/webhooks/{endpoint['id']}",
        "webhook-edit": f"/webhooks/{endpoint['id']}/edit",
        "webhook-secret": f"/webhooks/{endpoint['id']}/rotate-secret",
        "webhook-delete": f"/webhooks/{endpoint['id']}/delete",
        "deliveries": "/webhooks/deliveries",
        "delivery": f"/webhooks/deliveries/{delivery['id']}",
        "billing": "/billing",
        "billing-settings": "/billing/settings",
        "statements": "/billing/statements",
        "statement": f"/billing/statements/{month}/customer-123",
        "audit": "/audit",
        "access-control": "/access-control",
        "playground": "/playground",
        "security": "/security",
        "members": "/settings/members",
        "member": f"/settings/members/{vera['id']}",
        "member-remove": f"/settings/members/{vera['id']}/remove",
        "profile": "/settings/profile",
        "password": "/settings/profile/password",
    }


class _Maker:
    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def of(self, path: str, **body: object) -> dict[str, str]:
        answer = self._client.post(path, json=body)
        assert answer.is_success, f"{path}: {answer.text}"
        made: dict[str, str] = answer.json()
        return made


def _ask(server: Server, key: str) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "How far is the moon?"}]}
    httpx.post(
        f"{server.base_url}/chat/completions",
        json=body,
        headers={"authorization": f"Bearer {key}"},
        timeout=60,
    )


def _shipped(client: httpx.Client) -> str:
    """The month, once the requests are in the store."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        summary = client.get("/billing/summary").json()
        if summary["totals"]["requests"] >= 24 or time.monotonic() > deadline:
            month: str = summary["month"]
            return month
        time.sleep(0.2)


def _in_days(days: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + days * 86_400))
