"""Deliveries of events to endpoints, their attempts, and the leases under which workers make these.

    pending --> leased --> succeeded
       ^           |  `--> failed
       `-----------'

A delivery that is due is leased to one worker at a time. The worker concludes the attempt, or gives the
lease back; one that has died does neither, and its lease ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Double, Integer, and_, bindparam, exists, func, insert, or_, select, update

from innoai.store.tables import deliveries, delivery_attempts, events, webhook_endpoints

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, FromClause, ScalarSelect, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    _Instant = float | ColumnElement[float]

State = Literal["pending", "succeeded", "failed"]


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """A row of deliveries, with the type of its event."""

    id: str
    endpoint_id: str
    event_id: str
    event_type: str
    state: State
    attempts: int
    next_attempt_at: float | None
    created_at: float
    finished_at: float | None


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery that is to be made at once."""

    id: str
    endpoint_id: str
    event_id: str


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """A row of delivery_attempts: what was sent when, and what came of it."""

    number: int
    at: float
    duration_ms: float
    request_headers: Mapping[str, str]
    status: int | None
    response_headers: Mapping[str, str] | None
    response_body: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Leased:
    """A delivery that is this worker's to make, with all that it takes. `attempts`: those made before."""

    id: str
    account_id: str
    endpoint_id: str
    event_id: str
    body: str
    attempts: int
    url: str
    sealed_headers: bytes = field(repr=False)
    sealed_secret: bytes = field(repr=False)
    sealed_previous_secret: bytes | None = field(repr=False)
    previous_secret_ends_at: float | None


@dataclass(frozen=True, slots=True)
class Lane:
    """Endpoints that are failing, or those that are not, and how many attempts each may have at a time."""

    failing: bool
    per_endpoint: int


_SHOWN = (
    deliveries.c.id,
    deliveries.c.endpoint_id,
    deliveries.c.event_id,
    events.c.type.label("event_type"),
    deliveries.c.state,
    deliveries.c.attempts,
    deliveries.c.next_attempt_at,
    deliveries.c.created_at,
    deliveries.c.finished_at,
)
_LEASED = (
    deliveries.c.id,
    deliveries.c.account_id,
    deliveries.c.endpoint_id,
    deliveries.c.event_id,
    events.c.body,
    deliveries.c.attempts,
    webhook_endpoints.c.url,
    webhook_endpoints.c.sealed_headers,
    webhook_endpoints.c.sealed_secret,
    webhook_endpoints.c.sealed_previous_secret,
    webhook_endpoints.c.previous_secret_ends_at,
)


# What the API shows.


