"""Where events are sent, what became of them, and the events themselves as they happen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from openai import NoneType, Omit, omit

from innoai.sdk.calls.call import (
    Call,
    Listing,
    Moment,
    given,
    idempotent,
    joined,
    known,
    moment,
    segment,
    strings,
    texts,
)
from innoai.sdk.models.webhooks import Delivery, Event, EventType, Replay, WebhookEndpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DeliveryState = Literal["pending", "succeeded", "failed"]

STREAM_SILENCE = 45.0
"""Seconds without a byte after which a stream counts as lost; the server says something every 15."""


def create_endpoint(
    url: str,
    *,
    event_types: Sequence[str] | None = None,
    description: str | None = None,
    headers: Mapping[str, str] | None = None,
    disabled: bool | None = None,
    idempotency_key: str | None = None,
) -> Call[WebhookEndpoint]:
    """Have events sent to that URL. The answer's `secret`, which they are signed with, is shown this once.

    event_types: `key.created`, `key.*`; by default all. headers: sent with each delivery, and never shown
    again. idempotency_key: as for keys.
    """
    body = known(
        url=url,
        event_types=strings("event_types", event_types),
        description=description,
        headers=texts(headers),
        disabled=disabled,
    )
    return Call(
        "post", "/webhooks", WebhookEndpoint, body, headers=idempotent(idempotency_key), carries_secret=True
    )


def list_endpoints(*, limit: int | None = None, cursor: str | None = None) -> Listing[WebhookEndpoint]:
    """The account's endpoints. limit: endpoints a page, 1-100."""
    return Listing("/webhooks", WebhookEndpoint, known(limit=limit, cursor=cursor))


def get_endpoint(endpoint_id: str) -> Call[WebhookEndpoint]:
    """The endpoint of that id, `whe_…`."""
    return Call("get", _endpoint_path(endpoint_id), WebhookEndpoint)


def update_endpoint(
    endpoint_id: str,
    *,
    url: str | Omit = omit,
    event_types: Sequence[str] | Omit = omit,
    description: str | Omit | None = omit,
    headers: Mapping[str, str] | Omit = omit,
    disabled: bool | Omit = omit,
) -> Call[WebhookEndpoint]:
    """Change what is given and leave the rest. Enabling forgets why the endpoint was disabled."""
    body = given(
        url=url,
        event_types=strings("event_types", event_types),
        description=description,
        headers=texts(headers),
        disabled=disabled,
    )
    return Call("patch", _endpoint_path(endpoint_id), WebhookEndpoint, body, carries_secret=True)


def delete_endpoint(endpoint_id: str) -> Call[None]:
    """Delete the endpoint; nothing is sent to it any more."""
    return Call("delete", _endpoint_path(endpoint_id), NoneType)


def rotate_secret(
    endpoint_id: str, *, overlap: int | None = None, idempotency_key: str | None = None
) -> Call[WebhookEndpoint]:
    """A new secret, in `secret` this once. Until the overlap ends, deliveries bear both signatures.

    overlap: seconds, 0-604,800, a day by default. idempotency_key: as for keys.
    """
    path, body = f"{_endpoint_path(endpoint_id)}/rotate-secret", known(overlap=overlap)
    return Call("post", path, WebhookEndpoint, body, headers=idempotent(idempotency_key))


def send_test(endpoint_id: str, *, idempotency_key: str | None = None) -> Call[Delivery]:
    """Send the event `webhook.test` to that endpoint alone. The delivery is under way when this returns.

    idempotency_key: as for keys.
    """
    path = f"{_endpoint_path(endpoint_id)}/test"
    return Call("post", path, Delivery, headers=idempotent(idempotency_key))


def replay_failed(endpoint_id: str, since: Moment, *, idempotency_key: str | None = None) -> Call[Replay]:
    """Send again all that failed at that endpoint since then. The answer's `count` says how many.

    idempotency_key: as for keys.
    """
    path, body = f"{_endpoint_path(endpoint_id)}/replay", {"since": moment("since", since)}
    return Call("post", path, Replay, body, headers=idempotent(idempotency_key))


def event_types() -> Listing[EventType]:
    """Every type of event, with its schema and an example."""
    return Listing("/webhooks/event-types", EventType)


def list_deliveries(
    *,
    endpoint_id: str | None = None,
    state: DeliveryState | None = None,
    event_type: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Listing[Delivery]:
    """What was sent or will be, the newest first. limit: deliveries a page, 1-100."""
    query = known(endpoint_id=endpoint_id, state=state, event_type=event_type, limit=limit, cursor=cursor)
    return Listing("/webhooks/deliveries", Delivery, query)


def get_delivery(delivery_id: str) -> Call[Delivery]:
    """The delivery of that id, `dlv_…`, with its event and the log of its attempts."""
    return Call("get", _delivery_path(delivery_id), Delivery)


def replay_delivery(delivery_id: str, *, idempotency_key: str | None = None) -> Call[Delivery]:
    """Send that event to that endpoint again: a new delivery with the same webhook-id.

    idempotency_key: as for keys.
    """
    path = f"{_delivery_path(delivery_id)}/replay"
    return Call("post", path, Delivery, headers=idempotent(idempotency_key))


def stream_events(
    *, event_types: Sequence[str] | None = None, last_event_id: str | None = None
) -> Call[Event]:
    """The account's events as they happen. event_types: as for endpoints. last_event_id: go on behind it."""
    return Call(
        "get",
        "/webhooks/stream",
        Event,
        query=known(event_types=joined("event_types", event_types)),
        headers={"Accept": "text/event-stream", **known(**{"Last-Event-ID": last_event_id})},
        silence=STREAM_SILENCE,
    )


def _endpoint_path(endpoint_id: str) -> str:
    return f"/webhooks/{segment('endpoint_id', endpoint_id)}"


def _delivery_path(delivery_id: str) -> str:
    return f"/webhooks/deliveries/{segment('delivery_id', delivery_id)}"
