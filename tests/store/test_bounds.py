"""Nothing that Postgres, or another server of the installation, does not do keeps a request for long."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text, update

from innoai.errors import InnoError
from innoai.store import database as database_module
from innoai.store.database import Database
from innoai.store.tables import feed_head
from tests.support.dead_wires import dead_wires

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.support.dead_wires import DeadWires

SHORT = 0.3
LONG = 60.0
MOST_CONNECTIONS = database_module.POOL_SIZE + 10


@pytest.fixture
def url(new_postgres: Callable[[str | None], str], postgres_template: str) -> str:
    """A migrated Postgres."""
    return new_postgres(postgres_template)


@pytest.fixture
def wires(url: str) -> Iterator[DeadWires]:
    with dead_wires(url) as opened:
        yield opened


@pytest.fixture
def bounds(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What Postgres is told of each connection from now on; a test shortens what it looks at."""
    changed = dict(database_module.POSTGRES_BOUNDS)
    monkeypatch.setattr(database_module, "POSTGRES_BOUNDS", changed)
    return changed


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()


async def change(database: Database) -> None:
    """As every mutation does."""
    async with database.write() as connection:
        await connection.execute(update(feed_head).values(sequence=feed_head.c.sequence + 1))


async def ask(database: Database) -> None:
    async with database.read() as connection:
        await connection.execute(select(feed_head.c.sequence))


async def glance(database: Database) -> None:
    async with database.glance() as connection:
        await connection.execute(select(feed_head.c.sequence))


def unavailable(raised: pytest.ExceptionInfo[InnoError]) -> bool:
    return raised.value.refusal.code == "service_unavailable"


async def test_a_server_that_freezes_in_a_transaction_loses_what_it_has_locked(
    url: str, bounds: dict[str, str]
) -> None:
    bounds["idle_in_transaction_session_timeout"] = "300ms"
    async with opened(url) as frozen, opened(url) as database:
        with pytest.raises(InnoError) as raised:  # noqa: PT012 - the transaction is what fails
            async with frozen.write() as connection:
                await connection.execute(update(feed_head).values(sequence=7))
                # What a frozen process does not do is say anything; its locks go all the same.
                await change(database)
                await connection.execute(select(feed_head.c.sequence))
        assert unavailable(raised)
        async with database.read() as connection:
            assert (await connection.execute(select(feed_head.c.sequence))).scalar_one() == 1


