"""What callers saw, what the model server served and what the store has on record must agree."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Accounts:
    """How many there were of each, and a sentence for each thing that does not agree."""

    answered: int
    served: int
    recorded: int
    wrong: tuple[str, ...]


def count_records(store: Path) -> int:
    """The usage records in the store."""
    with closing(_open(store)) as database:
        return int(database.execute("SELECT count(*) FROM usage_records").fetchone()[0])


def compare(store: Path, seen: Path, served: Path) -> Accounts:
    """`seen`: a line `request_id number status` for each answer that began; `served`: a number a line."""
    with closing(_open(store)) as database:
        database.execute("PRAGMA temp_store = FILE")
        database.execute("CREATE TEMP TABLE seen (id TEXT, number INT, status INT)")
        database.execute("CREATE TEMP TABLE served (number INT)")
        database.executemany("INSERT INTO seen VALUES (?, ?, ?)", _fields(seen))
        database.executemany("INSERT INTO served VALUES (?)", _fields(served))
        database.execute("CREATE INDEX temp.seen_id ON seen (id)")
        database.execute("CREATE INDEX temp.seen_number ON seen (number)")
        database.execute("CREATE INDEX temp.served_number ON served (number)")
        wrong = [sentence for what, query in _CHECKS.items() for sentence in _broken(database, what, query)]
        answered, served_count, recorded = (
            int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - names of ours
            for table in ("seen", "served", "usage_records")
        )
    return Accounts(answered, served_count, recorded, tuple(wrong))


_CHECKS = {
    "answers have no usage record: lost": """
        SELECT id FROM seen WHERE id NOT IN (SELECT request_id FROM usage_records)
    """,
    "usage records belong to no answer: doubled, or made up": """
        SELECT request_id FROM usage_records WHERE request_id NOT IN (SELECT id FROM seen)
    """,
    "request ids were given to more than one answer": """
        SELECT id FROM seen GROUP BY id HAVING count(*) > 1
    """,
    "usage records tell the tokens of another request": """
        SELECT request_id FROM usage_records JOIN seen ON id = request_id
        WHERE prompt_tokens IS NOT NULL AND prompt_tokens != number
    """,
    "whole answers are on record without their tokens": """
        SELECT request_id FROM usage_records
        WHERE outcome = 'complete' AND status = 200 AND prompt_tokens IS NULL
    """,
    "usage records tell of another status than the caller saw": """
        SELECT request_id FROM usage_records JOIN seen ON id = request_id
        WHERE seen.status != usage_records.status AND outcome != 'cancelled'
    """,
    "answers came from a model server that was never asked": """
        SELECT id FROM seen WHERE status = 200 AND number NOT IN (SELECT number FROM served)
    """,
    "requests that the model server served were asked by nobody": """
        SELECT number FROM served WHERE number NOT IN (SELECT number FROM seen)
    """,
}
"""What is wrong with the rows that a query finds."""


def _broken(database: sqlite3.Connection, what: str, query: str) -> Iterator[str]:
    found = [row[0] for row in database.execute(query)]
    if found:
        yield f"{len(found)} {what}, such as {', '.join(map(str, found[:_EXAMPLES]))}"


def _fields(lines: Path) -> Iterator[list[str]]:
    with lines.open() as file:
        for line in file:
            yield line.split()


def _open(store: Path) -> sqlite3.Connection:
    return sqlite3.connect(store, timeout=30)
