"""Objects as the contract's server sends them."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

from innoai.access.keys import mint

SECRET = mint(bytes(range(32)))

KEY: dict[str, Any] = {
    "id": "key_abc123",
    "object": "api_key",
    "name": "Production V2",
    "prefix": "sk-inno-",
    "last4": "Zk9Q",
    "scopes": ["inference:read", "inference:write"],
    "level": None,
    "allowed_ips": ["10.0.0.0/8"],
    "rate_limit": 1000,
    "models": None,
    "customer_id": None,
    "status": "active",
    "created_at": "2026-11-24T22:07:02Z",
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": None,
    "rotated_from": None,
    "rotated_to": None,
}
NEW_KEY = {**KEY, "key": SECRET}

CUSTOMER: dict[str, Any] = {
    "id": "cus_1",
    "object": "customer",
    "customer_id": "customer-123",
    "name": "Niño & Söhne",
    "metadata": {"plan": "gold"},
    "disabled": False,
    "created_at": "2026-11-24T22:07:02Z",
    "updated_at": "2026-11-24T22:07:02Z",
}

ACCESS_TOKEN = ".".join(
    urlsafe_b64encode(part).rstrip(b"=").decode()
    for part in (b'{"alg":"HS256","typ":"JWT"}', b'{"sub":"key_abc123","token_use":"access"}', bytes(32))
)
TOKEN = {
    "access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + "a" * 400 + ".signature",
    "token_type": "Bearer",
    "expires_in": 3600,
    "refresh_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + "b" * 400 + ".signature",
}

VALIDATION = {
    "valid": True,
    "key_id": "key_abc123",
    "scopes": ["inference:read", "inference:write"],
    "rate_limit": 1000,
    "tier": "startup",
}

EXPLANATION: dict[str, Any] = {
    "allowed": False,
    "code": "ip_not_allowed",
    "message": "Not from there.",
    "checks": [
        {"name": "credential", "outcome": "passed", "detail": "well-formed key"},
        {"name": "network", "outcome": "refused", "detail": "203.0.113.9 is in none of the networks"},
        {"name": "scope", "outcome": "not_reached", "detail": "needs inference:write"},
    ],
}

MATRIX: dict[str, Any] = {
    "object": "list",
    "data": [
        {
            "name": "startup",
            "default_rate_limit": 1000,
            "max_rate_limit": None,
            "max_keys": 20,
            "max_customers": None,
            "max_endpoints": 3,
            "models": None,
            "max_token_lifetime": 86400,
            "features": ["webhooks"],
        }
    ],
    "scopes": [{"name": "admin:full", "description": "Full administrative access"}],
    "levels": [{"name": "read", "scopes": ["inference:read"]}],
    "routes": [{"method": "GET", "path": "/v1/models", "scope": "inference:read"}],
}


def page(*members: dict[str, Any], next_cursor: str | None = None) -> dict[str, Any]:
    return {"object": "list", "data": list(members), "next_cursor": next_cursor}
