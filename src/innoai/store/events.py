"""Events, and the deliveries that come of them: the outbox, written in a mutation's own transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, insert, or_, select, tuple_

from innoai.store.tables import deliveries, events, webhook_endpoints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

START = (0.0, "")
"""The position of an event, instant and id, before which there is none."""


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
    """What the account's endpoints that are not disabled want; none of them can be deleted meanwhile."""
    query = select(webhook_endpoints.c.id, webhook_endpoints.c.event_types).where(
        webhook_endpoints.c.account_id == account_id, webhook_endpoints.c.disabled.is_(False)
    )
    kept = query.order_by(webhook_endpoints.c.id).with_for_update(read=True, key_share=True)
    rows = (await connection.execute(kept)).all()
    return [Subscription(row.id, tuple(row.event_types)) for row in rows]


async def after(
    connection: AsyncConnection, account_id: str, position: tuple[float, str], limit: int
) -> list[EventRecord]:
    """At most `limit` of the account's events behind a position: instant and id, in that order."""
    place = tuple_(events.c.created_at, events.c.id)
    query = select(events).where(events.c.account_id == account_id, place > position)
    rows = (await connection.execute(query.order_by(events.c.created_at, events.c.id).limit(limit))).all()
    return [EventRecord(**row._mapping) for row in rows]


async def bodies(connection: AsyncConnection, event_ids: Sequence[str]) -> dict[str, str]:
    """The bodies of events by id."""
    query = select(events.c.id, events.c.body).where(events.c.id.in_(event_ids))
    return {row.id: row.body for row in (await connection.execute(query)).all()}


async def remove_before(
    connection: AsyncConnection, before: float, most: int, behind: tuple[float, str] = START
) -> tuple[float, str] | None:
    """Remove at most `most` events that are older, the oldest first, with their deliveries.

    One that was replayed since then stays, and so does one whose delivery is under way. Gives the position
    behind which there may be more, or None.
    """
    young = or_(deliveries.c.created_at >= before, deliveries.c.leased_by.is_not(None))
    kept = exists().where(deliveries.c.event_id == events.c.id, young)
    place = tuple_(events.c.created_at, events.c.id)
    old = select(events.c.id, events.c.created_at).where(events.c.created_at < before, place > behind, ~kept)
    ordered = old.order_by(events.c.created_at, events.c.id).limit(most)
    # Locked before what refers to them is looked at once more, so that no replay comes between.
    rows = (await connection.execute(ordered.with_for_update(skip_locked=True))).all()
    await _remove(connection, [row.id for row in rows], before)
    return (rows[-1].created_at, rows[-1].id) if len(rows) == most else None


async def _remove(connection: AsyncConnection, ids: Sequence[str], before: float) -> None:
    idle = select(deliveries.c.id).where(
        deliveries.c.event_id.in_(ids), deliveries.c.created_at < before, deliveries.c.leased_by.is_(None)
    )
    # What another transaction holds waits for the next time, so that neither waits for the other.
    free = idle.with_for_update(skip_locked=True)
    await connection.execute(delete(deliveries).where(deliveries.c.id.in_(free)))
    referred = exists().where(deliveries.c.event_id == events.c.id)
    await connection.execute(delete(events).where(events.c.id.in_(ids), ~referred))
