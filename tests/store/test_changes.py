from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, update

from innoai.store import changes
from innoai.store.changes import RETENTION, Change
from innoai.store.database import Database
from innoai.store.tables import changes as changes_table
from innoai.store.tables import feed_head
from tests.support.stores import NOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WRITERS = 8
CHANGES_EACH = 6


@pytest.fixture
async def others(url: str) -> AsyncIterator[list[Database]]:
    """Other replicas' views of the same store."""
    opened = [Database(url) for _ in range(2)]
    try:
        yield opened
    finally:
        for one in opened:
            await one.close()


async def announce(database: Database, *subjects: str, at: float = NOW) -> None:
    async with database.write() as connection:
        for subject in subjects:
            await changes.announce(connection, changes.KEY, subject, at)


async def head(database: Database) -> int:
    async with database.read() as connection:
        return await changes.head(connection)


async def since(database: Database, sequence: int) -> list[Change] | None:
    async with database.read() as connection:
        return await changes.since(connection, sequence)


async def test_changes_are_numbered_without_gaps_from_one(database: Database) -> None:
    await announce(database, "a")
    await announce(database, "b", "c")
    assert await since(database, 0) == [
        Change(1, changes.KEY, "a"),
        Change(2, changes.KEY, "b"),
        Change(3, changes.KEY, "c"),
    ]
    assert await head(database) == 3


async def test_a_reader_gets_only_what_is_new_to_it(database: Database) -> None:
    await announce(database, "a", "b", "c")
    assert await since(database, 2) == [Change(3, changes.KEY, "c")]
    assert await since(database, 3) == []


async def test_a_rolled_back_change_takes_no_number(database: Database) -> None:
    async with database.write() as connection:
        await changes.announce(connection, changes.KEY, "undone", NOW)
        await connection.rollback()
    await announce(database, "done")
    assert await since(database, 0) == [Change(1, changes.KEY, "done")]


async def test_a_reader_that_saw_a_number_has_seen_all_below_it_while_many_write(
    database: Database, others: list[Database]
) -> None:
    writing = asyncio.Event()
    heard: list[Change] = []

    async def write(writer: int) -> None:
        for number in range(CHANGES_EACH):
            await announce(others[writer % 2], f"{writer}.{number}")

    async def read() -> None:
        while not (writing.is_set() and len(heard) == await head(database)):
            news = await since(database, len(heard))
            assert news is not None
            assert [change.sequence for change in news] == [
                len(heard) + 1 + place for place in range(len(news))
            ]
            heard.extend(news)

    reader = asyncio.create_task(read())
    await asyncio.gather(*(write(writer) for writer in range(WRITERS)))
    writing.set()
    await reader
    assert len(heard) == WRITERS * CHANGES_EACH
    for writer in range(WRITERS):
        own = [change.subject for change in heard if change.subject.startswith(f"{writer}.")]
        assert own == [f"{writer}.{number}" for number in range(CHANGES_EACH)]


@pytest.mark.parametrize("kind", ["postgres"])
async def test_the_second_writer_waits_for_the_firsts_commit(
    database: Database, others: list[Database]
) -> None:
    """SQLite has one writer at a time anyway."""
    first, second = others
    async with first.write() as slow:
        await changes.announce(slow, changes.KEY, "slow", NOW)
        late = asyncio.create_task(announce(second, "late"))
        # Whatever is asked of the store now is answered before the late one is: it waits for a lock.
        for _ in range(5):
            assert await since(database, 0) == []
        assert not late.done()
    await late
    assert [change.subject for change in await since(database, 0) or []] == ["slow", "late"]


async def test_what_was_pruned_makes_a_late_reader_start_anew(database: Database) -> None:
    await announce(database, "old", at=NOW - RETENTION - 1)
    await announce(database, "new")
    async with database.write() as connection:
        await changes.prune(connection, NOW)
    assert await since(database, 0) is None
    assert await since(database, 1) == [Change(2, changes.KEY, "new")]


async def test_a_reader_of_what_was_pruned_whole_starts_anew(database: Database) -> None:
    await announce(database, "old", at=NOW - RETENTION - 1)
    async with database.write() as connection:
        await changes.prune(connection, NOW)
    assert await since(database, 0) is None
    assert await since(database, 1) == []


async def test_a_hole_in_the_middle_makes_a_reader_start_anew(database: Database) -> None:
    """Clocks of replicas differ, so pruning need not take a prefix."""
    await announce(database, "a", "b", "c")
    async with database.write() as connection:
        await connection.execute(delete(changes_table).where(changes_table.c.subject == "b"))
    assert await since(database, 0) is None
    assert await since(database, 2) == [Change(3, changes.KEY, "c")]


async def test_a_store_that_was_put_back_to_an_earlier_state_makes_a_reader_start_anew(
    database: Database,
) -> None:
    await announce(database, "a", "b", "c")
    async with database.write() as connection:
        await connection.execute(delete(changes_table).where(changes_table.c.sequence > 1))
        await connection.execute(update(feed_head).values(sequence=1))
    assert await since(database, 3) is None
