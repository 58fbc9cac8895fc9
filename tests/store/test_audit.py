from __future__ import annotations

import asyncio
import json
import re
import sys
from asyncio.subprocess import PIPE
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, update

from innoai.store import accounts, audit
from innoai.store.accounts import AccountRecord
from innoai.store.audit import BEGINNING, EntryRecord, Head, Wanted
from innoai.store.database import Database
from innoai.store.tables import audit_entries
from tests.support.chain import digest, first_broken
from tests.support.stores import ACCOUNT, NOW

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLE = DOCS / "audit-example.jsonl"
OTHER = AccountRecord("acc_2", "Other", "free", disabled=False, created_at=NOW)
WRITERS = 8
ENTRIES_EACH = 6
PROCESSES = 2
ALL = 10_000
EVERYTHING = Wanted()
CHAINING = {"sequence", "previous_hash", "hash"}

WRITE = """
import asyncio, sys
from innoai.events import journal
from innoai.store.database import Database
async def main():
    database = Database(sys.argv[1])
    async def write(writer):
        for number in range(int(sys.argv[2])):
            async with database.write() as connection:
                await journal.record(
                    connection, "acc_1", "member.invited", actor=journal.OPERATOR, now=1.0, target_id=writer
                )
    sys.stdin.readline()
    await asyncio.gather(*(write(f"mem_{writer}") for writer in range(int(sys.argv[3]))))
    await database.close()
print("ready", flush=True)
asyncio.run(main())
"""


def entry(number: int, **changed: Any) -> dict[str, Any]:
    return {
        "id": f"aud_{number}",
        "object": "audit_entry",
        "at": "2026-11-25T00:00:00.000Z",
        "actor": {"kind": "key", "id": "key_1", "key_id": "key_1", "customer_id": None},
        "action": "customer.updated",
        "target_id": "cus_1",
        "address": "203.0.113.7",
        "request_id": f"req_{number}",
        "before": None,
        "after": {"name": "Señora 🦊", "metadata": {"10": "a", "9": "b"}},
    } | changed


async def append(
    database: Database, *entries: dict[str, Any], account_id: str = ACCOUNT.id, at: float = NOW
) -> None:
    async with database.write() as connection:
        for one in entries:
            await audit.append(connection, account_id, one, at)


async def log(
    database: Database, wanted: Wanted = EVERYTHING, account_id: str = ACCOUNT.id
) -> list[EntryRecord]:
    async with database.read() as connection:
        return await audit.following(connection, account_id, wanted, limit=ALL, after=0, upto=ALL)


async def found(database: Database, **wanted: Any) -> list[int]:
    return [one.sequence for one in await log(database, Wanted(**wanted))]


async def head(database: Database, account_id: str = ACCOUNT.id) -> Head:
    async with database.read() as connection:
        return await audit.head(connection, account_id)


async def broken(database: Database) -> int | None:
    lines = [one.shown() for one in await log(database)]
    return first_broken(lines, asdict(await head(database)))


async def test_entries_are_numbered_from_one_and_each_names_the_hash_before_it(database: Database) -> None:
    assert await head(database) == Head(0, BEGINNING)
    await append(database, entry(1), entry(2))
    first, second = (json.loads(one.shown()) for one in await log(database))
    assert (first["sequence"], first["previous_hash"]) == (1, BEGINNING)
    assert (second["sequence"], second["previous_hash"]) == (2, first["hash"])
    assert await head(database) == Head(2, second["hash"])


async def test_what_is_shown_is_what_was_hashed(database: Database) -> None:
    await append(database, entry(1))
    (shown,) = (json.loads(one.shown()) for one in await log(database))
    assert shown == entry(1) | {"sequence": 1, "previous_hash": BEGINNING, "hash": digest(shown)}


async def test_each_account_has_a_chain_of_its_own(database: Database) -> None:
    async with database.write() as connection:
        await accounts.create(connection, OTHER)
    await append(database, entry(1))
    await append(database, entry(2), account_id=OTHER.id)
    assert [one.sequence for one in await log(database, account_id=OTHER.id)] == [1]
    assert (await head(database, OTHER.id)).sequence == 1
    assert await broken(database) is None


async def test_a_rolled_back_entry_takes_no_number(database: Database) -> None:
    async with database.write() as connection:
        await audit.append(connection, ACCOUNT.id, entry(1), NOW)
        await connection.rollback()
    await append(database, entry(2))
    assert [json.loads(one.content)["id"] for one in await log(database)] == ["aud_2"]
    assert await broken(database) is None


async def test_many_writers_make_one_chain(database: Database, url: str) -> None:
    others = [Database(url) for _ in range(2)]

    async def write(writer: int) -> None:
        for number in range(ENTRIES_EACH):
            await append(others[writer % 2], entry(writer * ENTRIES_EACH + number))

    await asyncio.gather(*(write(writer) for writer in range(WRITERS)))
    for other in others:
        await other.close()
    assert len(await log(database)) == WRITERS * ENTRIES_EACH
    assert await broken(database) is None


