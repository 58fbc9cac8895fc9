"""/v1/webhooks/deliveries: what was sent to endpoints and what they said; tests and replays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import msgspec
from litestar import Response, get, post
from msgspec import Meta

from innoai.api.actors import actor_of
from innoai.api.admission import Caller, Inside
from innoai.api.idempotency import create_once
from innoai.api.webhooks import EndpointId, held_endpoint
from innoai.api.wire import (
    Instant,
    JsonRequest,
    Limit,
    Page,
    answer,
    cursor_of,
    cut,
    decode_json,
    instant,
    json_body,
    read_query,
)
from innoai.door import Admission
from innoai.errors import InnoError
from innoai.events import journal, outbox
from innoai.events.types import EVENT_TYPES
from innoai.store import accounts, deliveries, events
from innoai.store.deliveries import AttemptRecord, DeliveryRecord, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.store.deliveries import NewDelivery
    from innoai.store.webhooks import EndpointRecord

MOST_REPLAYED = 10_000
"""Deliveries that one call replays at most, the oldest of them."""

DeliveryId = Annotated[str, Meta(pattern="^dlv_[0-9A-Za-z]{22}$", description="the id of a delivery")]
StateName = Annotated[str, Meta(extra_json_schema={"enum": list(get_args(State))})]
TypeName = Annotated[str, Meta(extra_json_schema={"enum": list(EVENT_TYPES)})]


class Replay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which deliveries to replay: those made since an instant that failed."""

    since: Instant


class DeliveryQuery(msgspec.Struct, frozen=True):
    """Which deliveries to list, newest first."""

    limit: Limit = 20
    cursor: Annotated[str, cursor_of("dlv")] | None = None
    endpoint_id: EndpointId | None = None
    state: State | None = None
    event_type: (
        Annotated[str, Meta(max_length=64, pattern="^[a-z_.]+$", description="a type such as key.created")]
        | None
    ) = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """The delivery of an event to an endpoint. `attempts`: how many were made."""

    id: str
    object: Literal["delivery"] = "delivery"
    endpoint_id: str
    event_id: str
    event_type: TypeName
    state: StateName
    attempts: int
    next_attempt_at: Instant | None
    created_at: Instant
    finished_at: Instant | None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent, and what came of it: a status, or else an error. The beginning of an answer is kept."""

    number: int
    at: Instant
    duration_ms: float
    request_headers: dict[str, str]
    status: int | None
    response_headers: dict[str, str] | None
    response_body: str | None
    error: str | None


class LoggedDelivery(Delivery, frozen=True, kw_only=True):
    """A delivery with its event, as it is sent, and all attempts."""

    event: dict[str, Any]
    log: list[Attempt]


class DeliveryPage(Page, frozen=True, kw_only=True):
    """A page of deliveries."""

    data: list[Delivery]


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries were made anew."""

    object: Literal["replay"] = "replay"
    count: int


