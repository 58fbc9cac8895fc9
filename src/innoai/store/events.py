"""Events, and the deliveries that come of them: the outbox, written in a mutation's own transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from innoai.store.tables import deliveries, events, webhook_endpoints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A row of events. `body` is the text that is signed and sent."""

    id: str
    account_id: str
    type: str
    body: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Subscription:
    """Which events an endpoint wants; a pattern may end in `*`."""

    endpoint_id: str
    event_types: tuple[str, ...]


async def add(connection: AsyncConnection, event: EventRecord) -> None:
    """Add an event."""
    await connection.execute(
        insert(events).values(
            id=event.id,
            account_id=event.account_id,
            type=event.type,
            body=event.body,
            created_at=event.created_at,
        )
    )


async def subscriptions(connection: AsyncConnection, account_id: str) -> list[Subscription]:
    """What the account's endpoints that are not disabled want."""
    query = select(webhook_endpoints.c.id, webhook_endpoints.c.event_types).where(
        webhook_endpoints.c.account_id == account_id, webhook_endpoints.c.disabled.is_(False)
    )
    rows = (await connection.execute(query.order_by(webhook_endpoints.c.id))).all()
    return [Subscription(row.id, tuple(row.event_types)) for row in rows]


async def deliver_to(
    connection: AsyncConnection, event: EventRecord, endpoints: Sequence[tuple[str, str]]
) -> None:
    """Let an event be delivered at once: pairs of a new delivery's id and an endpoint's."""
    rows = [
        {
            "id": delivery_id,
            "account_id": event.account_id,
            "endpoint_id": endpoint_id,
            "event_id": event.id,
            "state": "pending",
            "attempts": 0,
            "next_attempt_at": event.created_at,
            "created_at": event.created_at,
        }
        for delivery_id, endpoint_id in endpoints
    ]
    if rows:
        await connection.execute(insert(deliveries), rows)
