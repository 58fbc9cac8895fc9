"""/v1/keys: API keys."""

from __future__ import annotations

from innoai.api import keys, leaks, objects
from innoai.api.operations.operation import SECRET, Operation, json
from innoai.events.types import KEY

_NEW_KEY = {**KEY, "key": SECRET}
_USED_KEY = {**KEY, "requests_this_month": 1204}
_SUCCESSOR = {**_NEW_KEY, "rotated_from": "key_0UySTbGq5kXuPn3WLe7o1R"}

KEYS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/keys",
        "create_key",
        "keys",
        "Create an API key; the answer alone shows it",
        json(keys.NewKey, _NEW_KEY),
        status=201,
        body=json(
            keys.CreateKey,
            {
                "name": "Production",
                "scopes": ["inference:read", "inference:write"],
                "allowed_ips": ["203.0.113.0/24"],
                "rate_limit": 1000,
            },
        ),
        errors=("conflict", "not_found"),
        idempotent=True,
    ),
    Operation(
        "GET",
        "/v1/keys",
        "list_keys",
        "keys",
        "List the account's keys, newest first",
        json(keys.KeyPage, {"object": "list", "data": [_USED_KEY], "next_cursor": None}),
        query=keys.KeyQuery,
        query_example={"limit": 20, "status": "active"},
    ),
    Operation("GET", "/v1/keys/{key_id}", "get_key", "keys", "Show one key", json(keys.UsedKey, _USED_KEY)),
    Operation(
        "PATCH",
        "/v1/keys/{key_id}",
        "change_key",
        "keys",
        "Change a key, and with it every token minted from it",
        json(objects.Key, {**KEY, "rate_limit": 500}),
        body=json(keys.ChangeKey, {"rate_limit": 500, "allowed_ips": ["203.0.113.0/24"]}),
        errors=("conflict",),
    ),
    Operation(
        "DELETE",
        "/v1/keys/{key_id}",
        "revoke_key",
        "keys",
        "Revoke a key for good; it stays listed as revoked",
        None,
        status=204,
    ),
    Operation(
        "POST",
        "/v1/keys/{key_id}/rotate",
        "rotate_key",
        "keys",
        "Make a successor with the same rights; the old key expires after the overlap",
        json(keys.NewKey, _SUCCESSOR),
        status=201,
        body=json(keys.RotateKey, {"overlap": 86400}, required=False),
        errors=("conflict",),
        idempotent=True,
    ),
    Operation(
        "POST",
        "/v1/keys/leaks",
        "report_leak",
        "keys",
        "Find the account's keys in a text, put on record that they leaked, and revoke them if wanted",
        json(leaks.LeakReport, {"object": "leak_report", "keys": [KEY], "others": 0}),
        body=json(
            leaks.ReportLeak,
            {"text": f"curl -H 'Authorization: Bearer {SECRET}'", "source": "build log", "revoke": True},
        ),
    ),
)
