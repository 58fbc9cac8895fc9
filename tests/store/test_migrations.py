from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, select

import innoai.store
from innoai.store.database import Database
from innoai.store.tables import feed_head, metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection

MIGRATE = """
import asyncio, sys
from innoai.store.database import Database
async def main():
    database = Database(sys.argv[1])
    sys.stdin.readline()
    await database.migrate()
    await database.close()
print("ready", flush=True)
asyncio.run(main())
"""
PROCESSES = 4


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[Database]:
    database = Database(empty_url)
    try:
        yield database
    finally:
        await database.close()


def differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    return compare_metadata(context, metadata)


async def schema_differences(database: Database) -> list[Any]:
    async with database.read() as connection:
        return await connection.run_sync(differences)


async def test_an_empty_store_migrates_to_exactly_what_tables_says(empty: Database) -> None:
    await empty.migrate()
    assert await schema_differences(empty) == []


async def test_a_store_without_a_schema_differs_from_what_tables_says(empty: Database) -> None:
    assert len(await schema_differences(empty)) >= len(metadata.tables)


async def test_migrating_again_changes_nothing(empty: Database) -> None:
    await empty.migrate()
    await empty.migrate()
    assert await schema_differences(empty) == []


async def test_a_new_store_has_one_feed_head_at_zero(empty: Database) -> None:
    await empty.migrate()
    async with empty.read() as connection:
        rows = (await connection.execute(select(feed_head))).all()
    assert [tuple(row) for row in rows] == [(1, 0)]


async def test_processes_that_migrate_at_once_leave_one_schema(empty: Database, empty_url: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", MIGRATE, empty_url, stdin=PIPE, stdout=PIPE
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [process.returncode for process in processes] == [0] * PROCESSES
    assert await schema_differences(empty) == []
    async with empty.read() as connection:
        assert len((await connection.execute(select(feed_head))).all()) == 1


async def test_going_down_again_leaves_nothing(empty: Database) -> None:
    await empty.migrate()

    def downgrade(connection: Connection) -> set[str]:
        config = Config()
        config.set_main_option("script_location", str(Path(innoai.store.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        return set(inspect(connection).get_table_names())

    async with empty.write() as connection:
        left = await connection.run_sync(downgrade)
    assert left == {"alembic_version"}
