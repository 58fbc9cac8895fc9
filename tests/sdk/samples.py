"""Answers of the contract, for the scripted peer."""

from __future__ import annotations

from typing import Any

API_KEY: dict[str, Any] = {
    "id": "key_1",
    "object": "api_key",
    "name": "Production V2",
    "prefix": "sk-inno-",
    "last4": "wxyz",
    "scopes": ["inference:read"],
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
NEW_KEY = {**API_KEY, "key": "sk-inno-shown-once"}
CUSTOMER: dict[str, Any] = {
    "id": "cus_1",
    "object": "customer",
    "customer_id": "customer-123",
    "name": None,
    "metadata": {"plan": "gold"},
    "disabled": False,
    "created_at": "2026-11-24T22:07:02Z",
    "updated_at": "2026-11-24T22:07:02Z",
}
VALIDATION = {
    "valid": True,
    "key_id": "key_1",
    "scopes": ["inference:read", "inference:write"],
    "rate_limit": 1000,
    "tier": "startup",
}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "inno-ai-boyong-4.5",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}},
    ],
}
CHUNKS = b"".join(
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}\n\n' % word
    for word in (b"Hel", b"lo")
)
STREAM = CHUNKS + b"data: [DONE]\n\n"
MATRIX = {
    "object": "list",
    "data": [
        {
            "name": "startup",
            "default_rate_limit": 1000,
            "max_rate_limit": None,
            "max_keys": 100,
            "max_customers": None,
            "max_endpoints": None,
            "models": None,
            "max_token_lifetime": 86400,
            "features": ["webhooks"],
        }
    ],
    "scopes": [{"name": "inference:read", "description": "Access inference endpoints"}],
    "levels": [{"name": "read", "scopes": ["inference:read"]}],
    "routes": [{"method": "GET", "path": "/v1/models", "scope": "inference:read"}],
}


def tokens(number: int = 1, expires_in: int = 3600, refresh_token: str = "refresh-1") -> dict[str, Any]:
    return {
        "access_token": f"access-{number}",
        "token_type": "Bearer",
        "expires_in": expires_in,
        "refresh_token": refresh_token,
    }
