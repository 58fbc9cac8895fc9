"""/v1/webhooks: endpoints are made, listed, changed, given new secrets and deleted."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from litestar import Response, delete, get, patch, post
from msgspec import UNSET, Meta, UnsetType

from innoai.access.networks import parse_networks
from innoai.api.actors import actor_of
from innoai.api.admission import Caller, Inside
from innoai.api.idempotency import create_once
from innoai.api.services import Services
from innoai.api.wire import (
    IN_WORDS,
    PRINTABLE,
    Instant,
    JsonRequest,
    Limit,
    Page,
    answer,
    as_shown,
    cursor_of,
    cut,
    decode_json,
    instant,
    json_body,
    read_body,
    read_query,
)
from innoai.door import Admission
from innoai.errors import InnoError
from innoai.events import addresses, catalogue, journal, signing
from innoai.events.addresses import MAX_URL, URL_PATTERN, AddressRefused
from innoai.events.deliver import HIDDEN
from innoai.events.types import EVENT_TYPES, PATTERNS
from innoai.fresh_ids import fresh_id
from innoai.store import accounts, webhooks
from innoai.store.webhooks import EndpointRecord, sealed_for

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.access.principal import Account

MAX_OVERLAP = 7 * 86_400
DEFAULT_OVERLAP = 86_400

_RESERVED = re.compile(
    r"content-type|content-length|host|transfer-encoding|connection|keep-alive|proxy-.*|te|trailer|upgrade|expect"
    r"|user-agent|x-innoai-.*|webhook-.*"
)
"""Headers that innoai or the connection itself sets."""

EndpointId = Annotated[str, Meta(pattern="^whe_[0-9A-Za-z]{22}$", description="the id of an endpoint")]
EndpointUrl = Annotated[
    str,
    Meta(
        max_length=MAX_URL,
        description="where to POST events: http or https, without user, password and fragment",
        extra_json_schema={"pattern": URL_PATTERN},
    ),
]
EventPattern = Annotated[str, Meta(extra_json_schema={"enum": list(PATTERNS)})]
EventPatterns = Annotated[
    list[EventPattern], Meta(min_length=1, max_length=64, description="such as key.created, key.* or *")
]
Description = Annotated[str, Meta(min_length=1, max_length=500, pattern=PRINTABLE, extra=IN_WORDS)]
HeaderName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[0-9A-Za-z!#$%&'*+.^_`|~-]+$(?!\n)",
        extra={"expected": "a header's name: letters, digits and ! # $ % & ' * + . ^ _ ` | ~ -"},
    ),
]
HeaderValue = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1024,
        pattern=r"^[!-~]([\t -~]*[!-~])?$(?!\n)",
        extra={"expected": "printable ASCII without a space at either end"},
    ),
]
Headers = Annotated[
    dict[HeaderName, HeaderValue],
    Meta(
        max_length=20,
        description="sent with each delivery, such as a credential; never shown again. "
        f"On a change, {HIDDEN} keeps the value that is there",
    ),
]
Disabled = Annotated[bool, Meta(description="whether nothing is sent to it")]


class CreateEndpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An endpoint to make. Without event_types it gets all events."""

    url: EndpointUrl
    event_types: EventPatterns | None = None
    description: Description | None = None
    headers: Headers | None = None
    disabled: Disabled = False


class ChangeEndpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change; a member that is left out stays as it is. Enabling forgets earlier failures.

    Headers are for one receiver: they come along where the url gets another scheme, host or port.
    """

    url: EndpointUrl | UnsetType = UNSET
    event_types: EventPatterns | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    headers: Headers | UnsetType = UNSET
    disabled: Disabled | UnsetType = UNSET


class RotateSecret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to rotate. `overlap` in seconds: for how long deliveries are signed with the old secret as well."""

    overlap: Annotated[int, Meta(ge=0, le=MAX_OVERLAP)] = DEFAULT_OVERLAP


