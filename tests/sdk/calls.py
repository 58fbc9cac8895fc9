"""Every call that sends one request and gets one object, as a table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from innoai.api.operations.activity import ACTIVITY
from tests.sdk.peer import Answer
from tests.sdk.samples import API_KEY, CUSTOMER, MATRIX, NEW_KEY, VALIDATION, tokens
from tests.support.samples import (
    DELIVERED,
    DELIVERY,
    ENDPOINT,
    INVITED,
    MEMBER,
    NEW_ENDPOINT,
    SETTINGS,
    SUMMARY,
    WHOLE_STATEMENT,
)

NOTHING = Answer(status=204)
KEY_ACTIVITY, KEY_ADVICE, KEY_PREVIEW = (
    operation.answer.example for operation in ACTIVITY[:3] if operation.answer is not None
)
EXPLANATION = {
    "allowed": False,
    "code": "ip_not_allowed",
    "message": "No.",
    "checks": [{"name": "network", "outcome": "refused", "detail": "203.0.113.9"}],
}

Made = Callable[[Any], Any]

CALLS: list[tuple[str, Made, str, Any, Answer]] = [
    (
        "auth.token",
        lambda c: c.auth.token(customer_id="customer-123", scopes=["inference:read"], expires_in=3600),
        "POST /v1/auth/token",
        {"customer_id": "customer-123", "scopes": ["inference:read"], "expires_in": 3600},
        Answer(tokens()),
    ),
    ("auth.token plain", lambda c: c.auth.token(), "POST /v1/auth/token", {}, Answer(tokens())),
    (
        "auth.token rotating",
        lambda c: c.auth.token(rotate=True),
        "POST /v1/auth/token",
        {"rotate": True},
        Answer(tokens()),
    ),
    (
        "auth.refresh",
        lambda c: c.auth.refresh("refresh-1"),
        "POST /v1/auth/refresh",
        {"refresh_token": "refresh-1"},
        Answer(tokens()),
    ),
    ("auth.validate", lambda c: c.auth.validate(), "GET /v1/auth/validate", None, Answer(VALIDATION)),
    (
        "auth.revoke",
        lambda c: c.auth.revoke("access-1"),
        "POST /v1/auth/revoke",
        {"token": "access-1"},
        Answer({}),
    ),
    (
        "auth.introspect",
        lambda c: c.auth.introspect("access-1"),
        "POST /v1/auth/introspect",
        {"token": "access-1"},
        Answer({"active": False}),
    ),
    (
        "auth.explain",
        lambda c: c.auth.explain(key="key_1", method="POST", path="/v1/keys", ip="203.0.113.9"),
        "POST /v1/auth/explain",
        {"key": "key_1", "method": "POST", "path": "/v1/keys", "ip": "203.0.113.9"},
        Answer(EXPLANATION),
    ),
    (
        "keys.create",
        lambda c: c.keys.create(
            name="Production Backend",
            scopes=["inference:read"],
            allowed_ips=["192.168.1.0/24", "10.0.0.0/8"],
            rate_limit=1000,
        ),
        "POST /v1/keys",
        {
            "name": "Production Backend",
            "scopes": ["inference:read"],
            "allowed_ips": ["192.168.1.0/24", "10.0.0.0/8"],
            "rate_limit": 1000,
        },
        Answer(NEW_KEY, 201),
    ),
    (
        "keys.create with a level",
        lambda c: c.keys.create(
            "Reader", level="read", models=("m",), customer_id="c", expires_at="2027-01-01T00:00:00Z"
        ),
        "POST /v1/keys",
        {
            "name": "Reader",
            "level": "read",
            "models": ["m"],
            "customer_id": "c",
            "expires_at": "2027-01-01T00:00:00Z",
        },
        Answer(NEW_KEY, 201),
    ),
    ("keys.get", lambda c: c.keys.get("key_1"), "GET /v1/keys/key_1", None, Answer(API_KEY)),
    (
        "keys.update",
        lambda c: c.keys.update("key_1", name="New", expires_at=None, models=None),
        "PATCH /v1/keys/key_1",
        {"name": "New", "expires_at": None, "models": None},
        Answer(API_KEY),
    ),
    (
        "keys.rotate",
        lambda c: c.keys.rotate("key_1", overlap=0, name="V3"),
        "POST /v1/keys/key_1/rotate",
        {"overlap": 0, "name": "V3"},
        Answer({**NEW_KEY, "rotated_from": "key_1"}, 201),
    ),
    (
        "keys.activity",
        lambda c: c.keys.activity("key_1", from_=date(2026, 11, 1), to="2026-11-08"),
        "GET /v1/keys/key_1/activity",
        None,
        Answer(KEY_ACTIVITY),
    ),
    (
        "keys.advice",
        lambda c: c.keys.advice("key_1", days=7),
        "GET /v1/keys/key_1/advice",
        None,
        Answer(KEY_ADVICE),
    ),
    (
        "keys.preview",
        lambda c: c.keys.preview("key_1", scopes=["inference:read"], models=None, days=7),
        "POST /v1/keys/key_1/preview",
        {"scopes": ["inference:read"], "models": None, "days": 7},
        Answer(KEY_PREVIEW),
    ),
    ("keys.revoke", lambda c: c.keys.revoke("key_1"), "DELETE /v1/keys/key_1", None, NOTHING),
    (
        "customers.create",
        lambda c: c.customers.create(customer_id="customer-123", metadata=MappingProxyType({"plan": "gold"})),
        "POST /v1/customers",
        {"customer_id": "customer-123", "metadata": {"plan": "gold"}},
        Answer(CUSTOMER, 201),
    ),
    (
        "customers.get",
        lambda c: c.customers.get("customer-123"),
        "GET /v1/customers/customer-123",
        None,
        Answer(CUSTOMER),
    ),
    (
        "customers.update",
        lambda c: c.customers.update("customer-123", name=None, disabled=True),
        "PATCH /v1/customers/customer-123",
        {"name": None, "disabled": True},
        Answer(CUSTOMER),
    ),
    (
        "customers.delete",
        lambda c: c.customers.delete("customer-123"),
        "DELETE /v1/customers/customer-123",
        None,
        NOTHING,
    ),
    ("tiers", lambda c: c.tiers(), "GET /v1/tiers", None, Answer(MATRIX)),
    (
        "keys.create with budgets",
        lambda c: c.keys.create("V2", budgets={"monthly": Decimal("1E-9"), "total": 20}),
        "POST /v1/keys",
        {"name": "V2", "budgets": {"monthly": "0.000000001", "total": "20"}},
        Answer(NEW_KEY, 201),
    ),
    (
        "keys.update of a budget",
        lambda c: c.keys.update("key_1", budgets={"monthly": None}),
        "PATCH /v1/keys/key_1",
        {"budgets": {"monthly": None}},
        Answer(API_KEY),
    ),
    (
        "customers.create with bounds",
        lambda c: c.customers.create("c", rate_limit=60, budgets={"monthly": "0.50"}),
        "POST /v1/customers",
        {"customer_id": "c", "rate_limit": 60, "budgets": {"monthly": "0.50"}},
        Answer(CUSTOMER, 201),
    ),
    (
        "customers.update without bounds",
        lambda c: c.customers.update("c", rate_limit=None, budgets={"total": None}),
        "PATCH /v1/customers/c",
        {"rate_limit": None, "budgets": {"total": None}},
        Answer(CUSTOMER),
    ),
    ("billing.summary", lambda c: c.billing.summary(), "GET /v1/billing/summary", None, Answer(SUMMARY)),
    ("billing.settings", lambda c: c.billing.settings(), "GET /v1/billing/settings", None, Answer(SETTINGS)),
    (
        "billing.update_settings",
        lambda c: c.billing.update_settings(
            currency="PHP", budgets={"monthly": "20", "total": None}, alert_thresholds=(50,)
        ),
        "PATCH /v1/billing/settings",
        {"currency": "PHP", "budgets": {"monthly": "20", "total": None}, "alert_thresholds": [50]},
        Answer(SETTINGS),
    ),
    (
        "billing.statement",
        lambda c: c.billing.statement("2026-10", "a/b"),
        "GET /v1/billing/statements/2026-10/a%2Fb",
        None,
        Answer(WHOLE_STATEMENT),
    ),
    (
        "webhooks.create",
        lambda c: c.webhooks.create(
            "https://example.com/webhooks",
            event_types=("key.*",),
            description="Keys",
            headers=MappingProxyType({"x-token": "t"}),
            disabled=True,
        ),
        "POST /v1/webhooks",
        {
            "url": "https://example.com/webhooks",
            "event_types": ["key.*"],
            "description": "Keys",
            "headers": {"x-token": "t"},
            "disabled": True,
        },
        Answer(NEW_ENDPOINT, 201),
    ),
    ("webhooks.get", lambda c: c.webhooks.get("whe_1"), "GET /v1/webhooks/whe_1", None, Answer(ENDPOINT)),
    (
        "webhooks.update",
        lambda c: c.webhooks.update("whe_1", description=None, headers={}, disabled=False),
        "PATCH /v1/webhooks/whe_1",
        {"description": None, "headers": {}, "disabled": False},
        Answer(ENDPOINT),
    ),
    (
        "webhooks.delete",
        lambda c: c.webhooks.delete("whe_1"),
        "DELETE /v1/webhooks/whe_1",
        None,
        NOTHING,
    ),
    (
        "webhooks.rotate_secret",
        lambda c: c.webhooks.rotate_secret("whe_1", overlap=0),
        "POST /v1/webhooks/whe_1/rotate-secret",
        {"overlap": 0},
        Answer(NEW_ENDPOINT),
    ),
    (
        "webhooks.test",
        lambda c: c.webhooks.test("whe_1"),
        "POST /v1/webhooks/whe_1/test",
        None,
        Answer(DELIVERY, 202),
    ),
    (
        "webhooks.replay",
        lambda c: c.webhooks.replay("whe_1", date(2026, 11, 1)),
        "POST /v1/webhooks/whe_1/replay",
        {"since": "2026-11-01T00:00:00Z"},
        Answer({"object": "replay", "count": 3}, 202),
    ),
    (
        "webhooks.delivery",
        lambda c: c.webhooks.delivery("dlv_1"),
        "GET /v1/webhooks/deliveries/dlv_1",
        None,
        Answer(DELIVERED),
    ),
    (
        "webhooks.replay_delivery",
        lambda c: c.webhooks.replay_delivery("dlv_1"),
        "POST /v1/webhooks/deliveries/dlv_1/replay",
        None,
        Answer(DELIVERY, 202),
    ),
    (
        "members.create",
        lambda c: c.members.create("ana@example.com", role="viewer", name="Ana"),
        "POST /v1/members",
        {"email": "ana@example.com", "role": "viewer", "name": "Ana"},
        Answer(INVITED, 201),
    ),
    ("members.get", lambda c: c.members.get("mem_1"), "GET /v1/members/mem_1", None, Answer(MEMBER)),
    (
        "members.update",
        lambda c: c.members.update("mem_1", role="owner", name=None),
        "PATCH /v1/members/mem_1",
        {"role": "owner", "name": None},
        Answer(MEMBER),
    ),
    ("members.delete", lambda c: c.members.delete("mem_1"), "DELETE /v1/members/mem_1", None, NOTHING),
]
