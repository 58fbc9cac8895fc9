"""Revocations of keys, on record: asked for, by whoever holds the key, or along with its customer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from innoai.api.money import budgets_of
from innoai.api.objects import show_key
from innoai.api.wire import as_shown
from innoai.events import journal
from innoai.store import api_keys, budgets

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.access.tiers import Tier
    from innoai.events.journal import Actor
    from innoai.store.api_keys import KeyRecord


async def revoke(connection: AsyncConnection, key: KeyRecord, tier: Tier, actor: Actor, now: float) -> None:
    """Revoke a key and record it; where it is revoked already, nothing is done."""
    if await api_keys.revoke(connection, key.id, now):
        await record(connection, key, tier, actor, now)


async def record(connection: AsyncConnection, key: KeyRecord, tier: Tier, actor: Actor, now: float) -> None:
    """Record that a key, which is given as it was before, has been revoked in this transaction."""
    own = budgets_of(await budgets.of(connection, key.id))
    await journal.record(
        connection,
        key.account_id,
        "key.revoked",
        actor=actor,
        now=now,
        target_id=key.id,
        before=as_shown(show_key(key, own, tier, now)),
        after=as_shown(show_key(replace(key, revoked_at=now), own, tier, now)),
    )