async def test_many_processes_make_one_chain(database: Database, url: str) -> None:
    arguments = (sys.executable, "-c", WRITE, url, str(ENTRIES_EACH), str(WRITERS))
    processes = [
        await asyncio.create_subprocess_exec(*arguments, stdin=PIPE, stdout=PIPE) for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    await asyncio.gather(*(process.communicate(b"\n") for process in processes))
    assert [process.returncode for process in processes] == [0] * PROCESSES
    assert len(await log(database)) == PROCESSES * WRITERS * ENTRIES_EACH
    assert await broken(database) is None


@pytest.mark.parametrize(
    ("tampered", "noticed_at"),
    [
        (lambda log: log.update({2: log[2].replace("Señora", "Senora")}), 3),
        (lambda log: log.update({2: log[2].replace("203.0.113.7", "203.0.113.8")}), 3),
        (lambda log: log.update({1: log[2], 2: log[1]}), 2),
        (lambda log: log.pop(2), 3),
        (lambda log: log.pop(0), 1),
        (lambda log: log.pop(4), 5),
        (lambda log: log.clear(), 1),
    ],
    ids=["content", "address", "order", "the middle", "the beginning", "the end", "everything"],
)
async def test_whatever_is_tampered_with_is_noticed(
    database: Database, tampered: Callable[[dict[int, str]], object], noticed_at: int
) -> None:
    await append(database, *map(entry, range(5)))
    lines = {place: one.shown() for place, one in enumerate(await log(database))}
    whole = asdict(await head(database))
    assert first_broken(lines.values(), whole) is None
    tampered(lines)
    assert first_broken([lines[place] for place in sorted(lines)], whole) == noticed_at


async def test_tampering_in_the_store_is_noticed(database: Database) -> None:
    await append(database, *map(entry, range(4)))
    async with database.write() as connection:
        content = (await log(database))[1].content.replace("cus_1", "cus_2")
        await connection.execute(
            update(audit_entries).where(audit_entries.c.sequence == 2).values(content=content)
        )
    assert await broken(database) == 2


async def test_an_entry_removed_from_the_end_of_the_store_is_noticed(database: Database) -> None:
    await append(database, *map(entry, range(4)))
    async with database.write() as connection:
        await connection.execute(delete(audit_entries).where(audit_entries.c.sequence == 4))
    assert await broken(database) == 4


async def test_entries_are_found_by_what_they_say(database: Database) -> None:
    token = {"kind": "token", "id": "jti_1", "key_id": "key_1", "customer_id": None}
    member = {"kind": "member", "id": "mem_1", "key_id": None, "customer_id": None}
    await append(database, entry(1, action="key.created", target_id="key_2"), at=NOW)
    await append(database, entry(2, action="key.updated", actor=token), at=NOW + 1)
    await append(database, entry(3, action="keyring.cut", actor=member), at=NOW + 2)
    await append(database, entry(4, action="key_.odd", actor=member), at=NOW + 3)
    assert await found(database, action="key.created") == [1]
    assert await found(database, action="key.*") == [1, 2]
    assert await found(database, action="key_.*") == [4]
    assert await found(database, action="*") == [1, 2, 3, 4]
    assert await found(database, actor_id="key_1") == [1, 2]
    assert await found(database, actor_id="jti_1") == [2]
    assert await found(database, actor_id="mem_1") == [3, 4]
    assert await found(database, target_id="key_2") == [1]
    assert await found(database, since=NOW + 1, until=NOW + 3) == [2, 3]
    assert await found(database, action="key.*", actor_id="jti_1", target_id="cus_1") == [2]


async def test_pages_come_newest_first_without_gap_or_repeat(database: Database) -> None:
    await append(database, *map(entry, range(7)))
    seen: list[int] = []
    async with database.read() as connection:
        while page := await audit.page(
            connection, ACCOUNT.id, Wanted(), limit=3, before=seen[-1] if seen else None
        ):
            seen += [one.sequence for one in page]
    assert seen == [7, 6, 5, 4, 3, 2, 1]


async def test_an_export_ends_where_it_was_told_to(database: Database) -> None:
    await append(database, *map(entry, range(5)))
    async with database.read() as connection:
        some = await audit.following(connection, ACCOUNT.id, Wanted(), limit=2, after=1, upto=4)
        rest = await audit.following(connection, ACCOUNT.id, Wanted(), limit=2, after=3, upto=4)
    assert [one.sequence for one in (*some, *rest)] == [2, 3, 4]


async def test_the_documents_example_is_a_chain_of_this_server(database: Database) -> None:
    """Other people's verifiers are tried on it."""
    lines = EXAMPLE.read_text().splitlines()
    assert first_broken(lines) is None
    written = [json.loads(line) for line in lines]
    for one in written:
        content = {name: value for name, value in one.items() if name not in CHAINING}
        await append(database, content)
    assert [one.shown() for one in await log(database)] == lines


def test_the_documents_verifier_finds_the_first_broken_entry() -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", (DOCS / "audit.md").read_text(), re.DOTALL)
    defined: dict[str, Any] = {}
    exec(snippet, defined)  # noqa: S102 - the document is our own
    lines = EXAMPLE.read_text().splitlines()
    assert defined["first_broken"](lines) is None
    assert defined["first_broken"]([lines[0], *lines[2:]]) == 2
    assert defined["first_broken"]([*lines[:2], lines[2].replace("line one", "line two"), lines[3]]) == 3
