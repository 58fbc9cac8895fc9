"""The outbox: an event and its deliveries are written in the transaction of what they tell about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from innoai.events import body
from innoai.events.types import EVENT_TYPES, instant, wants
from innoai.fresh_ids import fresh_id
from innoai.store import deliveries, events
from innoai.store.deliveries import NewDelivery
from innoai.store.events import EventRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection


async def publish(
    connection: AsyncConnection, account_id: str, type_name: str, data: Mapping[str, Any], now: float
) -> EventRecord:
    """Tell the account's endpoints that want events of this type; `data` as EVENT_TYPES says."""
    msgspec.convert(data, EVENT_TYPES[type_name].data)
    event = new_event(account_id, type_name, data, now)
    await events.add(connection, event)
    wanting = [
        new_delivery(subscription.endpoint_id, event.id)
        for subscription in await events.subscriptions(connection, account_id)
        if wants(subscription.event_types, type_name)
    ]
    await deliveries.add(connection, account_id, wanting, now)
    return event


def new_event(account_id: str, type_name: str, data: Mapping[str, Any], now: float) -> EventRecord:
    """An event with its body, not yet written anywhere."""
    event_id = fresh_id("evt")
    document = {
        "id": event_id,
        "object": "event",
        "type": type_name,
        "created_at": instant(now),
        "account_id": account_id,
        "data": dict(data),
    }
    return EventRecord(event_id, account_id, type_name, body.write(document), now)


def new_delivery(endpoint_id: str, event_id: str) -> NewDelivery:
    """A delivery of an event to an endpoint, not yet written anywhere."""
    return NewDelivery(fresh_id("dlv"), endpoint_id, event_id)
