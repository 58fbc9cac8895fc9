"""Making an installation: the secret, the schema, the signing key, the first account and its first key."""

from __future__ import annotations

import asyncio
import os
import secrets as randomness
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from innoai.access import keys as key_format
from innoai.access.scopes import ADMIN_FULL
from innoai.access.tiers import FIRST_ACCOUNT_TIER
from innoai.config import ConfigError, without_password
from innoai.errors import InnoError
from innoai.fresh_ids import fresh_id
from innoai.store import accounts, api_keys, signing_keys
from innoai.store import secrets as store_secrets
from innoai.store.accounts import AccountRecord
from innoai.store.api_keys import KeyRecord
from innoai.store.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection

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


def rotate_signing_key(settings: Settings) -> str:
    """Let a new key sign tokens, in running servers too; returns its id.

    The former key verifies until what it signed has expired.

    Raises:
        ConfigError: the store or the secret cannot be used.
    """
    return asyncio.run(_rotate_signing_key(settings))


async def _initialise(settings: Settings) -> Initialised:
    secrets = store_secrets.load(settings, create=True)
    if settings.store.sqlite_file is not None:
        settings.store.sqlite_file.parent.mkdir(parents=True, exist_ok=True)
    async with opened(settings) as database:
        await database.migrate()
        async with database.write() as connection:
            now = time.time()
            signing = await signing_keys.load(connection, secrets, now)
            if signing is None or signing.current.algorithm != settings.tokens.algorithm:
                await _new_signing_key(connection, secrets, settings.tokens.algorithm, now)
            if await accounts.first(connection) is not None:
                return Initialised(None, f"{settings.server.url}/", created=False)
            return await _first_account(connection, settings, secrets, now)


async def _rotate_signing_key(settings: Settings) -> str:
    secrets = store_secrets.load(settings, create=False)
    async with opened(settings) as database, database.write() as connection:
        # Opening the present keys shows that this is the store's secret before anything is sealed under it.
        await signing_keys.load(connection, secrets, time.time())
        return await _new_signing_key(connection, secrets, settings.tokens.algorithm, time.time())


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """The store, and what stands in its way as one line."""
    database = Database(settings.store.url)
    try:
        await database.check_version()
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
    account, key = await new_account(connection, secrets, "First account", FIRST_ACCOUNT_TIER, now)
    invite = randomness.token_urlsafe(32)
    await accounts.invite_owner(connection, fresh_id("mem"), account.id, invite, now)
    return Initialised(key, f"{settings.server.url}/setup?invite={invite}", created=True)


async def new_account(
    connection: AsyncConnection, secrets: Secrets, name: str, tier: str, now: float
) -> tuple[AccountRecord, str]:
    """An account and its first admin key."""
    key = key_format.mint(os.urandom(key_format.SECRET_BYTES))
    account = AccountRecord(fresh_id("acc"), name, tier, disabled=False, created_at=now)
    await accounts.create(connection, account)
    record = KeyRecord(
        id=fresh_id("key"),
        account_id=account.id,
        customer_pk=None,
        customer_id=None,
        name="First admin key",
        last4=key[-4:],
        scopes=(ADMIN_FULL,),
        allowed_ips=(),
        rate_limit=None,
        models=None,
        created_at=now,
    )
    current = secrets.current
    await api_keys.create(connection, record, key_format.digest(key, current.pepper), current.version)
    return account, key


async def _new_signing_key(
    connection: AsyncConnection, secrets: Secrets, algorithm: Algorithm, now: float
) -> str:
    kid = fresh_id("sig")
    secret = os.urandom(SIGNING_SECRET_BYTES)
    await signing_keys.rotate(connection, secrets, kid=kid, algorithm=algorithm, secret=secret, now=now)
    return kid
