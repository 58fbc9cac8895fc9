"""/v1/keys: API keys are made, listed, changed, rotated with overlap and revoked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Response, delete, get, patch, post
from msgspec import UNSET, Meta, UnsetType

from innoai.access.budgets import month_of
from innoai.access.networks import NETWORK_PATTERN, parse_networks
from innoai.access.roles import is_owners_key
from innoai.access.scopes import ADMIN_FULL, DEFAULT_SCOPES, LEVELS, in_order, scope_set
from innoai.api import rates, revocations
from innoai.api.actors import actor_of
from innoai.api.admission import Caller, Inside
from innoai.api.customers import customer_or_create
from innoai.api.idempotency import create_once
from innoai.api.money import SetBudgets, budgets_by_subject, budgets_of, changed_budgets, set_budgets
from innoai.api.objects import Key, Level, Scope, Status, key_now, show_key
from innoai.api.rates import RateLimit
from innoai.api.services import Services
from innoai.api.wire import (
    IN_WORDS,
    PRINTABLE,
    Instant,
    JsonRequest,
    Limit,
    Name,
    Page,
    Search,
    answer,
    as_shown,
    cursor_of,
    cut,
    decode_json,
    json_body,
    read_body,
    read_query,
)
from innoai.auth.shapes import CustomerId
from innoai.door import Admission
from innoai.errors import InnoError
from innoai.events import journal
from innoai.fresh_ids import fresh_id
from innoai.store import accounts, api_keys, billing, budgets
from innoai.store.api_keys import KeyRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.access.tiers import Tier

MAX_OVERLAP = 30 * 86_400
DEFAULT_OVERLAP = 86_400
WITH_OVERLAP = 2
"""How many times the tier's keys may be live while old ones overlap with their successors."""

LAST_INSTANT = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
Scopes = Annotated[list[Scope], Meta(min_length=1, max_length=64, description="what the key may do")]
Network = Annotated[
    str,
    Meta(
        max_length=64,
        description="a CIDR network or a single address, IPv4 or IPv6",
        extra_json_schema={"pattern": NETWORK_PATTERN},
    ),
]
Networks = Annotated[
    list[Network], Meta(max_length=256, description="where it may be used from; [] is anywhere")
]
ModelName = Annotated[str, Meta(min_length=1, max_length=200, pattern=PRINTABLE, extra=IN_WORDS)]
ModelNames = Annotated[list[ModelName], Meta(min_length=1, max_length=256, description="the only models")]


class CreateKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to make. A level is added to the scopes; without either it may use inference."""

    name: Name
    scopes: Scopes | None = None
    level: Level | None = None
    allowed_ips: Networks | None = None
    rate_limit: RateLimit | None = None
    expires_at: Instant | None = None
    models: ModelNames | None = None
    customer_id: CustomerId | None = None
    budgets: SetBudgets | None = None


class ChangeKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change; a member that is left out stays as it is, null removes the restriction."""

    name: Name | UnsetType = UNSET
    scopes: Scopes | UnsetType = UNSET
    allowed_ips: Networks | UnsetType | None = UNSET
    rate_limit: RateLimit | UnsetType | None = UNSET
    expires_at: Instant | UnsetType | None = UNSET
    models: ModelNames | UnsetType | None = UNSET
    budgets: SetBudgets | UnsetType = UNSET


class RotateKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to rotate. `overlap` in seconds: for how long the old key goes on working."""

    overlap: Annotated[int, Meta(ge=0, le=MAX_OVERLAP)] = DEFAULT_OVERLAP
    name: Name | None = None


class KeyQuery(msgspec.Struct, frozen=True):
    """Which keys to list, newest first."""

    limit: Limit = 20
    cursor: Annotated[str, cursor_of("key")] | None = None
    status: Status | None = None
    customer_id: CustomerId | None = None
    search: (
        Annotated[
            Search,
            Meta(description="part of the name in any case, the last four characters, id or customer_id"),
        ]
        | None
    ) = None


class UsedKey(Key, frozen=True, kw_only=True):
    """An API key, and how often it was used."""

    requests_this_month: Annotated[
        int, Meta(ge=0, description="finished inference requests of this month, in UTC")
    ]


class NewKey(Key, frozen=True, kw_only=True):
    """An API key with its secret, which is shown this once."""

    key: str


class KeyPage(Page, frozen=True, kw_only=True):
    """A page of keys."""

    data: list[UsedKey]


@post("/v1/keys", status_code=201)
async def create_key(request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """Make an API key. The answer is the only place where the key itself is ever shown."""
    content = await json_body(request)
    wanted = decode_json(content, CreateKey)
    account = caller.principal.account
    actor = actor_of(request, caller)
    tier = services.tiers[account.tier]
    scopes = _scopes_of(wanted)
    keep_admin_from_customers(scopes, wanted.customer_id)
    record = KeyRecord(
        id=fresh_id("key"),
        account_id=account.id,
        customer_pk=None,
        customer_id=None,
        name=wanted.name,
        last4="",
        scopes=in_order(scopes),
        allowed_ips=_networks(wanted.allowed_ips or ()),
        rate_limit=rates.within(tier, wanted.rate_limit),
        models=None if wanted.models is None else tuple(wanted.models),
        created_at=services.clock(),
        expires_at=_future(wanted.expires_at, services.clock()),
        by_owner=is_owners_key(caller.principal),
    )

    async def create(connection: AsyncConnection) -> bytes:
        await _check_room(connection, account.id, tier, record.created_at)
        owned = record
        if wanted.customer_id is not None:
            pk = await customer_or_create(services, connection, account, wanted.customer_id, actor)
            owned = replace(record, customer_pk=pk, customer_id=wanted.customer_id)
        made = await _issue(services, connection, owned, tier, wanted.budgets or SetBudgets())
        await journal.record(
            connection,
            account.id,
            "key.created",
            actor=actor,
            now=record.created_at,
            target_id=made.id,
            after=as_shown(_without_secret(made)),
        )
        return msgspec.json.encode(made)

    created = await create_once(services, request, caller, content, create)
    await services.heed_changes()
    return answer(created, 201)


@get("/v1/keys")
async def list_keys(request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """List the account's keys, newest first."""
    query = read_query(request, KeyQuery)
    now = services.clock()
    async with services.database.read() as connection:
        found = await api_keys.page(
            connection,
            caller.principal.account.id,
            limit=query.limit + 1,
            before=query.cursor,
            status=query.status,
            customer_id=query.customer_id,
            search=query.search,
            now=now,
        )
        shown, next_cursor = cut(found, query.limit, lambda record: record.id)
        key_ids = [record.id for record in shown]
        budgets_of_key = await budgets_by_subject(connection, key_ids)
        requests = await billing.requests_of(connection, key_ids, month_of(now))
    tier = services.tiers[caller.principal.account.tier]
    return answer(
        KeyPage(
            data=[
                _used(show_key(_lately(services, record), budgets_of_key[record.id], tier, now), requests)
                for record in shown
            ],
            next_cursor=next_cursor,
        )
    )


@get("/v1/keys/{key_id:str}")
async def get_key(key_id: str, services: Inside, caller: Caller) -> Response[bytes]:
    """Show one key."""
    tier = services.tiers[caller.principal.account.tier]
    async with services.database.read() as connection:
        record = _lately(services, await own_key(connection, key_id, caller))
        shown = await key_now(connection, record, tier, services.clock())
        requests = await billing.requests_of(connection, [key_id], month_of(services.clock()))
    return answer(_used(shown, requests))


