"""What keys did and could do without, and the account's requests as they happen."""

from __future__ import annotations

from typing import Any

from innoai.api import activity, requests
from innoai.api.operations.operation import EVENT_STREAM, KEY_ID, MODEL, NOW, Body, Operation, json

_CHAT = {"method": "POST", "path": "/v1/chat/completions"}
_HOME = "203.0.113.7"
_COUNTS = {"allowed": 40, "refused": 2, "last_at": NOW}
_REFUSAL: dict[str, Any] = {
    "code": "ip_not_allowed",
    "message": "Your address is not among the networks that this key may be used from.",
    **_CHAT,
    "required_scope": "inference:write",
    "address": "198.51.100.9",
    "model": MODEL,
    "requests": 2,
    "last_at": NOW,
}
_ACTIVITY = {
    "object": "key_activity",
    "key_id": KEY_ID,
    "from": "2026-11-17T22:00:00Z",
    "to": "2026-11-24T23:00:00Z",
    "kept_days": 30,
    "allowed": 40,
    "refused": 2,
    "peak_minute": 12,
    "hours": [{"hour": "2026-11-24T22:00:00Z", "allowed": 40, "refused": 2}],
    "routes": [{**_CHAT, "scope": "inference:write", "required_scope": None, **_COUNTS}],
    "addresses": [{"address": _HOME, **_COUNTS}],
    "models": [{"model": MODEL, **_COUNTS}],
    "refusals": [_REFUSAL],
}
_CHANGE = {"scopes": ["inference:write"], "allowed_ips": [f"{_HOME}/32"], "models": [MODEL], "rate_limit": 18}
_ADVICE = {
    "object": "key_advice",
    "key_id": KEY_ID,
    "days": 30,
    "kept_days": 30,
    "requests": 40,
    "last_at": NOW,
    "scopes": {
        "verdict": "narrow",
        "used": ["inference:write"],
        "unused": ["inference:read"],
        "advised": ["inference:write"],
    },
    "allowed_ips": {"verdict": "narrow", "used": [f"{_HOME}/32"], "unused": [], "advised": [f"{_HOME}/32"]},
    "models": {"verdict": "narrow", "used": [MODEL], "unused": [], "advised": [MODEL]},
    "rate_limit": {"verdict": "narrow", "current": 1000, "peak_minute": 12, "advised": 18},
    "change": _CHANGE,
    "would_refuse": 0,
}
_PREVIEW = {
    "object": "key_preview",
    "key_id": KEY_ID,
    "days": 30,
    "kept_days": 30,
    "requests": 40,
    "refused": 3,
    "let_in": 0,
    "uncertain": 0,
    "outdated": 0,
    "reasons": [
        {
            "code": "insufficient_permissions",
            "check": "scope",
            "message": "Your API key does not have permission to perform this action.",
            "required_scope": "inference:read",
            "requests": 3,
            "examples": [
                {
                    "method": "GET",
                    "path": "/v1/models",
                    "address": _HOME,
                    "model": None,
                    "requests": 3,
                    "last_at": NOW,
                }
            ],
        }
    ],
    "admissions": [],
    "rate": {"limit": 100, "peak_minute": 12, "hours_above": 0},
}
_DECIDED = {
    "object": "decided_request",
    "request_id": "req_0UySTdUKAbcdefghijklmn",
    "at": NOW,
    "key_id": KEY_ID,
    "customer_id": None,
    "bearer": "key",
    **_CHAT,
    "address": "198.51.100.9",
    "model": MODEL,
    "allowed": False,
    "code": "ip_not_allowed",
    "message": "Your address is not among the networks that this key may be used from.",
    "checks": [
        {"name": "credential", "outcome": "passed", "detail": "the credential is well-formed"},
        {"name": "standing", "outcome": "passed", "detail": "the key is live and does not expire"},
        {"name": "tenancy", "outcome": "passed", "detail": "the account is alive"},
        {
            "name": "network",
            "outcome": "refused",
            "detail": "Your address is not among the networks that this key may be used from.",
        },
        {"name": "scope", "outcome": "not_reached", "detail": ""},
        {"name": "model", "outcome": "not_reached", "detail": ""},
        {"name": "budget", "outcome": "not_reached", "detail": ""},
        {"name": "rate", "outcome": "not_reached", "detail": ""},
    ],
}

ACTIVITY: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/keys/{key_id}/activity",
        "show_key_activity",
        "keys",
        "Say what a key did: by hour, route, address and model, and what it was refused",
        json(activity.KeyActivity, _ACTIVITY),
        query=activity.ActivityQuery,
        query_example={"from": "2026-11-17", "to": "2026-11-25"},
    ),
    Operation(
        "GET",
        "/v1/keys/{key_id}/advice",
        "advise_key",
        "keys",
        "Say what could be taken away from a key without refusing anything that it did",
        json(activity.KeyAdvice, _ADVICE),
        query=activity.AdviceQuery,
        query_example={"days": 30},
    ),
    Operation(
        "POST",
        "/v1/keys/{key_id}/preview",
        "preview_key_change",
        "keys",
        "Say what a change to a key would have refused, without making it",
        json(activity.KeyPreview, _PREVIEW),
        body=json(activity.PreviewKey, {"scopes": ["inference:write"], "rate_limit": 100, "days": 30}),
    ),
    Operation(
        "GET",
        "/v1/requests/stream",
        "stream_requests",
        "requests",
        "Stream the account's requests as this server process decides and finishes them",
        Body({EVENT_STREAM: str}, ": requests follow as this server process decides them\n\n"),
        errors=("conflict",),
        query=requests.StreamQuery,
        query_example={"key_id": KEY_ID, "only": "refused"},
    ),
    Operation(
        "GET",
        "/v1/requests/refusals",
        "list_refusals",
        "requests",
        "List the last refusals of this server process, newest first, with the checks that led to them",
        json(requests.RefusalPage, {"object": "list", "data": [_DECIDED], "next_cursor": None}),
        query=requests.RefusalQuery,
        query_example={"limit": 20},
    ),
)
