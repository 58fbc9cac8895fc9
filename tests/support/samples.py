"""Objects of billing, webhooks, audit and members as the contract's server sends them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

AT = "2026-11-24T22:07:02Z"
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

USAGE_RECORD: dict[str, Any] = {
    "object": "usage_record",
    "request_id": "req_1",
    "at": "2026-11-24T22:07:02.250000Z",
    "account_id": "acc_1",
    "key_id": "key_1",
    "customer_id": "customer-123",
    "route": "/v1/chat/completions",
    "model": "inno-ai-boyong-4.5",
    "upstream": "http://127.0.0.1:9000/v1",
    "status": 200,
    "outcome": "completed",
    "prompt_tokens": 10,
    "cached_tokens": 0,
    "completion_tokens": 5,
    "cost": "0.000000001",
    "estimated": False,
    "duration_ms": 12,
    "time_to_first_token_ms": 3,
}
TOTALS: dict[str, Any] = {
    "requests": 2,
    "failures": 1,
    "prompt_tokens": 10,
    "cached_tokens": 0,
    "completion_tokens": 5,
    "cost": "0.0125",
}
BUCKET: dict[str, Any] = {
    "object": "usage_bucket",
    "day": "2026-11-24",
    "model": "inno-ai-boyong-4.5",
    **TOTALS,
}
SUMMARY: dict[str, Any] = {
    "object": "billing_summary",
    "month": "2026-11",
    "currency": "USD",
    "totals": TOTALS,
    "models": [{"model": "inno-ai-boyong-4.5", **TOTALS}],
    "budgets": [
        {
            "subject_id": "acc_1",
            "customer_id": None,
            "key_id": None,
            "period": "2026-11",
            "budget": "20",
            "spent": "19.5",
            "held": "0.6",
            "remaining": "-0.1",
        }
    ],
}
SETTINGS: dict[str, Any] = {
    "object": "billing_settings",
    "currency": "USD",
    "currencies": ["USD", "PHP"],
    "budgets": {"monthly": "20", "total": None},
    "alert_thresholds": [80, 100],
}
STATEMENT: dict[str, Any] = {
    "object": "statement",
    "customer_id": "customer-123",
    "month": "2026-10",
    "status": "closed",
    "currency": "USD",
    "requests": 2,
    "prompt_tokens": 10,
    "cached_tokens": 0,
    "completion_tokens": 5,
    "cost": "0.0125",
}
WHOLE_STATEMENT: dict[str, Any] = {
    **STATEMENT,
    "lines": [{"day": "2026-10-31", "model": "inno-ai-boyong-4.5", **TOTALS}],
}
CSV = b"request_id,model,cost\r\nreq_1,'=cmd,0.0125\r\n"

ENDPOINT: dict[str, Any] = {
    "id": "whe_1",
    "object": "webhook_endpoint",
    "url": "https://example.com/webhooks",
    "event_types": ["key.*"],
    "description": None,
    "headers": {"x-token": "[hidden]"},
    "disabled": False,
    "disabled_because": None,
    "failing_since": None,
    "previous_secret_expires_at": None,
    "created_at": AT,
    "updated_at": AT,
}
NEW_ENDPOINT = {**ENDPOINT, "secret": SECRET}
EVENT: dict[str, Any] = {
    "id": "evt_1",
    "object": "event",
    "type": "key.created",
    "created_at": AT,
    "account_id": "acc_1",
    "data": {"id": "key_1", "name": "Niño\u2028"},
}
ATTEMPT: dict[str, Any] = {
    "number": 1,
    "at": AT,
    "duration_ms": 12.25,
    "request_headers": {"webhook-id": "evt_1", "x-token": "[hidden]"},
    "status": 200,
    "response_headers": {"content-type": "text/plain"},
    "response_body": "thanks",
    "error": None,
}
DELIVERY: dict[str, Any] = {
    "id": "dlv_1",
    "object": "delivery",
    "endpoint_id": "whe_1",
    "event_id": "evt_1",
    "event_type": "key.created",
    "state": "pending",
    "attempts": 0,
    "next_attempt_at": AT,
    "created_at": AT,
    "finished_at": None,
}
DELIVERED: dict[str, Any] = {
    **DELIVERY,
    "state": "succeeded",
    "attempts": 1,
    "next_attempt_at": None,
    "finished_at": AT,
    "event": EVENT,
    "log": [ATTEMPT],
}
EVENT_TYPE: dict[str, Any] = {
    "type": "key.created",
    "description": "An API key was made.",
    "schema": {"type": "object"},
    "example": EVENT,
}
MEMBER: dict[str, Any] = {
    "id": "mem_1",
    "object": "member",
    "email": "ana@example.com",
    "name": "Ana",
    "role": "developer",
    "status": "invited",
    "invite_expires_at": AT,
    "created_at": AT,
}
INVITED = {**MEMBER, "invite_url": "http://127.0.0.1:8080/setup?invite=only-once"}


def frame(number: int, type_name: str = "key.created") -> bytes:
    """An event as the stream sends it."""
    body = {**EVENT, "id": f"evt_{number}", "type": type_name}
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return f"id: evt_{number}\nevent: {type_name}\ndata: {text}\n\n".encode()


def audit_log(length: int) -> list[dict[str, Any]]:
    """A whole log, the oldest entry first, hashed as the contract says."""
    entries: list[dict[str, Any]] = []
    previous = "0" * 64
    for sequence in range(1, length + 1):
        entry = {
            "id": f"aud_{sequence}",
            "object": "audit_entry",
            "sequence": sequence,
            "at": "2026-11-24T22:07:02.120Z",
            "actor": {"kind": "key", "id": "key_1", "key_id": "key_1", "customer_id": None},
            "action": "key.created",
            "target_id": f"key_{sequence}",
            "address": "198.51.100.7",
            "request_id": "req_1",
            "before": None,
            "after": {"name": "Niño \u2028 😀", "rate_limit": 1000},
            "previous_hash": previous,
        }
        previous = rehash(entry)["hash"]
        entries.append(rehash(entry))
    return entries


def rehash(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry with the hash that belongs to its content."""
    content = {name: value for name, value in entry.items() if name != "hash"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {**content, "hash": hashlib.sha256(text.encode()).hexdigest()}


def jsonl(entries: list[dict[str, Any]]) -> bytes:
    """The export of those entries."""
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries).encode()
