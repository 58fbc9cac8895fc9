"""The types of events, as one table: what the data of each holds, with an example."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Amount = Annotated[str, Meta(description="decimal text in the account's currency")]
Instant = Annotated[str, Meta(description="an RFC 3339 instant in UTC")]


class EventType(NamedTuple):
    """A row: what happened, the shape of `data`, and an example of it."""

    description: str
    data: type[msgspec.Struct]
    example: Mapping[str, Any]


class BudgetsData(msgspec.Struct, frozen=True, kw_only=True):
    """What may be spent in a calendar month (UTC), and altogether; null is no bound."""

    monthly: Amount | None
    total: Amount | None


class KeyData(msgspec.Struct, frozen=True, kw_only=True):
    """The key, as GET /v1/keys/{key_id} shows it."""

    id: str
    object: str
    name: str
    prefix: str
    last4: str
    scopes: list[str]
    level: str | None
    allowed_ips: list[str]
    rate_limit: int
    models: list[str] | None
    customer_id: str | None
    budgets: BudgetsData
    status: str
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Instant | None
    rotated_from: str | None
    rotated_to: str | None


class RotatedKeyData(msgspec.Struct, frozen=True, kw_only=True):
    """The old key, which lives on until `expires_at`, and its successor."""

    key: KeyData
    successor: KeyData


class CustomerData(msgspec.Struct, frozen=True, kw_only=True):
    """The customer, as GET /v1/customers/{customer_id} shows it."""

    id: str
    object: str
    customer_id: str
    name: str | None
    metadata: dict[str, str]
    rate_limit: int | None
    budgets: BudgetsData
    disabled: bool
    created_at: Instant
    updated_at: Instant


class ReuseData(msgspec.Struct, frozen=True, kw_only=True):
    """A refresh token that had been used came again, so its whole family was revoked."""

    key_id: str
    customer_id: str | None
    family_id: str


class BudgetData(msgspec.Struct, frozen=True, kw_only=True):
    """A budget and how far it is used. `subject_id`: the account's, the customer's or the key's id."""

    subject_id: str
    customer_id: str | None
    period: str
    budget: Amount
    spent: Amount
    currency: str


class ThresholdData(BudgetData, frozen=True, kw_only=True):
    """The same, with the percentage that was reached."""

    threshold: int


class BurstData(msgspec.Struct, frozen=True, kw_only=True):
    """So many failed authentications from one address that it is refused for a while."""

    address: str | None
    key_id: str | None
    limit: Annotated[int, Meta(description="failures a minute that an address may have")]


