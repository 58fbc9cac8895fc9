"""Making an installation: the secret, the schema, the signing key, the first account and its first key."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from innoai.access.scopes import ADMIN_FULL
from innoai.access.tiers import FIRST_ACCOUNT_TIER
from innoai.api.members import invite
from innoai.api.money import Budgets
from innoai.api.objects import show_key
from innoai.api.wire import as_shown
from innoai.config import ConfigError, without_password
from innoai.errors import InnoError
from innoai.events import journal
from innoai.events.journal import OPERATOR
from innoai.fresh_ids import fresh_id
from innoai.store import accounts, api_keys, signing_keys
from innoai.store import secrets as store_secrets
from innoai.store.accounts import AccountRecord
from innoai.store.api_keys import KeyRecord
from innoai.store.database import Database
from innoai.store.members import INVITE_LIFETIME, OWNER, MemberRecord

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.access.tiers import Tier
    from innoai.access.tokens import Algorithm
    from innoai.config import Settings
    from innoai.store.secrets import Secrets

SIGNING_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Initialised:
    """What `innoai init` did. `api_key` is the first admin key, and None when the store was there before."""

    api_key: str | None
    dashboard_setup_url: str
    created: bool


def initialise(settings: Settings) -> Initialised:
    """Create the store if there is none: schema, signing key, first account, first admin key.

    Raises:
        ConfigError: the store or the secret cannot be made or used.
    """
    return asyncio.run(_initialise(settings))


def rotate_signing_key(settings: Settings, *, ends_former: bool = False) -> str:
    """Let a new key sign tokens, in running servers too, and record it in the first account; returns its id.

    The former key verifies until what it signed has expired. With `ends_former`, which is for keys that
    have leaked, no token lives on that was signed before.

    Raises:
        ConfigError: the store or the secret cannot be used.
    """
    return asyncio.run(_rotate_signing_key(settings, ends_former))


async def _initialise(settings: Settings) -> Initialised:
    secrets = store_secrets.load(settings, create=True)
    if settings.store.sqlite_file is not None:
        settings.store.sqlite_file.parent.mkdir(parents=True, exist_ok=True)
    async with opened(settings, to_be_migrated=True) as database:
        await database.migrate()
        async with database.write() as connection:
            now = time.time()
            signing = await signing_keys.load(connection, secrets, now)
            if signing is None or signing.current.algorithm != settings.tokens.algorithm:
                await _new_signing_key(connection, secrets, settings.tokens.algorithm, now)
            if await accounts.first(connection) is not None:
                return Initialised(None, f"{settings.server.url}/", created=False)
            return await _first_account(connection, settings, secrets, now)


async def _rotate_signing_key(settings: Settings, ends_former: bool) -> str:
    secrets = store_secrets.load(settings, create=False)
    async with opened(settings) as database, database.write() as connection:
        # Opening the present keys shows that this is the store's secret before anything is sealed under it.
        await signing_keys.load(connection, secrets, time.time())
        algorithm = settings.tokens.algorithm
        return await _new_signing_key(connection, secrets, algorithm, time.time(), ends_former=ends_former)


@asynccontextmanager
async def opened(settings: Settings, *, to_be_migrated: bool = False) -> AsyncIterator[Database]:
    """The store, with its schema unless it is to be migrated; what stands in the way is told in one line."""
    file = settings.store.sqlite_file
    if file is not None and not to_be_migrated and not file.exists():
        # To look at it would make it, empty.
        raise ConfigError(f"there is no store {settings.store.url}; `innoai init` makes it")
    database = Database(settings.store.url)
    try:
        await database.check_version(to_be_migrated=to_be_migrated)
        yield database
    except InnoError:
        raise ConfigError(
            f"the store {without_password(settings.store.url)} cannot be reached or written; "
            "check store.url, and that its server runs or its directory is writable"
        ) from None
    finally:
        await database.close()


async def _first_account(
    connection: AsyncConnection, settings: Settings, secrets: Secrets, now: float
) -> Initialised:
    tier = settings.tiers[FIRST_ACCOUNT_TIER]
    account, key = await new_account(connection, secrets, "First account", tier, now)
    owner = MemberRecord(
        id=fresh_id("mem"),
        account_id=account.id,
        role=OWNER,
        created_at=now,
        invite_expires_at=now + INVITE_LIFETIME,
    )
    url = await invite(connection, owner, settings.server, OPERATOR)
    return Initialised(key, url, created=True)


async def new_account(
    connection: AsyncConnection, secrets: Secrets, name: str, tier: Tier, now: float
) -> tuple[AccountRecord, str]:
    """An account and its first admin key, both on record as the operator's doing."""
    account = AccountRecord(fresh_id("acc"), name, tier.name, disabled=False, created_at=now)
    await accounts.create(connection, account)
    record = KeyRecord(
        id=fresh_id("key"),
        account_id=account.id,
        customer_pk=None,
        customer_id=None,
        name="First admin key",
        last4="",
        scopes=(ADMIN_FULL,),
        allowed_ips=(),
        rate_limit=None,
        models=None,
        created_at=now,
    )
    issued, key = await api_keys.issue(connection, secrets, record)
    shown_key = show_key(issued, Budgets(None, None), tier, now)
    for action, target_id, shown in (
        ("account.created", account.id, show_account(account)),
        ("key.created", record.id, as_shown(shown_key)),
    ):
        await journal.record(
            connection, account.id, action, actor=OPERATOR, now=now, target_id=target_id, after=shown
        )
    return account, key


def show_account(account: AccountRecord) -> dict[str, Any]:
    """The account as `innoai accounts` and the audit log show it."""
    return {"id": account.id, "name": account.name, "tier": account.tier, "disabled": account.disabled}


async def _new_signing_key(
    connection: AsyncConnection,
    secrets: Secrets,
    algorithm: Algorithm,
    now: float,
    *,
    ends_former: bool = False,
) -> str:
    kid = fresh_id("sig")
    secret = os.urandom(SIGNING_SECRET_BYTES)
    await signing_keys.rotate(
        connection,
        secrets,
        kid=kid,
        algorithm=algorithm,
        secret=secret,
        now=now,
        ends_former=ends_former,
    )
    first = await accounts.first(connection)
    if first is not None:
        await journal.record(
            connection,
            first.id,
            "signing_key.rotated",
            actor=OPERATOR,
            now=now,
            target_id=kid,
            after={"id": kid, "algorithm": algorithm, "ends_former": ends_former},
        )
    return kid
