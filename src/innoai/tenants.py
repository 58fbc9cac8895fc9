"""The operator's hand on accounts: make, list, disable them, move them between tiers, replace lost keys.

It works on the store, with or without a running server; a running one hears of it within its next
look at the change feed.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from innoai.config import ConfigError, NoSuchThing
from innoai.events import journal
from innoai.events.journal import OPERATOR
from innoai.installation import admin_key, invite_owner, new_account, opened, show_account
from innoai.store import accounts, signing_keys
from innoai.store import secrets as store_secrets

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.config import Settings
    from innoai.store.accounts import AccountRecord
    from innoai.store.api_keys import KeyRecord


def create(settings: Settings, name: str, tier: str) -> tuple[AccountRecord, str]:
    """A new account and its first admin key, which is shown this once.

    Raises:
        ConfigError: there is no such tier, or the store cannot be used.
    """
    _check_tier(settings, tier)
    return asyncio.run(_create(settings, name, tier))


def everyone(settings: Settings) -> list[AccountRecord]:
    """All accounts, the oldest first. ConfigError when the store cannot be used."""
    return asyncio.run(_everyone(settings))


def set_tier(settings: Settings, account_id: str, tier: str) -> AccountRecord:
    """Move an account to another tier, whose bounds hold for its keys from then on.

    Raises:
        ConfigError: there is no such tier or account, or the store cannot be used.
    """
    _check_tier(settings, tier)
    return asyncio.run(_change(settings, account_id, tier=tier))


def set_disabled(settings: Settings, account_id: str, *, disabled: bool) -> AccountRecord:
    """Refuse, or admit again, all keys and tokens of an account. ConfigError as with set_tier."""
    return asyncio.run(_change(settings, account_id, disabled=disabled))


def new_key(settings: Settings, account_id: str, name: str) -> tuple[KeyRecord, str]:
    """A new admin key of an account, for whoever has lost all of them; it is shown this once.

    Raises:
        ConfigError: there is no such account, it is disabled, or the store cannot be used.
    """
    return asyncio.run(_new_key(settings, account_id, name))


def setup_link(settings: Settings, account_id: str) -> str:
    """A link by which whoever opens it becomes an owner of the account. ConfigError as with new_key."""
    return asyncio.run(_setup_link(settings, account_id))


async def _create(settings: Settings, name: str, tier: str) -> tuple[AccountRecord, str]:
    secrets = store_secrets.load(settings, create=False)
    async with opened(settings) as database, database.write() as connection:
        return await new_account(connection, secrets, name, settings.tiers[tier], time.time())


async def _everyone(settings: Settings) -> list[AccountRecord]:
    async with opened(settings) as database, database.read() as connection:
        return await accounts.everyone(connection)


async def _new_key(settings: Settings, account_id: str, name: str) -> tuple[KeyRecord, str]:
    secrets = store_secrets.load(settings, create=False)
    async with opened(settings) as database, database.write() as connection:
        # Opening the signing keys shows that this is the store's secret; under another the key is useless.
        await signing_keys.load(connection, secrets, time.time())
        account = await _enabled(connection, account_id)
        _check_tier(settings, account.tier)
        tier = settings.tiers[account.tier]
        return await admin_key(connection, secrets, account, name, tier, time.time())


async def _setup_link(settings: Settings, account_id: str) -> str:
    async with opened(settings) as database, database.write() as connection:
        account = await _enabled(connection, account_id)
        return await invite_owner(connection, account, settings, time.time())


async def _enabled(connection: AsyncConnection, account_id: str) -> AccountRecord:
    """The account, which nobody may change meanwhile. ConfigError where it admits nobody."""
    await accounts.lock(connection, account_id)
    account = await accounts.find(connection, account_id)
    if account is None:
        raise _no_account(account_id)
    if account.disabled:
        raise ConfigError(f"the account {account_id} is disabled; `innoai accounts enable` admits it again")
    return account


def _no_account(account_id: str) -> NoSuchThing:
    return NoSuchThing(f"there is no account {account_id}; `innoai accounts list` lists them")


async def _change(settings: Settings, account_id: str, **values: str | bool) -> AccountRecord:
    async with opened(settings) as database, database.write() as connection:
        await accounts.lock(connection, account_id)
        before = await accounts.find(connection, account_id)
        if before is None:
            raise _no_account(account_id)
        after = replace(before, **values)  # type: ignore[arg-type]
        if after != before:
            now = time.time()
            await accounts.change(connection, account_id, values, now)
            await _record(connection, before, after, now)
    return after


async def _record(
    connection: AsyncConnection, before: AccountRecord, after: AccountRecord, now: float
) -> None:
    """Record the change that the operator made; a new tier is an event as well."""
    action = "account.disabled" if after.disabled else "account.enabled"
    event = None
    if after.tier != before.tier:
        action = "tier.changed"
        event = {"before": before.tier, "after": after.tier}
    await journal.record(
        connection,
        after.id,
        action,
        actor=OPERATOR,
        now=now,
        target_id=after.id,
        before=show_account(before),
        after=show_account(after),
        event=event,
    )


def _check_tier(settings: Settings, tier: str) -> None:
    if tier not in settings.tiers:
        raise NoSuchThing(f"there is no tier {tier}; the tiers are {', '.join(settings.tiers)}")