class EndpointData(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoint, and why it was disabled: `gone` (it answered 410) or `failing` (for five days)."""

    id: str
    url: str
    because: str
    failing_since: Instant | None


class TierData(msgspec.Struct, frozen=True, kw_only=True):
    """The tier that the account was on, and the one that it is on."""

    before: str
    after: str


class TestData(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing happened: somebody wanted to see a delivery."""

    endpoint_id: str
    message: str


KEY: Mapping[str, Any] = {
    "id": "key_0UySTdUK83VqVcDhBZJZlb",
    "object": "api_key",
    "name": "Production",
    "prefix": "sk-inno-",
    "last4": "0hJx",
    "scopes": ["inference:read", "inference:write"],
    "level": None,
    "allowed_ips": ["203.0.113.0/24"],
    "rate_limit": 1000,
    "models": None,
    "customer_id": None,
    "budgets": {"monthly": None, "total": None},
    "status": "active",
    "created_at": "2026-11-24T22:07:02Z",
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": None,
    "rotated_from": None,
    "rotated_to": None,
}
"""A key as the API shows it, for examples."""

_SUCCESSOR = {**KEY, "id": "key_0UySTbGq5kXuPn3WLe7o1R", "last4": "R7t9", "rotated_from": KEY["id"]}
CUSTOMER: Mapping[str, Any] = {
    "id": "cus_0UySTdUK9wD4TzX6GnRb2Y",
    "object": "customer",
    "customer_id": "customer-123",
    "name": "Acme",
    "metadata": {"plan": "gold"},
    "rate_limit": None,
    "budgets": {"monthly": "20", "total": None},
    "disabled": False,
    "created_at": "2026-11-24T22:07:02Z",
    "updated_at": "2026-11-24T22:07:02Z",
}
"""A customer as the API shows it, for examples."""

_BUDGET: Mapping[str, Any] = {
    "subject_id": "cus_0UySTdUK9wD4TzX6GnRb2Y",
    "customer_id": "customer-123",
    "period": "2026-11",
    "budget": "20",
    "spent": "16.0375",
    "currency": "USD",
}

EVENT_TYPES: Mapping[str, EventType] = MappingProxyType(
    {
        "key.created": EventType("An API key was made.", KeyData, KEY),
        "key.updated": EventType("An API key was changed.", KeyData, {**KEY, "rate_limit": 500}),
        "key.rotated": EventType(
            "An API key got a successor.",
            RotatedKeyData,
            {
                "key": {**KEY, "expires_at": "2026-11-25T22:07:02Z", "rotated_to": _SUCCESSOR["id"]},
                "successor": _SUCCESSOR,
            },
        ),
        "key.revoked": EventType(
            "An API key was revoked, with every token minted from it.",
            KeyData,
            {**KEY, "status": "revoked", "revoked_at": "2026-11-24T23:00:00Z"},
        ),
        "key.expiring": EventType(
            "An API key expires within seven days.", KeyData, {**KEY, "expires_at": "2026-12-01T00:00:00Z"}
        ),
        "token.reuse_detected": EventType(
            "A rotating refresh token was used twice; its family is revoked.",
            ReuseData,
            {
                "key_id": KEY["id"],
                "customer_id": "customer-123",
                "family_id": "fam_0UySTdUKA1fM8QyJxWvC4Z",
            },
        ),
        "customer.created": EventType("A customer was created.", CustomerData, CUSTOMER),
        "customer.updated": EventType(
            "A customer was changed, disabled or enabled.", CustomerData, {**CUSTOMER, "disabled": True}
        ),
        "customer.deleted": EventType("A customer was deleted.", CustomerData, CUSTOMER),
        "billing.threshold_reached": EventType(
            "Spending reached a threshold of a budget; sent once a period and threshold.",
            ThresholdData,
            {**_BUDGET, "threshold": 80},
        ),
        "billing.budget_exhausted": EventType(
            "A budget is used up, and requests are refused; sent once a period.",
            BudgetData,
            {**_BUDGET, "spent": "20"},
        ),
        "auth.failed_burst": EventType(
            "Authentication failed so often from one address that it is refused for a while.",
            BurstData,
            {"address": "198.51.100.7", "key_id": None, "limit": 300},
        ),
        "webhook.endpoint_disabled": EventType(
            "An endpoint was disabled, since it is gone or failed for five days.",
            EndpointData,
            {
                "id": "whe_0UySTdUKB7kQ2LmZpXyD5A",
                "url": "https://example.com/webhooks",
                "because": "failing",
                "failing_since": "2026-11-19T22:07:02Z",
            },
        ),
        "webhook.test": EventType(
            "Somebody asked for a test delivery.",
            TestData,
            {"endpoint_id": "whe_0UySTdUKB7kQ2LmZpXyD5A", "message": "This is a test."},
        ),
        "tier.changed": EventType(
            "The operator moved the account to another tier.",
            TierData,
            {"before": "free", "after": "startup"},
        ),
    }
)

PATTERNS: tuple[str, ...] = (
    "*",
    *dict.fromkeys(f"{name.partition('.')[0]}.*" for name in EVENT_TYPES),
    *EVENT_TYPES,
)
"""How event types can be named: all of them, those of one subject, or one."""


def instant(seconds: float) -> str:
    """An instant, given in Unix seconds, as events write it."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def wants(patterns: Iterable[str], type_name: str) -> bool:
    """Whether one of the patterns names the type: `key.created`, `key.*` or `*`."""
    return any(
        type_name.startswith(pattern[:-1]) if pattern.endswith("*") else pattern == type_name
        for pattern in patterns
    )
