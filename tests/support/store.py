"""A server's SQLite store, read and changed behind its back, as time or another replica would."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.server import Server


def rows_of(server: Server, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What a query finds. Only reads: with the store gone, it makes none."""
    with closing(sqlite3.connect(f"file:{server.store}?mode=ro", uri=True)) as store:
        return store.execute(query, values).fetchall()


def change_store(server: Server, statement: str, *values: object) -> int:
    """Change rows of the store; says how many."""
    with closing(sqlite3.connect(server.store)) as store, store:
        return store.execute(statement, values).rowcount
