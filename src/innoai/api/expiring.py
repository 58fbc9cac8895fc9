"""Keys that are about to expire: their accounts are told once, whichever replica sees it first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from innoai.api.objects import key_now
from innoai.api.wire import as_shown
from innoai.events import journal
from innoai.events.journal import SYSTEM
from innoai.store import accounts, announced, api_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.access.tiers import Tier
    from innoai.store.api_keys import KeyRecord
    from innoai.store.database import Database

NOTICE = 7 * 86_400.0
"""Seconds before its expiry from which on a key is expiring."""

YOUTH = 3600.0
"""Seconds for which a key is new: whoever made it has just said when it expires."""


async def announce(database: Database, tiers: Mapping[str, Tier], now: float) -> None:
    """Record each key that expires within NOTICE and was not told of yet, as of `now` (Unix seconds)."""
    async with database.read() as connection:
        expiring = await api_keys.expiring(connection, now, now + NOTICE, made_before=now - YOUTH)
        told = await announced.said(connection, [key.id for key in expiring])
    for key in expiring:
        if (key.id, _name(key)) not in told:
            async with database.write() as connection:
                await _announce_one(connection, key, tiers, now)


async def _announce_one(
    connection: AsyncConnection, key: KeyRecord, tiers: Mapping[str, Tier], now: float
) -> None:
    await accounts.lock(connection, key.account_id)
    present = await api_keys.get(connection, key.id)
    if present is None or present.revoked_at is not None or present.expires_at != key.expires_at:
        return
    tier = tiers.get((await accounts.get(connection, key.account_id)).tier)
    if tier is None or not await announced.first(connection, key.id, _name(key), now):
        return
    await journal.record(
        connection,
        key.account_id,
        "key.expiring",
        actor=SYSTEM,
        now=now,
        target_id=key.id,
        after=as_shown(await key_now(connection, present, tier, now)),
    )


def _name(key: KeyRecord) -> str:
    """A key whose expiry was put off is told of anew."""
    return f"key.expiring/{int(key.expires_at or 0)}"
