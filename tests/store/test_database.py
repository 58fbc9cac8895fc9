from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import IntegrityError

from innoai.errors import InnoError
from innoai.store import accounts
from innoai.store import database as database_module
from innoai.store.database import ASIDE_NICENESS, GLANCE_SECONDS, POOL_SIZE, REPORTS, Database
from innoai.store.tables import api_keys
from tests.support.stores import ACCOUNT, add_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection


@pytest.fixture
async def second(url: str) -> AsyncIterator[Database]:
    """Another process's view of the same store."""
    opened = Database(url)
    try:
        yield opened
    finally:
        await opened.close()


async def fail() -> None:
    raise RuntimeError


def drivers_threads() -> list[threading.Thread]:
    """Each of SQLite's connections has one."""
    return [thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name]


async def drivers_threads_end() -> None:
    """Wait for the threads of failed connections, which still want to tell the loop of their end."""
    for thread in drivers_threads():
        await asyncio.to_thread(thread.join)


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def test_what_was_written_is_there_for_others(database: Database, second: Database) -> None:
    async with second.read() as connection:
        assert await accounts.first(connection) == ACCOUNT


async def test_an_exception_rolls_back(database: Database, second: Database) -> None:
    with pytest.raises(RuntimeError):  # noqa: PT012 - the transaction is what fails
        async with database.write() as connection:
            await add_key(connection, 1)
            await fail()
    async with second.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(api_keys))).scalar_one() == 0


async def test_what_is_said_of_a_store_that_goes_away_is_what_is_known(database: Database) -> None:
    """Reads change nothing, a transaction that did not end neither, and of a commit only the store knows."""

    def gone(*_: object) -> None:
        raise ConnectionResetError

    async def said(opened: AbstractAsyncContextManager[AsyncConnection], *, at_once: bool) -> tuple[str, str]:
        with pytest.raises(InnoError) as raised:  # noqa: PT012 - the transaction is what fails
            async with opened as connection:
                await connection.execute(select(func.count()).select_from(api_keys))
                if at_once:
                    gone()
        return raised.value.refusal.code, raised.value.refusal.message

    code, message = await said(database.read(), at_once=True)
    assert (code, "changed" in message) == ("service_unavailable", False)
    code, message = await said(database.write(), at_once=True)
    assert (code, "nothing was changed" in message) == ("service_unavailable", True)
    event.listen(database._writes.sync_engine, "commit", gone)
    code, message = await said(database.write(), at_once=False)
    assert (code, "did not say whether" in message) == ("internal_error", True)
    code, message = await said(database.write(repeatable=True), at_once=False)
    assert (code, "changed" in message) == ("service_unavailable", False)


async def test_a_broken_constraint_is_the_callers_to_explain(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await accounts.create(connection, ACCOUNT)


async def test_what_a_broken_constraint_says_holds_no_value(database: Database) -> None:
    with pytest.raises(IntegrityError) as raised:
        async with database.write() as connection:
            await accounts.create(connection, replace(ACCOUNT, name="not for the log"))
    assert "not for the log" not in str(raised.value)


async def test_a_row_cannot_refer_to_an_account_that_is_not_there(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await add_key(connection, 1, account_id="acc_nobody")


async def test_one_read_sees_one_state_whatever_is_committed_meanwhile(
    database: Database, second: Database
) -> None:
    count = select(func.count()).select_from(api_keys)
    async with database.read() as reader:
        before = (await reader.execute(count)).scalar_one()
        async with second.write() as connection:
            await add_key(connection, 1)
        assert (await reader.execute(count)).scalar_one() == before
    async with database.read() as reader:
        assert (await reader.execute(count)).scalar_one() == before + 1


async def test_a_transaction_that_reads_before_it_writes_is_not_refused_for_it(
    database: Database, second: Database
) -> None:
    async def read_then_write(store: Database, number: int) -> None:
        async with store.write() as connection:
            await accounts.get(connection, ACCOUNT.id)
            await asyncio.sleep(0)
            await add_key(connection, number)

    await asyncio.gather(*(read_then_write((database, second)[number % 2], number) for number in range(20)))
    async with database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(api_keys))).scalar_one() == 20


async def test_more_readers_than_connections_all_get_their_turn(database: Database) -> None:
    async def read() -> str:
        async with database.read() as connection:
            return (await accounts.get(connection, ACCOUNT.id)).name

    assert await asyncio.gather(*(read() for _ in range(5 * POOL_SIZE))) == [ACCOUNT.name] * 5 * POOL_SIZE


async def test_neither_a_glance_nor_a_mutation_waits_for_whoever_reads(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'innoai.db'}")
    await database.migrate()
    async with contextlib.AsyncExitStack() as stack, asyncio.timeout(GLANCE_SECONDS):
        for _ in range(POOL_SIZE):
            await stack.enter_async_context(database.read())
        async with database.write() as connection:
            await accounts.create(connection, ACCOUNT)
        async with database.glance() as connection:
            assert await accounts.first(connection) == ACCOUNT
        assert await database.is_reachable()
    await database.close()


