from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import select

from innoai.store import ceremonies
from innoai.store.tables import ceremonies as table
from tests.support.stores import NOW, SECRETS

if TYPE_CHECKING:
    from innoai.store.database import Database

ENDS = NOW + 60


async def begin(
    database: Database, content: bytes, holder: bytes = b"browser", kind: str = "passkey"
) -> None:
    async with database.write() as connection:
        await ceremonies.begin(connection, SECRETS, holder, kind, content, expires_at=ENDS)


async def finish(database: Database, now: float = NOW, holder: bytes = b"browser") -> bytes | None:
    async with database.write() as connection:
        return await ceremonies.finish(connection, SECRETS, holder, "passkey", now)


async def test_what_was_begun_is_finished_once(database: Database) -> None:
    await begin(database, b"challenge")
    assert await finish(database, holder=b"another") is None
    assert await finish(database) == b"challenge"
    assert await finish(database) is None


async def test_of_two_that_finish_at_once_one_does(database: Database) -> None:
    await begin(database, b"challenge")
    results = await asyncio.gather(*(finish(database) for _ in range(4)))
    assert sorted(map(bool, results)) == [False, False, False, True]


async def test_the_latest_of_a_kind_counts(database: Database) -> None:
    await begin(database, b"first")
    await begin(database, b"second")
    await begin(database, b"other", kind="provider")
    assert await finish(database) == b"second"
    async with database.read() as connection:
        assert await ceremonies.look(connection, SECRETS, b"browser", "provider", NOW) == b"other"
        assert await ceremonies.look(connection, SECRETS, b"browser", "passkey", NOW) is None


async def test_what_took_too_long_is_worth_nothing_and_is_forgotten(database: Database) -> None:
    await begin(database, b"challenge")
    async with database.read() as connection:
        assert await ceremonies.look(connection, SECRETS, b"browser", "passkey", ENDS) is None
    assert await finish(database, ENDS) is None
    await begin(database, b"challenge")
    async with database.write() as connection:
        await ceremonies.prune(connection, ENDS)
        assert (await connection.execute(select(table))).all() == []


async def test_what_is_under_way_is_sealed(database: Database) -> None:
    await begin(database, b"the challenge")
    async with database.read() as connection:
        assert b"challenge" not in (await connection.execute(select(table.c.sealed))).scalar_one()
