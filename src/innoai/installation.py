"""Making an installation: the secret, the schema, the signing key, the first account and its first key."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from innoai.access.scopes import ADMIN_FULL
from innoai.access.tiers import FIRST_ACCOUNT_TIER
from innoai.api.members import invite
from innoai.api.money import Budgets
from innoai.api.objects import show_key
from innoai.api.wire import as_shown
from innoai.config import ConfigError, StoreUnreachable, without_password
from innoai.errors import InnoError
from innoai.events import journal
from innoai.events.journal import OPERATOR
from innoai.fresh_ids import fresh_id
from innoai.store import accounts, api_keys, sealed, signing_keys
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


def check_spool(settings: Settings) -> None:
    """See that usage records can be written where they are to wait; nothing is left there.

    Raises:
        ConfigError: they cannot.
    """
    directory = Path(settings.metering.spool)
    place = next(each for each in (directory.absolute(), *directory.absolute().parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        where = settings.where("metering.spool")
        raise ConfigError(
            f"{where}: {directory.absolute()} cannot be written ({error.strerror}); "
            "let this user write there, or name another directory"
        ) from None


async def _initialise(settings: Settings) -> Initialised:
    if settings.store.sqlite_file is not None:
        _make_file(settings.store.sqlite_file, settings.where("store.url"))
    async with opened(settings, to_be_migrated=True) as database:
        secrets = store_secrets.load(settings, create=not await database.is_reachable())
        await database.migrate()
        # Servers that start together on Postgres would each find no signing key and no account.
        async with database.write_unhurried() as connection:
            now = time.time()
            signing = await signing_keys.load(connection, secrets, now)
            if signing is None or signing.current.algorithm != settings.tokens.algorithm:
                await _new_signing_key(connection, secrets, settings.tokens.algorithm, now)
            if secrets.previous is not None:
                await sealed.reseal(connection, secrets)
            if await accounts.first(connection) is not None:
                return Initialised(None, f"{settings.server.url}/", created=False)
            return await _first_account(connection, settings, secrets, now)


def _make_file(file: Path, where: str) -> None:
    """An empty store that its owner alone may read; SQLite makes the files beside it likewise."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise ConfigError(
            f"{where}: {file.absolute()} cannot be opened for writing ({error.strerror}); "
            "let this user write there, or name another file"
        ) from None


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
        raise ConfigError(
            f"{settings.where('store.url')}: there is no store {settings.store.url}; `innoai init` makes it"
        )
    database = Database(settings.store.url)
    try:
        await database.check_version(to_be_migrated=to_be_migrated)
        yield database
    except InnoError:
        raise _unreachable(settings) from None
    finally:
        await database.close()


def _unreachable(settings: Settings) -> ConfigError:
    """What is told of a store that does not answer."""
    kind = ConfigError if settings.store.sqlite_file is not None else StoreUnreachable
    return kind(
        f"the store {without_password(settings.store.url)} cannot be reached or written; "
        "check store.url, and that its server runs or its directory is writable"
    )


async def _first_account(
    connection: AsyncConnection, settings: Settings, secrets: Secrets, now: float
) -> Initialised:
    tier = settings.tiers[FIRST_ACCOUNT_TIER]
    account, key = await new_account(connection, secrets, "First account", tier, now)
    url = await invite_owner(connection, account, settings, now)
    return Initialised(key, url, created=True)


async def invite_owner(
    connection: AsyncConnection, account: AccountRecord, settings: Settings, now: float
) -> str:
    """The link by which somebody becomes an owner of the account; on record as the operator's doing."""
    owner = MemberRecord(
        id=fresh_id("mem"),
        account_id=account.id,
        role=OWNER,
        created_at=now,
        invite_expires_at=now + INVITE_LIFETIME,
    )
    return await invite(connection, owner, settings.server, OPERATOR)


async def new_account(
    connection: AsyncConnection, secrets: Secrets, name: str, tier: Tier, now: float
) -> tuple[AccountRecord, str]:
    """An account and its first admin key, both on record as the operator's doing."""
    account = AccountRecord(fresh_id("acc"), name, tier.name, disabled=False, created_at=now)
    await accounts.create(connection, account)
    await journal.record(
        connection,
        account.id,
        "account.created",
        actor=OPERATOR,
        now=now,
        target_id=account.id,
        after=show_account(account),
    )
    _, key = await admin_key(connection, secrets, account, "First admin key", tier, now)
    return account, key


async def admin_key(
    connection: AsyncConnection, secrets: Secrets, account: AccountRecord, name: str, tier: Tier, now: float
) -> tuple[KeyRecord, str]:
    """A key of the account with admin:full, on record as the operator's doing."""
    record = KeyRecord(
        id=fresh_id("key"),
        account_id=account.id,
        customer_pk=None,
        customer_id=None,
        name=name,
        last4="",
        scopes=(ADMIN_FULL,),
        allowed_ips=(),
        rate_limit=None,
        models=None,
        created_at=now,
    )
    issued, key = await api_keys.issue(connection, secrets, record)
    await journal.record(
        connection,
        account.id,
        "key.created",
        actor=OPERATOR,
        now=now,
        target_id=issued.id,
        after=as_shown(show_key(issued, Budgets(None, None), tier, now)),
    )
    return issued, key


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