async def get(connection: AsyncConnection, delivery_id: str, account_id: str) -> DeliveryRecord | None:
    """One delivery, if it is the account's."""
    query = _shown(account_id).where(deliveries.c.id == delivery_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else DeliveryRecord(**row._mapping)


async def page(
    connection: AsyncConnection,
    account_id: str,
    *,
    limit: int,
    before: str | None,
    endpoint_id: str | None,
    state: State | None,
    event_type: str | None,
) -> list[DeliveryRecord]:
    """At most `limit` of the account's deliveries, newest first, those older than the id `before`."""
    query = _shown(account_id)
    if before is not None:
        query = query.where(deliveries.c.id < before)
    if endpoint_id is not None:
        query = query.where(deliveries.c.endpoint_id == endpoint_id)
    if state is not None:
        query = query.where(deliveries.c.state == state)
    if event_type is not None:
        query = query.where(events.c.type == event_type)
    rows = (await connection.execute(query.order_by(deliveries.c.id.desc()).limit(limit))).all()
    return [DeliveryRecord(**row._mapping) for row in rows]


async def attempts(connection: AsyncConnection, delivery_id: str) -> list[AttemptRecord]:
    """The attempts of a delivery in order."""
    query = select(delivery_attempts).where(delivery_attempts.c.delivery_id == delivery_id)
    rows = (await connection.execute(query.order_by(delivery_attempts.c.number))).mappings().all()
    return [
        AttemptRecord(**{name: value for name, value in row.items() if name != "delivery_id"}) for row in rows
    ]


async def failed_events(connection: AsyncConnection, endpoint_id: str, since: float, limit: int) -> list[str]:
    """The events of failed deliveries since an instant that the endpoint neither got nor is about to get."""
    again = deliveries.alias()
    taken = exists().where(
        again.c.event_id == deliveries.c.event_id,
        again.c.endpoint_id == endpoint_id,
        again.c.state != "failed",
    )
    query = (
        select(deliveries.c.event_id)
        .where(
            deliveries.c.endpoint_id == endpoint_id,
            deliveries.c.state == "failed",
            deliveries.c.created_at >= since,
            ~taken,
        )
        .group_by(deliveries.c.event_id)
        .order_by(func.min(deliveries.c.created_at), deliveries.c.event_id)
        .limit(limit)
    )
    return list((await connection.execute(query)).scalars())


async def add(connection: AsyncConnection, account_id: str, new: Sequence[NewDelivery], now: float) -> None:
    """Let events be delivered, for the first time or once more."""
    rows = [
        {
            "id": delivery.id,
            "account_id": account_id,
            "endpoint_id": delivery.endpoint_id,
            "event_id": delivery.event_id,
            "state": "pending",
            "attempts": 0,
            "next_attempt_at": now,
            "created_at": now,
        }
        for delivery in new
    ]
    if rows:
        await connection.execute(insert(deliveries), rows)


# What the worker does.


async def lanes_with_work(connection: AsyncConnection, lanes: Iterable[Lane], now: float) -> list[Lane]:
    """The lanes in which something can be leased; where nothing is due, that takes one look into an index."""
    query = select(func.min(deliveries.c.next_attempt_at)).where(deliveries.c.state == "pending")
    earliest = (await connection.execute(query)).scalar_one()
    if earliest is None or earliest > now:
        return []
    return [
        lane
        for lane in lanes
        if (await connection.execute(_with_work(lane, now).limit(1))).one_or_none() is not None
    ]


async def lease(
    connection: AsyncConnection,
    worker: str,
    lane: Lane,
    *,
    now: float,
    ends: float,
    most: int,
    besides: Collection[str] = (),
) -> list[Leased]:
    """Lease at most `most` due deliveries of a lane to a worker; accounts take turns, and so do endpoints.

    Rows that another worker is busy with are left to it, so that no worker waits for another. `besides`:
    the deliveries that are under way with this worker, whose leases may have ended while the store was down.
    """
    chosen: list[str] = []
    for endpoint_id in await _lock_with_work(connection, lane, now, most):
        room = min(lane.per_endpoint - await _leases(connection, endpoint_id, now), most - len(chosen))
        if room > 0:
            chosen += await _due(connection, endpoint_id, now, room, besides)
    if not chosen:
        return []
    await connection.execute(
        update(deliveries).where(deliveries.c.id.in_(chosen)).values(leased_by=worker, lease_ends_at=ends)
    )
    query = select(*_LEASED).select_from(deliveries.join(events).join(webhook_endpoints))
    rows = (await connection.execute(query.where(deliveries.c.id.in_(chosen)))).all()
    return [Leased(**row._mapping) for row in rows]


async def renew(connection: AsyncConnection, worker: str, delivery_ids: Sequence[str], ends: float) -> None:
    """Let a worker's leases of some deliveries end later."""
    own = select(deliveries.c.id).where(deliveries.c.id.in_(delivery_ids), deliveries.c.leased_by == worker)
    # What another transaction holds is being concluded or deleted.
    free = own.with_for_update(skip_locked=True)
    await connection.execute(update(deliveries).where(deliveries.c.id.in_(free)).values(lease_ends_at=ends))


async def give_back(connection: AsyncConnection, worker: str) -> None:
    """End a worker's leases, whose deliveries are due as before."""
    own = select(deliveries.c.id).where(deliveries.c.leased_by == worker).with_for_update(skip_locked=True)
    await connection.execute(
        update(deliveries).where(deliveries.c.id.in_(own)).values(leased_by=None, lease_ends_at=None)
    )


async def conclude(
    connection: AsyncConnection,
    delivery_id: str,
    worker: str,
    attempt: AttemptRecord,
    *,
    state: State,
    next_attempt_at: float | None,
    now: float,
) -> bool:
    """Write an attempt down and end its lease; False when the lease was not this worker's any more."""
    own = and_(deliveries.c.id == delivery_id, deliveries.c.leased_by == worker)
    values = {
        "state": state,
        "attempts": attempt.number,
        "next_attempt_at": next_attempt_at,
        "finished_at": None if state == "pending" else now,
        "leased_by": None,
        "lease_ends_at": None,
    }
    concluded = await connection.execute(update(deliveries).where(own).values(**values))
    if concluded.rowcount == 0:
        return False
    await connection.execute(
        insert(delivery_attempts).values(
            delivery_id=delivery_id,
            number=attempt.number,
            at=attempt.at,
            duration_ms=attempt.duration_ms,
            request_headers=dict(attempt.request_headers),
            status=attempt.status,
            response_headers=None if attempt.response_headers is None else dict(attempt.response_headers),
            response_body=attempt.response_body,
            error=attempt.error,
        )
    )
    return True


def _with_work(lane: Lane, now: float) -> Select[Any]:
    """Endpoints of the lane with a delivery that is due and room for it, in no order."""
    own = deliveries.c.endpoint_id == webhook_endpoints.c.id
    leased = select(func.count()).select_from(deliveries).where(own, _is_leased(now)).scalar_subquery()
    return select(webhook_endpoints.c.id).where(
        *_in_lane(webhook_endpoints, lane),
        _waiting_since(webhook_endpoints, now) <= now,
        leased < lane.per_endpoint,
    )


@lru_cache
def _in_turn(lane: Lane) -> Select[Any]:
    """The same in the order of their turns, locked, at most `most` of them at `now`.

    Accounts take turns, and in an account endpoints: first comes who has the fewest attempts under way,
    and of those who has waited longest. So an account with many endpoints and a long backlog takes the
    places that nobody else wants, and no more. To build this takes longer than to ask it, hence once.
    """
    now, most = bindparam("now", type_=Double), bindparam("most", type_=Integer)
    # By endpoint, as the index of leases has them: by account, SQLite would read all deliveries.
    busy = (
        select(deliveries.c.endpoint_id, deliveries.c.account_id, func.count().label("attempts"))
        .where(_is_leased(now))
        .group_by(deliveries.c.endpoint_id, deliveries.c.account_id)
        .cte("busy")
    )
    of_account = (
        select(busy.c.account_id, func.sum(busy.c.attempts).label("attempts"))
        .group_by(busy.c.account_id)
        .subquery("of_account")
    )
    due = webhook_endpoints.alias("due")
    waiting = _waiting_since(due, now)
    under_way = func.coalesce(busy.c.attempts, 0)
    # What the account has under way once its endpoints before this one have all that they may have.
    before = func.row_number().over(partition_by=due.c.account_id, order_by=(under_way, waiting, due.c.id))
    turn = func.coalesce(of_account.c.attempts, 0) + (before - 1) * lane.per_endpoint
    turns = (
        select(due.c.id, waiting.label("waiting"), turn.label("turn"))
        .select_from(
            due.outerjoin(busy, busy.c.endpoint_id == due.c.id).outerjoin(
                of_account, of_account.c.account_id == due.c.account_id
            )
        )
        .where(*_in_lane(due, lane), waiting <= now, under_way < lane.per_endpoint)
        .subquery("turns")
    )
    # The lane is looked at once more, in the very rows that are locked.
    joined = webhook_endpoints.join(turns, turns.c.id == webhook_endpoints.c.id)
    query = select(webhook_endpoints.c.id).select_from(joined).where(*_in_lane(webhook_endpoints, lane))
    ordered = query.order_by(turns.c.turn, turns.c.waiting, turns.c.id).limit(most)
    return ordered.with_for_update(of=webhook_endpoints, key_share=True, skip_locked=True)


def _in_lane(endpoints: FromClause, lane: Lane) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    failing = endpoints.c.failing_since
    return endpoints.c.disabled.is_(False), failing.is_not(None) if lane.failing else failing.is_(None)


def _waiting_since(endpoints: FromClause, now: _Instant) -> ScalarSelect[float]:
    """When the earliest delivery of an endpoint was due that is not under way; null without one."""
    own = deliveries.c.endpoint_id == endpoints.c.id
    return select(func.min(deliveries.c.next_attempt_at)).where(own, _is_due(now)).scalar_subquery()


async def _lock_with_work(connection: AsyncConnection, lane: Lane, now: float, most: int) -> list[str]:
    return list((await connection.execute(_in_turn(lane), {"now": now, "most": most})).scalars())


async def _leases(connection: AsyncConnection, endpoint_id: str, now: float) -> int:
    """How many attempts an endpoint has at the moment; its lock keeps that from growing."""
    query = select(func.count()).where(deliveries.c.endpoint_id == endpoint_id, _is_leased(now))
    return (await connection.execute(query)).scalar_one()


async def _due(
    connection: AsyncConnection, endpoint_id: str, now: float, most: int, besides: Collection[str]
) -> list[str]:
    query = select(deliveries.c.id).where(
        deliveries.c.endpoint_id == endpoint_id, _is_due(now), deliveries.c.id.not_in(besides)
    )
    ordered = query.order_by(deliveries.c.next_attempt_at, deliveries.c.id).limit(most)
    return list((await connection.execute(ordered.with_for_update(skip_locked=True))).scalars())


def _is_due(now: _Instant) -> ColumnElement[bool]:
    free = or_(deliveries.c.leased_by.is_(None), deliveries.c.lease_ends_at <= now)
    return and_(deliveries.c.state == "pending", deliveries.c.next_attempt_at <= now, free)


def _is_leased(now: _Instant) -> ColumnElement[bool]:
    return and_(deliveries.c.leased_by.is_not(None), deliveries.c.lease_ends_at > now)


def _shown(account_id: str) -> Select[Any]:
    joined = deliveries.join(events, events.c.id == deliveries.c.event_id)
    return select(*_SHOWN).select_from(joined).where(deliveries.c.account_id == account_id)