@patch("/v1/keys/{key_id:str}")
async def change_key(key_id: str, request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """Change a key; effective for it and for every token minted from it when this is answered."""
    wanted = await read_body(request, ChangeKey)
    account = caller.principal.account
    tier = services.tiers[account.tier]
    now = services.clock()
    values = changed_values(wanted, tier)
    async with services.database.write() as connection:
        await accounts.lock(connection, account.id)
        record = await own_key(connection, key_id, caller)
        if record.revoked_at is not None:
            raise InnoError("conflict", "The key is revoked, which is for good. Create a new key.")
        keep_admin_from_customers(values.get("scopes", ()), record.customer_id)
        if _lives_longer(record, values, now):
            await _check_room(connection, record.account_id, tier, now, besides=key_id)
        before = await key_now(connection, record, tier, now)
        values = {name: value for name, value in values.items() if value != getattr(record, name)}
        amounts = wanted.budgets or SetBudgets()
        changes = bool(values or await changed_budgets(connection, key_id, amounts))
        if changes and is_owners_key(caller.principal, before=record.by_owner) != record.by_owner:
            values["by_owner"] = False
        if values:
            await api_keys.change(connection, key_id, values, now)
        await set_budgets(connection, account.id, key_id, amounts, now)
        changed = await own_key(connection, key_id, caller)
        after = await key_now(connection, changed, tier, now)
        if changes:
            await journal.record(
                connection,
                account.id,
                "key.updated",
                actor=actor_of(request, caller),
                now=now,
                target_id=key_id,
                before=_on_record(before, record, values),
                after=_on_record(after, changed, values),
                event=as_shown(after),
            )
    await services.heed_changes()
    return answer(after)


@post("/v1/keys/{key_id:str}/rotate", status_code=201)
async def rotate_key(key_id: str, request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """Make a successor with the same rights; the old key expires after the overlap."""
    content = await json_body(request)
    wanted = decode_json(content or b"{}", RotateKey)
    account = caller.principal.account
    actor = actor_of(request, caller)
    tier = services.tiers[account.tier]
    now = services.clock()

    async def create(connection: AsyncConnection) -> bytes:
        # First, so that of two rotations at once the second sees what the first has left of the old key.
        await accounts.lock(connection, account.id)
        old = await _held_key(connection, key_id, caller)
        if old.status(now) != "active":
            raise InnoError("conflict", f"The key is {old.status(now)}. Create a new key instead.")
        if old.rotated_to is not None:
            message = f"The key has been rotated already. Rotate its successor, {old.rotated_to}, instead."
            raise InnoError("conflict", message)
        ends = now + wanted.overlap
        expires_at = ends if old.expires_at is None else min(ends, old.expires_at)
        if wanted.overlap:
            await _check_room(connection, account.id, tier, now, times=WITH_OVERLAP)
        before = await key_now(connection, old, tier, now)
        successor = replace(
            old,
            id=fresh_id("key"),
            name=wanted.name or old.name,
            created_at=now,
            last_used_at=None,
            rotated_from=old.id,
            by_owner=is_owners_key(caller.principal, before=old.by_owner),
        )
        made = await _issue(services, connection, successor, tier, await _inherited(connection, key_id))
        left = replace(old, expires_at=expires_at, rotated_to=successor.id)
        changed = {"expires_at": left.expires_at, "rotated_to": left.rotated_to}
        await api_keys.change(connection, key_id, changed, now)
        after = await key_now(connection, left, tier, now)
        await journal.record(
            connection,
            account.id,
            "key.rotated",
            actor=actor,
            now=now,
            target_id=key_id,
            before=as_shown(before),
            after={"key": as_shown(after), "successor": as_shown(_without_secret(made))},
        )
        return msgspec.json.encode(made)

    created = await create_once(services, request, caller, content, create)
    await services.heed_changes()
    return answer(created, 201)


@delete("/v1/keys/{key_id:str}", status_code=204)
async def revoke_key(key_id: str, request: JsonRequest, services: Inside, caller: Caller) -> None:
    """Revoke a key for good, with every token minted from it. A key may always revoke itself."""
    account = caller.principal.account
    actor = actor_of(request, caller)
    async with services.database.write() as connection:
        await accounts.lock(connection, account.id)
        record = await own_key(connection, key_id, caller)
        await revocations.revoke(connection, record, services.tiers[account.tier], actor, services.clock())
    await services.heed_changes()


async def _issue(
    services: Services, connection: AsyncConnection, record: KeyRecord, tier: Tier, wanted: SetBudgets
) -> NewKey:
    record, secret = await api_keys.issue(connection, services.secrets, record)
    await set_budgets(connection, record.account_id, record.id, wanted, record.created_at)
    shown = await key_now(connection, record, tier, record.created_at)
    return NewKey(**msgspec.structs.asdict(shown), key=secret)


async def _inherited(connection: AsyncConnection, key_id: str) -> SetBudgets:
    """The budgets of a key, for its successor, whose spending begins anew."""
    shown = budgets_of(await budgets.of(connection, key_id))
    return SetBudgets(shown.monthly, shown.total)


def _lately(services: Services, record: KeyRecord) -> KeyRecord:
    """The key with its last use at this server, be it written to the store or not."""
    noted = services.keyring.used_at(record.id)
    if noted is None or noted <= (record.last_used_at or 0):
        return record
    return replace(record, last_used_at=noted)


def _used(key: Key, requests: Mapping[str, int]) -> UsedKey:
    return UsedKey(**msgspec.structs.asdict(key), requests_this_month=requests.get(key.id, 0))


def _on_record(shown: Key, record: KeyRecord, changed: Collection[str]) -> dict[str, Any]:
    """The key as the audit log has it: where it changed, with `by_owner`, which no answer shows."""
    rank = {"by_owner": record.by_owner} if "by_owner" in changed else {}
    return {**as_shown(shown), **rank}


def _without_secret(made: NewKey) -> Key:
    return Key(**{name: getattr(made, name) for name in Key.__struct_fields__})


async def own_key(connection: AsyncConnection, key_id: str, caller: Admission) -> KeyRecord:
    """The key of the caller's account. InnoError not_found when there is none of that id."""
    return _found(await api_keys.get(connection, key_id, caller.principal.account.id))


async def _held_key(connection: AsyncConnection, key_id: str, caller: Admission) -> KeyRecord:
    """The same, for whoever tells the feed of something else before changing it: see api_keys.hold."""
    held = await api_keys.hold(connection, caller.principal.account.id, [key_id])
    return _found(held[0] if held else None)


def _found(record: KeyRecord | None) -> KeyRecord:
    if record is None:
        raise InnoError("not_found", "No key has that id. GET /v1/keys lists the keys.")
    return record


async def _check_room(
    connection: AsyncConnection,
    account_id: str,
    tier: Tier,
    now: float,
    *,
    times: int = 1,
    besides: str | None = None,
) -> None:
    """Refuse one live key more than `times` what the tier allows; the key `besides` does not count."""
    await accounts.lock(connection, account_id)
    if tier.max_keys is None:
        return
    live = await api_keys.count_live(connection, account_id, now, besides=besides)
    if live >= times * tier.max_keys:
        raise InnoError(
            "conflict",
            f"The account has {live} active keys; tier {tier.name} allows {tier.max_keys}, and as many more "
            "for the overlap of rotations. Revoke one.",
        )


def _lives_longer(record: KeyRecord, values: Mapping[str, Any], now: float) -> bool:
    """Whether the change lets a key live on after its expiry, which takes room as a new key does."""
    if record.expires_at is None or "expires_at" not in values:
        return False
    ends = values["expires_at"]
    return ends is None or ends > max(record.expires_at, now)


def _scopes_of(wanted: CreateKey) -> frozenset[str]:
    named = _checked_scopes(wanted.scopes or ())
    if wanted.level is not None:
        named |= LEVELS[wanted.level]
    return named or scope_set(DEFAULT_SCOPES)


def keep_admin_from_customers(scopes: Collection[str], customer_id: str | None) -> None:
    """InnoError insufficient_permissions for a customer's key that would have admin:full."""
    if customer_id is not None and ADMIN_FULL in scopes:
        raise InnoError(
            "insufficient_permissions",
            "A key that is bound to a customer never carries admin:full. Leave it out of scopes and level.",
            required_scope=ADMIN_FULL,
        )


def _checked_scopes(scopes: Iterable[str]) -> frozenset[str]:
    try:
        return scope_set(scopes)
    except ValueError as error:
        raise InnoError("invalid_request", f"scopes: {error}.", param="scopes") from None


def _networks(texts: Iterable[str]) -> tuple[str, ...]:
    try:
        return parse_networks(texts).texts()
    except ValueError as error:
        raise InnoError("invalid_request", f"allowed_ips: {error}.", param="allowed_ips") from None


def _future(wanted: datetime | None, now: float) -> float | None:
    if wanted is None:
        return None
    expires_at = _seconds(wanted)
    if expires_at <= now:
        # What is past depends on the server's clock, so this is a conflict and no malformed request.
        raise InnoError(
            "conflict", "expires_at: that instant is past. Choose a later one.", param="expires_at"
        )
    return expires_at


def _seconds(wanted: datetime) -> float:
    """Unix seconds. What the offset moves out of the years that can be written in UTC counts as their end."""
    return min(max(wanted.timestamp(), 0.0), LAST_INSTANT)


def changed_values(wanted: ChangeKey, tier: Tier) -> dict[str, Any]:
    """What a key record is to hold: columns, with lists as the record has them."""
    values: dict[str, Any] = {}
    if wanted.name is not UNSET:
        values["name"] = wanted.name
    if wanted.scopes is not UNSET:
        values["scopes"] = in_order(_checked_scopes(wanted.scopes))
    if wanted.allowed_ips is not UNSET:
        values["allowed_ips"] = _networks(wanted.allowed_ips or ())
    if wanted.rate_limit is not UNSET:
        values["rate_limit"] = rates.within(tier, wanted.rate_limit)
    if wanted.expires_at is not UNSET:
        values["expires_at"] = None if wanted.expires_at is None else _seconds(wanted.expires_at)
    if wanted.models is not UNSET:
        values["models"] = None if wanted.models is None else tuple(wanted.models)
    return values
