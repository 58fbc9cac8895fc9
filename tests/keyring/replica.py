"""A replica for tests: a keyring and its feed on a store, and what is done to the store through it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from innoai.access.tiers import DEFAULT_TIERS
from innoai.access.tokens import Claims, mint
from innoai.config import TokenSettings
from innoai.errors import InnoError
from innoai.keyring.feed import ChangeFeed
from innoai.keyring.keyring import Keyring
from innoai.store import api_keys, tokens
from innoai.store.database import Database
from tests.support.stores import ACCOUNT, NOW, SECRETS, add_customer, add_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.access.tokens import TokenUse
    from innoai.store.api_keys import KeyRecord
    from innoai.store.customers import CustomerRecord
    from innoai.store.secrets import Secrets

MAX_STALE = 60.0
SESSION_IDLE = 300.0


@dataclass
class Clock:
    """Time that passes when it is told to: Unix seconds, and seconds on the monotonic clock."""

    now: float = NOW
    monotonic: float = 1000.0

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.monotonic += seconds


class Store(Database):
    """A replica's view of a store, with what happens between a read and its end, and with outages."""

    def __init__(self, shared: Database) -> None:
        # The same engine, so that there is one pool to close.
        self.__dict__.update(shared.__dict__)
        self._shared = shared
        self.reads = 0
        self.is_down = False
        self.after_read: Callable[[], Awaitable[None]] | None = None

    def version(self) -> int | None:
        return None if self.is_down else self._shared.version()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        self._refuse_when_down()
        async with super().read() as connection:
            yield connection
        await self._has_read()

    @asynccontextmanager
    async def glance(self) -> AsyncIterator[AsyncConnection]:
        self._refuse_when_down()
        async with super().glance() as connection:
            yield connection
        await self._has_read()

    @asynccontextmanager
    async def write(self, *, aside: bool = False, repeatable: bool = False) -> AsyncIterator[AsyncConnection]:
        self._refuse_when_down()
        async with super().write(aside=aside, repeatable=repeatable) as connection:
            yield connection

    async def _has_read(self) -> None:
        self.reads += 1
        if self.after_read is not None:
            await self.after_read()

    def _refuse_when_down(self) -> None:
        if self.is_down:
            raise InnoError("service_unavailable")


@dataclass
class Replica:
    """One process. `database` writes, the keyring reads through `store`, and its feed through `news`."""

    database: Database
    store: Store
    news: Store
    feed: ChangeFeed
    keyring: Keyring
    clock: Clock
    secrets: Secrets = field(default_factory=lambda: SECRETS)

    async def heed(self) -> None:
        """Hear what there is, as the next poll does."""
        await self.feed.catch_up(self.keyring)

    async def add_key(self, number: int, **changed: object) -> KeyRecord:
        async with self.database.write() as connection:
            record = await add_key(connection, number, self.secrets, **changed)
        await self.heed()
        return record

    async def add_customer(self, number: int, **changed: object) -> CustomerRecord:
        async with self.database.write() as connection:
            record = await add_customer(connection, number, **changed)
        await self.heed()
        return record

    async def revoke_key(self, key_id: str) -> None:
        async with self.database.write() as connection:
            await api_keys.revoke(connection, key_id, self.clock.now)

    async def revoke_token(self, subject: str) -> None:
        async with self.database.write() as connection:
            await tokens.revoke(
                connection,
                subject,
                ACCOUNT.id,
                reason="a test",
                now=self.clock.now,
                expires_at=self.clock.now + 3600,
            )

    def claims(
        self, key: KeyRecord, customer: CustomerRecord | None = None, *, use: TokenUse = "access"
    ) -> Claims:
        return Claims(
            iss="innoai",
            aud="innoai",
            sub=key.id if customer is None else customer.id,
            client_id=key.id,
            scope="inference:read",
            jti="jti_1",
            iat=int(self.clock.now),
            exp=int(self.clock.now) + 3600,
            token_use=use,
            sid="fam_1",
            customer_id=None if customer is None else customer.customer_id,
        )

    def mint(
        self, key: KeyRecord, customer: CustomerRecord | None = None, *, use: TokenUse = "access"
    ) -> str:
        return mint(self.claims(key, customer, use=use), self.keyring.signing.current)


async def open_replica(database: Database, clock: Clock, secrets: Secrets = SECRETS) -> Replica:
    """A replica that is as far as the store is."""
    store, news = Store(database), Store(database)
    feed = ChangeFeed(news, lambda: clock.monotonic, MAX_STALE)
    keyring = Keyring(
        store,
        secrets,
        feed,
        tiers=DEFAULT_TIERS,
        tokens=TokenSettings(),
        session_idle=SESSION_IDLE,
        clock=lambda: clock.now,
    )
    await feed.start(keyring)
    return Replica(database, store, news, feed, keyring, clock, secrets)