class EndpointQuery(msgspec.Struct, frozen=True):
    """Which endpoints to list, newest first."""

    limit: Limit = 20
    cursor: Annotated[str, cursor_of("whe")] | None = None


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook endpoint. `disabled_because` is null where somebody disabled it on purpose."""

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    url: str
    event_types: tuple[str, ...]
    description: str | None
    headers: dict[str, str]
    disabled: bool
    disabled_because: Annotated[
        str | None, Meta(description="gone (it answered 410) or failing (for five days)")
    ]
    failing_since: Instant | None
    previous_secret_expires_at: Instant | None
    created_at: Instant
    updated_at: Instant


class NewEndpoint(Endpoint, frozen=True, kw_only=True):
    """An endpoint with its secret, which is shown this once."""

    secret: str


class EndpointPage(Page, frozen=True, kw_only=True):
    """A page of endpoints."""

    data: list[Endpoint]


class ShownEventType(msgspec.Struct, frozen=True, kw_only=True):
    """A type of events. `schema` is a JSON Schema of the whole event, and `example` an event."""

    type: str
    description: str
    schema: dict[str, Any]
    example: dict[str, Any]


class EventTypeList(Page, frozen=True, kw_only=True):
    """All types of events."""

    data: list[ShownEventType]
    next_cursor: None = None


@post("/v1/webhooks", status_code=201)
async def create_endpoint(request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """Make an endpoint. The answer is the only place where its secret is ever shown."""
    content = await json_body(request)
    wanted = decode_json(content, CreateEndpoint)
    _check_url(services, wanted.url)
    headers = _with_kept(wanted.headers or {}, {})
    _check_headers(headers)
    account = caller.principal.account
    now = services.clock()
    endpoint_id, secret = fresh_id("whe"), _new_secret()
    record = EndpointRecord(
        id=endpoint_id,
        account_id=account.id,
        url=wanted.url,
        event_types=_patterns(wanted.event_types or ["*"]),
        description=wanted.description,
        sealed_headers=_seal_headers(services, endpoint_id, headers),
        sealed_secret=_seal_secret(services, endpoint_id, secret),
        disabled=wanted.disabled,
        created_at=now,
        updated_at=now,
    )

    async def create(connection: AsyncConnection) -> bytes:
        await _check_room(services, connection, account)
        await webhooks.create(connection, record)
        shown = _show(services, record, now)
        await journal.record(
            connection,
            account.id,
            "webhook.created",
            actor=actor_of(request, caller),
            now=now,
            target_id=record.id,
            after=as_shown(shown),
        )
        return _with_secret(shown, secret)

    return answer(await create_once(services, request, caller, content, create), 201)


@get("/v1/webhooks")
async def list_endpoints(request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """List the account's endpoints, newest first."""
    query = read_query(request, EndpointQuery)
    async with services.database.read() as connection:
        found = await webhooks.page(
            connection, caller.principal.account.id, limit=query.limit + 1, before=query.cursor
        )
    shown, next_cursor = cut(found, query.limit, lambda record: record.id)
    now = services.clock()
    return answer(
        EndpointPage(
            data=[_show(services, record, now) for record in shown],
            next_cursor=next_cursor,
        )
    )


@get("/v1/webhooks/event-types")
async def list_event_types() -> Response[bytes]:
    """List the types of events with their schemas."""
    return answer(_EVENT_TYPES)


@get("/v1/webhooks/{endpoint_id:str}")
async def get_endpoint(endpoint_id: str, services: Inside, caller: Caller) -> Response[bytes]:
    """Show one endpoint."""
    async with services.database.read() as connection:
        record = await webhooks.get(connection, endpoint_id, caller.principal.account.id)
    return answer(_show(services, found_endpoint(record), services.clock()))


@patch("/v1/webhooks/{endpoint_id:str}")
async def change_endpoint(
    endpoint_id: str, request: JsonRequest, services: Inside, caller: Caller
) -> Response[bytes]:
    """Change an endpoint; an attempt that is under way ends as it began."""
    wanted = await read_body(request, ChangeEndpoint)
    values = _changed(services, wanted)
    account_id, now = caller.principal.account.id, services.clock()
    async with services.database.write() as connection:
        await accounts.lock(connection, account_id)
        record = await held_endpoint(connection, endpoint_id, caller)
        before = _show(services, record, now)
        values |= _changed_headers(services, record, wanted)
        values = {name: value for name, value in values.items() if value != getattr(record, name)}
        if values:
            if "disabled" in values:
                values |= {"disabled_because": None, "failing_since": None}
            record = replace(record, **values, updated_at=now)
            await webhooks.change(connection, endpoint_id, {**values, "updated_at": now})
            await journal.record(
                connection,
                account_id,
                "webhook.updated",
                actor=actor_of(request, caller),
                now=now,
                target_id=endpoint_id,
                before=as_shown(before),
                after=as_shown(_show(services, record, now)),
            )
    return answer(_show(services, record, now))


