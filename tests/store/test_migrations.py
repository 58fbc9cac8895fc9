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
from sqlalchemy import inspect, select, text

import innoai.store
from innoai.store import usage
from innoai.store.database import Database
from innoai.store.tables import announced, feed_head, metadata, spending, usage_hours
from innoai.store.usage import UsageRecord

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
    return compare_metadata(context, metadata) + other_collations(connection)


def other_collations(connection: Connection) -> list[Any]:
    """What tables.py has sorted otherwise than a Postgres has it, which Alembic does not compare."""
    if connection.dialect.name == "sqlite":
        return []
    query = text(
        "SELECT table_name, column_name, collation_name FROM information_schema.columns "
        "WHERE table_schema = current_schema()"
    )
    found = {(table, column): collation for table, column, collation in connection.execute(query)}
    said = {
        (table.name, column.name): getattr(column.type.dialect_impl(connection.dialect), "collation", None)
        for table in metadata.sorted_tables
        for column in table.columns
    }
    return sorted(said.items() - found.items())


def migrations(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(innoai.store.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


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
        command.downgrade(migrations(connection), "base")
        return set(inspect(connection).get_table_names())

    async with empty.write() as connection:
        left = await connection.run_sync(downgrade)
    assert left == {"alembic_version"}


def old_record(number: int, **changed: Any) -> UsageRecord:
    """A record of before there were prices: around the end of a month, of an hour and of a year."""
    values: dict[str, Any] = {
        "request_id": f"req_{number}",
        "account_id": f"acc_{number % 2}",
        "key_id": f"key_{number % 4}",
        "route": "/v1/chat/completions",
        "status": (200, 400, 499, 200)[number % 4],
        "outcome": ("complete", "complete", "cancelled", "failed")[number % 4],
        "started_at": 1_798_761_600.0 - 40 + number * 0.9,
        "duration_ms": 12.5,
        "model": None if number % 3 == 0 else f"model-{number % 3}",
        "customer_pk": f"cus_{number % 2}_{number % 5}" if number % 5 else None,
        "customer_id": f"customer-{number % 5}" if number % 5 else None,
        "prompt_tokens": number,
        "cached_tokens": None if number % 7 else 1,
        "completion_tokens": None if number % 6 else 3,
    }
    return UsageRecord(**(values | changed))


async def sums(database: Database) -> list[set[tuple[Any, ...]]]:
    async with database.read() as connection:
        return [
            {tuple(row) for row in await connection.execute(select(table))}
            for table in (usage_hours, spending)
        ]


async def test_records_of_before_are_added_up_as_new_ones_are(empty: Database, url: str) -> None:
    records = [old_record(number) for number in range(90)]
    async with empty.write() as connection:
        await connection.run_sync(lambda sync: command.upgrade(migrations(sync), "0001"))
        columns = [
            name for name in UsageRecord.__struct_fields__ if name not in ("cost", "estimated", "currency")
        ]
        statement = text(
            f"INSERT INTO usage_records ({', '.join(columns)}) VALUES (:{', :'.join(columns)})"  # noqa: S608
        )
        await connection.execute(
            statement, [{name: getattr(record, name) for name in columns} for record in records]
        )
    await empty.migrate()
    fresh = Database(url)
    try:
        async with fresh.write() as connection:
            await usage.add(connection, records)
        assert await sums(empty) == await sums(fresh)
    finally:
        await fresh.close()


async def test_what_was_said_is_known_by_whom_it_concerns_and_back(empty: Database) -> None:
    rows = [("budget/key_1/2026-11/exhausted", 1.5), ("key.expiring/key_1/1796000000", 2.5)]
    async with empty.write() as connection:
        await connection.run_sync(lambda sync: command.upgrade(migrations(sync), "0010"))
        await connection.execute(
            text("INSERT INTO announced (name, at) VALUES (:name, :at)"),
            [{"name": name, "at": at} for name, at in rows],
        )
    await empty.migrate()
    async with empty.write() as connection:
        found = (await connection.execute(select(announced).order_by(announced.c.at))).all()
        assert [tuple(row) for row in found] == [
            ("key_1", "budget/2026-11/exhausted", 1.5),
            ("key_1", "key.expiring/1796000000", 2.5),
        ]
        await connection.run_sync(lambda sync: command.downgrade(migrations(sync), "0010"))
        found = (await connection.execute(text("SELECT name, at FROM announced ORDER BY at"))).all()
        assert [tuple(row) for row in found] == rows


ROTATED_BEFORE = """
INSERT INTO accounts (id, name, tier, disabled, created_at) VALUES ('acc_1', 'First', 'free', false, 1);
INSERT INTO api_keys
(id, rotated_from, digest, account_id, name, pepper, last4, scopes, allowed_ips, created_at)
VALUES
('key_1', NULL, '1', 'acc_1', 'One', '1', 'abcd', '[]', '[]', 1),
('key_2', 'key_1', '2', 'acc_1', 'One', '1', 'abcd', '[]', '[]', 1),
('key_3', NULL, '3', 'acc_1', 'One', '1', 'abcd', '[]', '[]', 1),
('key_4', 'key_2', '4', 'acc_1', 'One', '1', 'abcd', '[]', '[]', 1)
"""


async def test_keys_that_were_rotated_before_know_their_successors(empty: Database) -> None:
    async with empty.write() as connection:
        await connection.run_sync(lambda sync: command.upgrade(migrations(sync), "0013"))
        for statement in ROTATED_BEFORE.split(";"):
            await connection.execute(text(statement))
    await empty.migrate()
    async with empty.read() as connection:
        found = (await connection.execute(text("SELECT id, rotated_to FROM api_keys ORDER BY id"))).all()
    assert [tuple(row) for row in found] == [
        ("key_1", "key_2"),
        ("key_2", "key_4"),
        ("key_3", None),
        ("key_4", None),
    ]


ANA_OF_BEFORE = """
INSERT INTO accounts (id, name, tier, disabled, created_at) VALUES ('acc_1', 'First', 'free', false, 1);
INSERT INTO members (id, account_id, email, role, password_hash, joined_at, created_at)
VALUES ('mem_1', 'acc_1', 'ana@example.com', 'owner', 'argon2', 2, 1);
INSERT INTO sessions (digest, id, member_id, method, created_at, seen_at, proved_at, expires_at)
VALUES ('1', 'ses_1', 'mem_1', 'password', 1, 1, 1, 9);
INSERT INTO passkeys (id, member_id, credential_id, public_key, sign_count, name, transports, created_at)
VALUES ('pky_1', 'mem_1', '1', '2', 7, 'Laptop', '[]', 1);
INSERT INTO authenticators (member_id, sealed_secret, last_step, created_at) VALUES ('mem_1', '1', 3, 1);
INSERT INTO recovery_codes (member_id, digest) VALUES ('mem_1', '1');
INSERT INTO identities (issuer, subject, member_id, created_at)
VALUES ('login.example.com', 'ana-1', 'mem_1', 1)
"""
FACTORS = ("sessions", "passkeys", "authenticators", "recovery_codes", "identities")


async def test_members_keep_how_they_sign_in_when_emails_become_those_of_an_account(empty: Database) -> None:
    async with empty.write() as connection:
        await connection.run_sync(lambda sync: command.upgrade(migrations(sync), "0011"))
        for statement in ANA_OF_BEFORE.split(";"):
            await connection.execute(text(statement))

    async def rows() -> list[list[tuple[Any, ...]]]:
        async with empty.read() as connection:
            return [
                [tuple(row) for row in await connection.execute(metadata.tables[table].select())]
                for table in ("members", *FACTORS)
            ]

    before = await rows()
    assert [len(of_table) for of_table in before] == [1] * 6
    await empty.migrate()
    assert await rows() == before
    async with empty.write() as connection:
        await connection.run_sync(lambda sync: command.downgrade(migrations(sync), "0011"))
    assert await rows() == before