@get("/v1/webhooks/deliveries")
async def list_deliveries(request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """List the account's deliveries, newest first."""
    query = read_query(request, DeliveryQuery)
    async with services.database.read() as connection:
        found = await deliveries.page(
            connection,
            caller.principal.account.id,
            limit=query.limit + 1,
            before=query.cursor,
            endpoint_id=query.endpoint_id,
            state=query.state,
            event_type=query.event_type,
        )
    shown, next_cursor = cut(found, query.limit, lambda record: record.id)
    return answer(
        DeliveryPage(
            data=[_show(record) for record in shown],
            next_cursor=next_cursor,
        )
    )


@get("/v1/webhooks/deliveries/{delivery_id:str}")
async def get_delivery(delivery_id: str, services: Inside, caller: Caller) -> Response[bytes]:
    """Show one delivery with its event and the log of its attempts."""
    async with services.database.read() as connection:
        record = await _own(connection, delivery_id, caller)
        bodies = await events.bodies(connection, [record.event_id])
        attempts = await deliveries.attempts(connection, delivery_id)
    return answer(
        LoggedDelivery(
            **msgspec.structs.asdict(_show(record)),
            event=msgspec.json.decode(bodies[record.event_id]),
            log=[_show_attempt(attempt) for attempt in attempts],
        )
    )


@post("/v1/webhooks/{endpoint_id:str}/test", status_code=202)
async def send_test(
    endpoint_id: str, request: JsonRequest, services: Inside, caller: Caller
) -> Response[bytes]:
    """Send a webhook.test event to this endpoint alone."""
    account_id, now = caller.principal.account.id, services.clock()

    async def create(connection: AsyncConnection) -> bytes:
        await accounts.lock(connection, account_id)
        await _ready(connection, endpoint_id, caller)
        data = {"endpoint_id": endpoint_id, "message": "This is a test."}
        event = outbox.new_event(account_id, "webhook.test", data, now)
        await events.add(connection, event)
        new = outbox.new_delivery(endpoint_id, event.id)
        return await _deliver(connection, request, caller, new, "webhook.tested", {}, now)

    return answer(await create_once(services, request, caller, b"", create), 202)


@post("/v1/webhooks/{endpoint_id:str}/replay", status_code=202)
async def replay_failed(
    endpoint_id: str, request: JsonRequest, services: Inside, caller: Caller
) -> Response[bytes]:
    """Send an endpoint once more what it failed to take since an instant."""
    content = await json_body(request)
    wanted = decode_json(content, Replay)
    account_id, now = caller.principal.account.id, services.clock()

    async def create(connection: AsyncConnection) -> bytes:
        await accounts.lock(connection, account_id)
        await _ready(connection, endpoint_id, caller)
        since = wanted.since.timestamp()
        failed = await deliveries.failed_events(connection, endpoint_id, since, MOST_REPLAYED)
        new = [outbox.new_delivery(endpoint_id, event_id) for event_id in failed]
        await deliveries.add(connection, account_id, new, now)
        await journal.record(
            connection,
            account_id,
            "webhook.replayed",
            actor=actor_of(request, caller),
            now=now,
            target_id=endpoint_id,
            after={"since": wanted.since.isoformat(), "count": len(new)},
        )
        return msgspec.json.encode(Replayed(count=len(new)))

    return answer(await create_once(services, request, caller, content, create), 202)


@post("/v1/webhooks/deliveries/{delivery_id:str}/replay", status_code=202)
async def replay_delivery(
    delivery_id: str, request: JsonRequest, services: Inside, caller: Caller
) -> Response[bytes]:
    """Deliver the same event to the same endpoint once more, with the same webhook-id."""
    account_id, now = caller.principal.account.id, services.clock()

    async def create(connection: AsyncConnection) -> bytes:
        await accounts.lock(connection, account_id)
        record = await _own(connection, delivery_id, caller)
        await _ready(connection, record.endpoint_id, caller)
        new = outbox.new_delivery(record.endpoint_id, record.event_id)
        replayed = {"replayed": delivery_id}
        return await _deliver(connection, request, caller, new, "webhook.replayed", replayed, now)

    return answer(await create_once(services, request, caller, b"", create), 202)


async def _deliver(
    connection: AsyncConnection,
    request: JsonRequest,
    caller: Admission,
    new: NewDelivery,
    action: str,
    noted: Mapping[str, str],
    now: float,
) -> bytes:
    """Let one delivery be made, record who asked for it, and give the answer that shows it."""
    account_id = caller.principal.account.id
    await deliveries.add(connection, account_id, [new], now)
    shown = await _own(connection, new.id, caller)
    await journal.record(
        connection,
        account_id,
        action,
        actor=actor_of(request, caller),
        now=now,
        target_id=new.endpoint_id,
        after={**noted, "delivery_id": new.id},
    )
    return msgspec.json.encode(_show(shown))


async def _ready(connection: AsyncConnection, endpoint_id: str, caller: Admission) -> EndpointRecord:
    """The caller's endpoint of that id, to which deliveries go.

    Raises:
        InnoError: not_found, or conflict where it is disabled.
    """
    record = await held_endpoint(connection, endpoint_id, caller)
    if record.disabled:
        raise InnoError("conflict", "The endpoint is disabled. Enable it by PATCH with disabled: false.")
    return record


async def _own(connection: AsyncConnection, delivery_id: str, caller: Admission) -> DeliveryRecord:
    record = await deliveries.get(connection, delivery_id, caller.principal.account.id)
    if record is None:
        raise InnoError("not_found", "No delivery has that id. GET /v1/webhooks/deliveries lists them.")
    return record


def _show(record: DeliveryRecord) -> Delivery:
    return Delivery(
        id=record.id,
        endpoint_id=record.endpoint_id,
        event_id=record.event_id,
        event_type=record.event_type,
        state=record.state,
        attempts=record.attempts,
        next_attempt_at=instant(record.next_attempt_at),
        created_at=instant(record.created_at),
        finished_at=instant(record.finished_at),
    )


def _show_attempt(record: AttemptRecord) -> Attempt:
    return Attempt(
        number=record.number,
        at=instant(record.at),
        duration_ms=record.duration_ms,
        request_headers=dict(record.request_headers),
        status=record.status,
        response_headers=None if record.response_headers is None else dict(record.response_headers),
        response_body=record.response_body,
        error=record.error,
    )