async def test_one_that_freezes_before_it_executes_what_it_has_prepared_does_so_too(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordinary = database_module.POSTGRES_17_BOUNDS
    monkeypatch.setattr(database_module, "POSTGRES_17_BOUNDS", {"transaction_timeout": "300ms"})
    async with opened(url) as frozen, opened(url) as database:
        with pytest.raises(InnoError) as raised:  # noqa: PT012 - the transaction is what fails
            async with frozen.write() as connection:
                await connection.execute(update(feed_head).values(sequence=7))
                # Whoever waits for it has more time than it.
                monkeypatch.setattr(database_module, "POSTGRES_17_BOUNDS", ordinary)
                driven = (await connection.get_raw_connection()).driver_connection
                assert driven is not None
                # To Postgres the session is busy now, and not idle in a transaction.
                await driven.prepare("SELECT 1")
                await change(database)
                await connection.execute(select(feed_head.c.sequence))
        assert unavailable(raised)
        async with database.read() as connection:
            assert (await connection.execute(select(feed_head.c.sequence))).scalar_one() == 1


async def test_whoever_waits_for_anothers_lock_is_told_so(url: str, bounds: dict[str, str]) -> None:
    bounds["lock_timeout"] = "200ms"
    async with opened(url) as database:
        async with database.write() as connection:
            await connection.execute(update(feed_head).values(sequence=7))
            with pytest.raises(InnoError) as raised:
                await change(database)
            assert unavailable(raised)
        await change(database)


async def test_a_statement_without_end_is_ended(url: str, bounds: dict[str, str]) -> None:
    bounds["statement_timeout"] = "200ms"
    async with opened(url) as database:
        for open_it in (database.read, database.write):
            with pytest.raises(InnoError) as raised:
                async with open_it() as connection:
                    await connection.execute(text(f"SELECT pg_sleep({LONG})"))
            assert unavailable(raised)
        await ask(database)


async def test_what_makes_the_schema_may_take_its_time(
    url: str, bounds: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds |= dict.fromkeys(bounds, "50ms")
    monkeypatch.setattr(database_module, "ANSWER_SECONDS", 0.05)
    async with opened(url) as one, opened(url) as other:
        async with one.write_unhurried() as connection:
            await connection.execute(text("SELECT pg_sleep(0.2)"))
            waiting = asyncio.create_task(other.migrate())
            await asyncio.sleep(0.2)
            assert not waiting.done()
        await waiting


async def test_a_glance_finds_a_connection_whatever_the_others_wait_for(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "TURN_SECONDS", SHORT)
    async with opened(url) as database:
        async with AsyncExitStack() as stack:
            for _ in range(MOST_CONNECTIONS):
                await stack.enter_async_context(database.read())
            with pytest.raises(InnoError) as raised:
                await ask(database)
            assert unavailable(raised)
            await glance(database)
            assert await database.is_reachable()
        await ask(database)


async def test_connections_that_died_without_a_word_are_made_anew_before_anybody_uses_them(
    wires: DeadWires, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "CHECK_SECONDS", SHORT)
    async with opened(wires.url) as database:
        await asyncio.gather(*(ask(database) for _ in range(4)))
        wires.cut()
        began = time.monotonic()
        await ask(database)
        await asyncio.gather(*(ask(database) for _ in range(4)))
        await glance(database)
        assert time.monotonic() - began < 10


async def test_a_connection_that_dies_under_a_statement_is_given_up(
    wires: DeadWires, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "ANSWER_SECONDS", SHORT)
    async with opened(wires.url) as database:
        with pytest.raises(InnoError) as raised:  # noqa: PT012 - the transaction is what fails
            async with database.write() as connection:
                wires.cut()
                await connection.execute(select(feed_head.c.sequence))
        assert unavailable(raised)
        await ask(database)


@pytest.mark.parametrize("asks_again", [True, False])
async def test_a_glance_does_not_wait_longer_for_a_connection_that_dies_under_it(
    wires: DeadWires, monkeypatch: pytest.MonkeyPatch, *, asks_again: bool
) -> None:
    monkeypatch.setattr(database_module, "GLANCE_SECONDS", 3 * SHORT)
    monkeypatch.setattr(database_module, "CHECK_SECONDS", SHORT)
    async with opened(wires.url) as database:
        began = time.monotonic()
        with pytest.raises(InnoError) if asks_again else nullcontext():
            async with database.glance() as connection:
                await connection.execute(select(feed_head.c.sequence))
                wires.cut()
                if asks_again:
                    await connection.execute(select(feed_head.c.sequence))
        assert time.monotonic() - began < database_module.ANSWER_SECONDS / 4
        assert await database.is_reachable()


async def test_a_store_that_takes_connections_and_says_nothing_is_told_from_one_that_answers(
    wires: DeadWires, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "GLANCE_SECONDS", SHORT)
    async with opened(wires.url) as database:
        assert await database.is_reachable()
        wires.takes_new = False
        wires.cut()
        began = time.monotonic()
        assert not await database.is_reachable()
        assert time.monotonic() - began < 5
        wires.takes_new = True
        assert await database.is_reachable()


async def test_the_farewell_to_a_store_that_says_nothing_ends(
    wires: DeadWires, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "CLOSE_SECONDS", SHORT)
    database = Database(wires.url)
    await ask(database)
    wires.cut()
    began = time.monotonic()
    await database.close()
    assert time.monotonic() - began < 5
