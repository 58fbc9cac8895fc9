"""/v1/webhooks: endpoints, their deliveries, and the stream of events."""

from __future__ import annotations

from typing import Any

from innoai.api import deliveries, event_stream, webhooks
from innoai.api.operations.operation import DELIVERY_ID, ENDPOINT_ID, EVENT_STREAM, NOW, Body, Operation, json
from innoai.events import catalogue
from innoai.events.types import EVENT_TYPES

_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwC1nZb0TqYxE="
_ENDPOINT: dict[str, Any] = {
    "id": ENDPOINT_ID,
    "object": "webhook_endpoint",
    "url": "https://example.com/webhooks",
    "event_types": ["key.*", "customer.created"],
    "description": "The billing system",
    "headers": {"x-team": "[hidden]"},
    "disabled": False,
    "disabled_because": None,
    "failing_since": None,
    "previous_secret_expires_at": None,
    "created_at": NOW,
    "updated_at": NOW,
}
_EVENT = catalogue.example("webhook.test")
_DELIVERY: dict[str, Any] = {
    "id": DELIVERY_ID,
    "object": "delivery",
    "endpoint_id": ENDPOINT_ID,
    "event_id": _EVENT["id"],
    "event_type": _EVENT["type"],
    "state": "succeeded",
    "attempts": 1,
    "next_attempt_at": None,
    "created_at": NOW,
    "finished_at": NOW,
}
_PENDING = {**_DELIVERY, "state": "pending", "attempts": 0, "next_attempt_at": NOW, "finished_at": None}
_ATTEMPT = {
    "number": 1,
    "at": NOW,
    "duration_ms": 41.7,
    "request_headers": {
        "content-type": "application/json",
        "user-agent": "innoai/0.1.0",
        "webhook-id": _EVENT["id"],
        "webhook-timestamp": "1795558022",
        "webhook-signature": "v1,1Hxr7Yc0kN2yP5m8s3bQvW9eTzUaJdGfLhKoXiRnC4M=",
        "x-innoai-signature": "5c6e3a0b1f27d498c0a1b52e8f9d7c3641e0b7a2958dfc631b04ea97d2c58f10",
        "x-team": "[hidden]",
    },
    "status": 204,
    "response_headers": {"date": "Tue, 24 Nov 2026 22:07:02 GMT"},
    "response_body": "",
    "error": None,
}

WEBHOOKS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/webhooks",
        "create_webhook_endpoint",
        "webhooks",
        "Create a webhook endpoint; the answer alone shows its secret",
        json(webhooks.NewEndpoint, {**_ENDPOINT, "secret": _SECRET}),
        status=201,
        body=json(
            webhooks.CreateEndpoint,
            {
                "url": "https://example.com/webhooks",
                "event_types": ["key.*", "customer.created"],
                "description": "The billing system",
                "headers": {"x-team": "billing"},
            },
        ),
        errors=("conflict",),
        idempotent=True,
    ),
    Operation(
        "GET",
        "/v1/webhooks",
        "list_webhook_endpoints",
        "webhooks",
        "List the account's webhook endpoints, newest first",
        json(webhooks.EndpointPage, {"object": "list", "data": [_ENDPOINT], "next_cursor": None}),
        query=webhooks.EndpointQuery,
        query_example={"limit": 20},
    ),
    Operation(
        "GET",
        "/v1/webhooks/event-types",
        "list_event_types",
        "webhooks",
        "List the types of events, each with its JSON Schema and an example",
        json(
            webhooks.EventTypeList,
            {
                "object": "list",
                "data": [
                    {
                        "type": "key.created",
                        "description": EVENT_TYPES["key.created"].description,
                        "schema": catalogue.schema("key.created"),
                        "example": catalogue.example("key.created"),
                    }
                ],
                "next_cursor": None,
            },
        ),
    ),
    Operation(
        "GET",
        "/v1/webhooks/stream",
        "stream_events",
        "webhooks",
        "Stream the account's events as they happen; Last-Event-ID resumes",
        Body({EVENT_STREAM: str}, ": events follow as they happen\nid: evt_0UySTdUKAr5mXqP9LcWv3H\n\n"),
        errors=("conflict",),
        query=event_stream.StreamQuery,
        query_example={"event_types": "key.*,customer.created"},
    ),
    Operation(
        "GET",
        "/v1/webhooks/deliveries",
        "list_deliveries",
        "webhooks",
        "List deliveries, newest first",
        json(deliveries.DeliveryPage, {"object": "list", "data": [_DELIVERY], "next_cursor": None}),
        query=deliveries.DeliveryQuery,
        query_example={"limit": 20, "state": "failed"},
    ),
    Operation(
        "GET",
        "/v1/webhooks/deliveries/{delivery_id}",
        "get_delivery",
        "webhooks",
        "Show one delivery with its event and the log of its attempts",
        json(deliveries.LoggedDelivery, {**_DELIVERY, "event": _EVENT, "log": [_ATTEMPT]}),
        errors=("not_found",),
    ),
    Operation(
        "POST",
        "/v1/webhooks/deliveries/{delivery_id}/replay",
        "replay_delivery",
        "webhooks",
        "Deliver the same event to the same endpoint once more, with the same webhook-id",
        json(deliveries.Delivery, _PENDING),
        status=202,
        errors=("conflict", "not_found"),
        idempotent=True,
    ),
    Operation(
        "GET",
        "/v1/webhooks/{endpoint_id}",
        "get_webhook_endpoint",
        "webhooks",
        "Show one webhook endpoint",
        json(webhooks.Endpoint, _ENDPOINT),
        errors=("not_found",),
    ),
    Operation(
        "PATCH",
        "/v1/webhooks/{endpoint_id}",
        "change_webhook_endpoint",
        "webhooks",
        "Change a webhook endpoint; enabling it forgets earlier failures",
        json(webhooks.Endpoint, {**_ENDPOINT, "event_types": ["*"]}),
        body=json(webhooks.ChangeEndpoint, {"event_types": ["*"], "disabled": False}),
        errors=("not_found",),
    ),
    Operation(
        "DELETE",
        "/v1/webhooks/{endpoint_id}",
        "delete_webhook_endpoint",
        "webhooks",
        "Delete a webhook endpoint with its deliveries",
        None,
        status=204,
        errors=("not_found",),
    ),
    Operation(
        "POST",
        "/v1/webhooks/{endpoint_id}/rotate-secret",
        "rotate_webhook_secret",
        "webhooks",
        "Give an endpoint a new secret; for the overlap deliveries are signed with both",
        json(
            webhooks.NewEndpoint,
            {**_ENDPOINT, "previous_secret_expires_at": "2026-11-25T22:07:02Z", "secret": _SECRET},
        ),
        body=json(webhooks.RotateSecret, {"overlap": 86400}, required=False),
        errors=("not_found", "conflict"),
        idempotent=True,
    ),
    Operation(
        "POST",
        "/v1/webhooks/{endpoint_id}/test",
        "test_webhook_endpoint",
        "webhooks",
        "Send a webhook.test event to one endpoint",
        json(deliveries.Delivery, _PENDING),
        status=202,
        errors=("conflict", "not_found"),
        idempotent=True,
    ),
    Operation(
        "POST",
        "/v1/webhooks/{endpoint_id}/replay",
        "replay_failed_deliveries",
        "webhooks",
        "Send an endpoint once more what it failed to take since an instant",
        json(deliveries.Replayed, {"object": "replay", "count": 3}),
        status=202,
        body=json(deliveries.Replay, {"since": NOW}),
        errors=("conflict", "not_found"),
        idempotent=True,
    ),
)
