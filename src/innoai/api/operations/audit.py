"""/v1/audit: the audit log."""

from __future__ import annotations

from innoai.api import audit
from innoai.api.operations.customers import SHOWN_CUSTOMER
from innoai.api.operations.operation import KEY_ID, Body, Operation
from innoai.api.wire import JSON

_HASH = "3c9683017f9e4bf33d0fbedd26bf143fd72de9b9dd145441b75f0604047ea28e"
_ENTRY = {
    "id": "aud_0UySTdUKC4uR8YpLwGxE7B",
    "object": "audit_entry",
    "sequence": 1,
    "at": "2026-11-24T22:07:02.123Z",
    "actor": {"kind": "key", "id": KEY_ID, "key_id": KEY_ID, "customer_id": None},
    "action": "customer.created",
    "target_id": SHOWN_CUSTOMER["id"],
    "address": "198.51.100.7",
    "request_id": "req_0UySTdUKAbcdefghijklmn",
    "before": None,
    "after": SHOWN_CUSTOMER,
    "previous_hash": "0" * 64,
    "hash": _HASH,
}

AUDIT: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/audit",
        "list_audit_entries",
        "audit",
        "Show what was done in the account, newest first, or export it as JSON lines",
        Body(
            {JSON: audit.AuditPage, audit.JSONL: str},
            {
                "object": "list",
                "data": [_ENTRY],
                "next_cursor": None,
                "head": {"sequence": 1, "hash": _HASH},
            },
        ),
        query=audit.AuditQuery,
        query_example={"action": "customer.created", "limit": 20},
    ),
)