async def test_reports_leave_connections_to_whoever_asks_for_less(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "TURN_SECONDS", 0.1)
    async with contextlib.AsyncExitStack() as stack, asyncio.timeout(GLANCE_SECONDS):
        for _ in range(REPORTS):
            await stack.enter_async_context(database.report())
        with pytest.raises(InnoError) as refused:
            await stack.enter_async_context(database.report())
        assert refused.value.refusal.code == "service_unavailable"
        async with database.read() as connection, database.write() as writer:
            assert await accounts.first(connection) == await accounts.first(writer) == ACCOUNT
    async with database.report() as connection:
        assert await accounts.first(connection) == ACCOUNT


async def test_a_thread_is_begun_when_it_is_needed_and_ends_with_the_store(tmp_path: Path) -> None:
    before = len(drivers_threads())
    database = Database(f"sqlite:///{tmp_path / 'innoai.db'}")
    assert len(drivers_threads()) == before
    for _ in range(3):
        async with database.read(), database.glance(), database.write():
            pass
        async with database.write(aside=True), database.report():
            pass
    assert len(drivers_threads()) <= before + len(("read", "report", "glance", "write", "aside"))
    await database.close()
    async with asyncio.timeout(GLANCE_SECONDS):
        await drivers_threads_end()


async def test_a_store_with_its_schema_is_reachable(database: Database) -> None:
    assert await database.is_reachable()


async def test_a_store_without_its_schema_is_not_reachable(empty_url: str) -> None:
    database = Database(empty_url)
    assert not await database.is_reachable()
    await database.close()


async def test_a_server_that_refuses_connections_is_told_as_unavailable() -> None:
    database = Database(f"postgresql://user:password@127.0.0.1:{closed_port()}/innoai")
    assert not await database.is_reachable()
    for opened in (database.read(), database.write()):
        with pytest.raises(InnoError) as refused:
            async with opened:
                pass
        assert refused.value.refusal.code == "service_unavailable"
    await database.close()


async def test_a_directory_that_is_not_there_is_told_as_unavailable(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'nowhere' / 'innoai.db'}")
    with pytest.raises(InnoError) as refused:
        async with database.write():
            pass
    assert refused.value.refusal.code == "service_unavailable"
    await database.close()
    await drivers_threads_end()


async def test_what_the_store_cannot_do_is_told_as_unavailable(database: Database) -> None:
    for opened in (database.read(), database.write()):
        with pytest.raises(InnoError) as refused:
            async with opened as connection:
                await connection.execute(text("SELECT * FROM nothing_of_that_name"))
        assert refused.value.refusal.code == "service_unavailable"
    assert await database.is_reachable()


async def test_the_version_changes_with_every_commit_of_anybody_and_with_nothing_else(
    database: Database, second: Database
) -> None:
    if not database.is_sqlite:
        assert database.version() is None
        return
    before = database.version()
    async with second.read() as connection:
        await accounts.first(connection)
    with pytest.raises(RuntimeError):  # noqa: PT012 - the transaction is what fails
        async with second.write() as connection:
            await add_key(connection, 1)
            await fail()
    assert database.version() == before is not None
    for number, writer in enumerate((database, second), 1):
        async with writer.write() as connection:
            await add_key(connection, number)
        after = database.version()
        assert after != before
        before = after


def test_a_store_that_is_not_there_has_no_version(tmp_path: Path) -> None:
    assert Database(f"sqlite:///{tmp_path}/not-there.db").version() is None
    assert not (tmp_path / "not-there.db").exists()


async def test_a_file_of_an_unusual_name_has_a_version(tmp_path: Path) -> None:
    opened = Database(f"sqlite:///{tmp_path}/50%25 of a#name.db")
    await opened.migrate()
    assert opened.version() is not None
    await opened.close()


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has a niceness of its own on Linux alone")
async def test_what_is_written_aside_gives_way_to_the_threads_that_answer(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'innoai.db'}")
    usual = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    async with database.write(aside=True) as connection:
        await connection.execute(text("CREATE TABLE notes (note TEXT)"))
    named = {each: os.getpriority(os.PRIO_PROCESS, each.native_id or 0) for each in threading.enumerate()}
    assert max(named.values()) == min(usual + ASIDE_NICENESS, 19)
    assert named[threading.main_thread()] == usual
    async with database.read() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM notes"))).scalar() == 0
    await database.close()


async def test_writers_take_turns_whichever_thread_they_have(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'innoai.db'}")
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE notes (note INTEGER)"))

    async def note(number: int) -> None:
        async with database.write(aside=number % 2 == 0) as connection:
            count = (await connection.execute(text("SELECT count(*) FROM notes"))).scalar()
            await asyncio.sleep(0)
            await connection.execute(text("INSERT INTO notes VALUES (:count)"), {"count": count})

    await asyncio.gather(*map(note, range(20)))
    async with database.read() as connection:
        notes = (await connection.execute(text("SELECT note FROM notes ORDER BY note"))).scalars().all()
    assert notes == list(range(20))
    await database.close()