@delete("/v1/webhooks/{endpoint_id:str}", status_code=204)
async def delete_endpoint(endpoint_id: str, request: JsonRequest, services: Inside, caller: Caller) -> None:
    """Delete an endpoint, with its deliveries."""
    account_id, now = caller.principal.account.id, services.clock()
    async with services.database.write() as connection:
        await accounts.lock(connection, account_id)
        record = await held_endpoint(connection, endpoint_id, caller)
        await webhooks.remove(connection, endpoint_id)
        await journal.record(
            connection,
            account_id,
            "webhook.deleted",
            actor=actor_of(request, caller),
            now=now,
            target_id=endpoint_id,
            before=as_shown(_show(services, record, now)),
        )


@post("/v1/webhooks/{endpoint_id:str}/rotate-secret", status_code=200)
async def rotate_secret(
    endpoint_id: str, request: JsonRequest, services: Inside, caller: Caller
) -> Response[bytes]:
    """Give an endpoint a new secret; during the overlap deliveries are signed with both."""
    content = await json_body(request)
    wanted = decode_json(content or b"{}", RotateSecret)
    account_id, now = caller.principal.account.id, services.clock()
    secret = _new_secret()

    async def create(connection: AsyncConnection) -> bytes:
        await accounts.lock(connection, account_id)
        record = await held_endpoint(connection, endpoint_id, caller)
        values: dict[str, Any] = {
            "sealed_secret": _seal_secret(services, endpoint_id, secret),
            "sealed_previous_secret": record.sealed_secret if wanted.overlap else None,
            "previous_secret_ends_at": now + wanted.overlap if wanted.overlap else None,
            "updated_at": now,
        }
        await webhooks.change(connection, endpoint_id, values)
        shown = _show(services, replace(record, **values), now)
        await journal.record(
            connection,
            account_id,
            "webhook.secret_rotated",
            actor=actor_of(request, caller),
            now=now,
            target_id=endpoint_id,
            before=as_shown(_show(services, record, now)),
            after=as_shown(shown),
        )
        return _with_secret(shown, secret)

    return answer(await create_once(services, request, caller, content, create))


def found_endpoint(record: EndpointRecord | None) -> EndpointRecord:
    """The endpoint that was looked for.

    Raises:
        InnoError: not_found.
    """
    if record is None:
        raise InnoError("not_found", "No endpoint has that id. GET /v1/webhooks lists the endpoints.")
    return record


async def held_endpoint(connection: AsyncConnection, endpoint_id: str, caller: Admission) -> EndpointRecord:
    """The caller's endpoint of that id, which nobody else changes until the transaction ends.

    Raises:
        InnoError: not_found.
    """
    return found_endpoint(await webhooks.hold(connection, endpoint_id, caller.principal.account.id))


async def _check_room(services: Services, connection: AsyncConnection, account: Account) -> None:
    """Refuse one endpoint more than the tier allows."""
    await accounts.lock(connection, account.id)
    tier = services.tiers[account.tier]
    most = tier.max_endpoints
    if most is not None and await webhooks.count(connection, account.id) >= most:
        raise InnoError(
            "conflict", f"The account has {most} endpoints, as many as tier {tier.name} allows. Delete one."
        )


def _changed(services: Services, wanted: ChangeEndpoint) -> dict[str, Any]:
    """What changes whatever the endpoint is like; its headers are looked at, and not in it."""
    values: dict[str, Any] = {}
    if wanted.url is not UNSET:
        _check_url(services, wanted.url)
        values["url"] = wanted.url
    if wanted.event_types is not UNSET:
        values["event_types"] = _patterns(wanted.event_types)
    if wanted.description is not UNSET:
        values["description"] = wanted.description
    if wanted.headers is not UNSET:
        _check_headers(wanted.headers)
    if wanted.disabled is not UNSET:
        values["disabled"] = wanted.disabled
    return values


def _changed_headers(services: Services, record: EndpointRecord, wanted: ChangeEndpoint) -> dict[str, bytes]:
    """The headers to seal, if others are wanted.

    Raises:
        InnoError: invalid_request, when the present ones would go to another receiver. Whoever may name one
            may not see them, and to drop them unasked would have the new receiver refuse what comes.
    """
    present, is_moved = _headers(services, record), not _has_same_receiver(record, wanted)
    if is_moved and (bool(present) if wanted.headers is UNSET else HIDDEN in wanted.headers.values()):
        raise InnoError(
            "invalid_request",
            "headers: they are for the present receiver, and url names another scheme, host or port. "
            "Give them and their values together with url, or {} to send none.",
            param="headers",
        )
    if wanted.headers is UNSET:
        return {}
    headers = _with_kept(wanted.headers, present)
    if headers == present:
        # Sealed anew, they would look like others.
        return {}
    return {"sealed_headers": _seal_headers(services, record.id, headers)}


