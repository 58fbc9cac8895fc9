from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import IntegrityError

from innoai.store import changes, tokens
from innoai.store.database import Database
from innoai.store.tokens import Family
from tests.support.stores import ACCOUNT, NOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FAMILY = Family("fam_1", ACCOUNT.id, 1, NOW, NOW + 100)


@pytest.fixture
async def other(url: str) -> AsyncIterator[Database]:
    """Another replica's view of the same store."""
    opened = Database(url)
    try:
        yield opened
    finally:
        await opened.close()


async def revoke(database: Database, subject: str, *, expires_at: float = NOW + 100) -> None:
    async with database.write() as connection:
        await tokens.revoke(connection, subject, ACCOUNT.id, reason="a test", now=NOW, expires_at=expires_at)


async def told(database: Database) -> list[tuple[str, str]]:
    async with database.read() as connection:
        news = await changes.since(connection, 0) or []
    return [(change.kind, change.subject) for change in news]


async def test_a_revocation_is_known_and_told(database: Database) -> None:
    await revoke(database, "jti_1")
    async with database.read() as connection:
        assert await tokens.is_revoked(connection, "jti_1")
        assert not await tokens.is_revoked(connection, "jti_2")
    assert await told(database) == [("revocation", "jti_1")]


async def test_revoking_twice_is_told_once(database: Database) -> None:
    await revoke(database, "jti_1")
    await revoke(database, "jti_1")
    assert await told(database) == [("revocation", "jti_1")]


async def test_parallel_revocations_of_one_token_all_succeed(database: Database, other: Database) -> None:
    await asyncio.gather(*(revoke((database, other)[number % 2], "fam_1") for number in range(10)))
    assert await told(database) == [("revocation", "fam_1")]


async def test_live_revocations_are_those_that_still_matter_soonest_first(database: Database) -> None:
    await revoke(database, "late", expires_at=NOW + 20)
    await revoke(database, "over", expires_at=NOW)
    await revoke(database, "soon", expires_at=NOW + 10)
    async with database.read() as connection:
        live = await tokens.live_revocations(connection, NOW)
    assert list(live.items()) == [("soon", NOW + 10), ("late", NOW + 20)]


async def test_a_family_begins_and_advances(database: Database) -> None:
    advanced = replace(FAMILY, generation=2, rotated_at=NOW + 1, expires_at=NOW + 101)
    async with database.write() as connection:
        assert await tokens.family(connection, FAMILY.id) is None
        await tokens.begin_family(connection, FAMILY)
        assert await tokens.family(connection, FAMILY.id) == FAMILY
        await tokens.advance_family(connection, advanced)
        assert await tokens.family(connection, FAMILY.id) == advanced


async def test_a_family_begins_once(database: Database) -> None:
    async with database.write() as connection:
        await tokens.begin_family(connection, FAMILY)
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await tokens.begin_family(connection, FAMILY)


async def test_parallel_uses_of_a_family_advance_it_one_by_one(database: Database, other: Database) -> None:
    async with database.write() as connection:
        await tokens.begin_family(connection, FAMILY)

    async def advance(store: Database) -> int:
        async with store.write() as connection:
            family = await tokens.family(connection, FAMILY.id)
            assert family is not None
            await asyncio.sleep(0)
            await tokens.advance_family(connection, replace(family, generation=family.generation + 1))
            return family.generation

    seen = await asyncio.gather(*(advance((database, other)[number % 2]) for number in range(10)))
    assert sorted(seen) == list(range(1, 11))


async def test_pruning_forgets_only_what_has_expired(database: Database) -> None:
    await revoke(database, "over", expires_at=NOW)
    await revoke(database, "live", expires_at=NOW + 1)
    async with database.write() as connection:
        await tokens.begin_family(connection, replace(FAMILY, id="over", expires_at=NOW))
        await tokens.begin_family(connection, replace(FAMILY, id="live", expires_at=NOW + 1))
        await tokens.prune(connection, NOW)
        assert not await tokens.is_revoked(connection, "over")
        assert await tokens.is_revoked(connection, "live")
        assert await tokens.family(connection, "over") is None
        assert await tokens.family(connection, "live") is not None
