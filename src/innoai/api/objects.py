"""Keys and customers as the API shows them: in answers, in events, and in the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from innoai.access import keys as key_format
from innoai.access.scopes import SCOPES, level_of
from innoai.access.tiers import effective_rate_limit
from innoai.api.money import Budgets, budgets_of
from innoai.api.wire import Instant, instant
from innoai.store import budgets

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.access.tiers import Tier
    from innoai.store.api_keys import KeyRecord
    from innoai.store.customers import CustomerRecord

Level = Literal["read", "write", "delete", "admin"]
Status = Literal["active", "expired", "revoked"]
Scope = Annotated[str, Meta(extra_json_schema={"enum": list(SCOPES)})]
LevelName = Annotated[str, Meta(extra_json_schema={"enum": list(get_args(Level))})]
StatusName = Annotated[str, Meta(extra_json_schema={"enum": list(get_args(Status))})]


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """An API key without its secret."""

    id: str
    object: Literal["api_key"] = "api_key"
    name: str
    prefix: str = key_format.PREFIX
    last4: str
    scopes: tuple[Scope, ...]
    level: LevelName | None
    allowed_ips: tuple[str, ...]
    rate_limit: int
    models: tuple[str, ...] | None
    customer_id: str | None
    budgets: Budgets
    status: StatusName
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Instant | None
    rotated_from: str | None
    rotated_to: str | None


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """A customer: `id` is this server's, `customer_id` the account's own."""

    id: str
    object: Literal["customer"] = "customer"
    customer_id: str
    name: str | None
    metadata: dict[str, str]
    rate_limit: Annotated[
        int | None,
        Meta(description="requests a minute of all its credentials together; null is no limit"),
    ]
    budgets: Budgets
    disabled: bool
    created_at: Instant
    updated_at: Instant


def show_key(record: KeyRecord, own: Budgets, tier: Tier, now: float) -> Key:
    """The key as it stands at `now`, with the limits that its account's tier gives it."""
    return Key(
        id=record.id,
        name=record.name,
        last4=record.last4,
        scopes=record.scopes,
        level=level_of(frozenset(record.scopes)),
        allowed_ips=record.allowed_ips,
        rate_limit=effective_rate_limit(record.rate_limit, tier),
        models=record.models,
        customer_id=record.customer_id,
        budgets=own,
        status=record.status(now),
        created_at=instant(record.created_at),
        expires_at=instant(record.expires_at),
        revoked_at=instant(record.revoked_at),
        last_used_at=instant(record.last_used_at),
        rotated_from=record.rotated_from,
        rotated_to=record.rotated_to,
    )


async def key_now(connection: AsyncConnection, record: KeyRecord, tier: Tier, now: float) -> Key:
    """The key with the budgets that the store has for it."""
    return show_key(record, budgets_of(await budgets.of(connection, record.id)), tier, now)


def show_customer(record: CustomerRecord, own: Budgets) -> Customer:
    """The customer."""
    return Customer(
        id=record.id,
        customer_id=record.customer_id,
        name=record.name,
        metadata=dict(record.metadata),
        rate_limit=record.rate_limit,
        budgets=own,
        disabled=record.disabled,
        created_at=instant(record.created_at),
        updated_at=instant(record.updated_at),
    )