def _with_kept(wanted: dict[str, str], present: dict[str, str]) -> dict[str, str]:
    """The headers that are wanted; what is written as GET shows it has the value that it has at present.

    Raises:
        InnoError: invalid_request, where there is none.
    """
    # HTTP does not tell names apart by case (RFC 9110 §5.1), nor do clients that read and write them.
    # An older version took both spellings: then the very one counts.
    values = {name.lower(): value for name, value in present.items()} | present
    hidden = [name for name, value in wanted.items() if value == HIDDEN]
    unknown = next((name for name in hidden if name.lower() not in values), None)
    if unknown is not None:
        raise InnoError(
            "invalid_request",
            f"headers: {HIDDEN} keeps a value, and there is none of {unknown}. Give the value itself.",
            param="headers",
        )
    return wanted | {name: values.get(name, values[name.lower()]) for name in hidden}


def _has_same_receiver(record: EndpointRecord, wanted: ChangeEndpoint) -> bool:
    if wanted.url is UNSET or wanted.url == record.url:
        return True
    return addresses.read_url(wanted.url).receiver == addresses.read_url(record.url).receiver


def _check_url(services: Services, text: str) -> None:
    allowed = parse_networks(services.settings.webhooks.allowed_networks)
    try:
        addresses.refuse_literal(addresses.read_url(text), allowed)
    except (ValueError, AddressRefused) as error:
        raise InnoError("invalid_request", f"url: {error}.", param="url") from None


def _patterns(named: list[str]) -> tuple[str, ...]:
    unknown = next((name for name in named if name not in PATTERNS), None)
    if unknown is not None:
        raise InnoError(
            "invalid_request",
            f"event_types: {unknown!r} is none. GET /v1/webhooks/event-types lists them; "
            "key.* stands for all of a kind.",
            param="event_types",
        )
    return tuple(dict.fromkeys(named))


def _check_headers(headers: dict[str, str]) -> None:
    reserved = next((name for name in headers if _RESERVED.fullmatch(name.lower())), None)
    if reserved is not None:
        raise InnoError(
            "invalid_request", f"headers: {reserved} is set by innoai. Leave it out.", param="headers"
        )
    spellings = {name.lower(): name for name in headers}
    double = next((name for name in headers if spellings[name.lower()] != name), None)
    if double is not None:
        raise InnoError(
            "invalid_request",
            f"headers: {double} and {spellings[double.lower()]} are one header, since case does not count. "
            "Give it once.",
            param="headers",
        )


def _seal_headers(services: Services, endpoint_id: str, headers: dict[str, str]) -> bytes:
    return services.secrets.seal(json.dumps(headers).encode(), sealed_for("headers", endpoint_id))


def _seal_secret(services: Services, endpoint_id: str, secret: str) -> bytes:
    return services.secrets.seal(secret.encode(), sealed_for("secret", endpoint_id))


def _new_secret() -> str:
    return signing.mint(os.urandom(signing.SECRET_BYTES))


def _with_secret(shown: Endpoint, secret: str) -> bytes:
    return msgspec.json.encode(NewEndpoint(**msgspec.structs.asdict(shown), secret=secret))


def _headers(services: Services, record: EndpointRecord) -> dict[str, str]:
    opened: dict[str, str] = json.loads(
        services.secrets.open(record.sealed_headers, sealed_for("headers", record.id))
    )
    return opened


def _show(services: Services, record: EndpointRecord, now: float) -> Endpoint:
    overlap_ends = record.previous_secret_ends_at
    return Endpoint(
        id=record.id,
        url=record.url,
        event_types=record.event_types,
        description=record.description,
        headers=dict.fromkeys(_headers(services, record), HIDDEN),
        disabled=record.disabled,
        disabled_because=record.disabled_because,
        failing_since=instant(record.failing_since),
        previous_secret_expires_at=instant(
            None if overlap_ends is None or overlap_ends <= now else overlap_ends
        ),
        created_at=instant(record.created_at),
        updated_at=instant(record.updated_at),
    )


_EVENT_TYPES = msgspec.json.encode(
    EventTypeList(
        data=[
            ShownEventType(
                type=name,
                description=event_type.description,
                schema=catalogue.schema(name),
                example=catalogue.example(name),
            )
            for name, event_type in EVENT_TYPES.items()
        ]
    )
)
