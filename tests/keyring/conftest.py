"""Every test of the keyring runs on SQLite and on Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from innoai.store import signing_keys
from tests.keyring.replica import Clock, Replica, open_replica
from tests.support.stores import NOW, SECRETS

if TYPE_CHECKING:
    from innoai.store.database import Database


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def signing(database: Database) -> Database:
    """The store, with a signing key in it."""
    async with database.write() as connection:
        await signing_keys.rotate(
            connection, SECRETS, kid="sig_1", algorithm="HS256", secret=b"1" * 32, now=NOW
        )
    return database


@pytest.fixture
async def here(signing: Database, clock: Clock) -> Replica:
    """The replica that a test asks and that changes are made on."""
    return await open_replica(signing, clock)
