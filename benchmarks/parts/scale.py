"""What a decision costs as the number of keys in the store grows, and what a key in memory takes."""

from __future__ import annotations

import http.client
import os
import sqlite3
import sys
from contextlib import closing
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import load
from benchmarks.installation import Installation, Replica
from benchmarks.processes import BenchError, cpu_seconds, resident_bytes
from innoai.access import keys
from innoai.fresh_ids import fresh_id
from innoai.store.secrets import derive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZES = (1_000, 100_000)
ASKING = 10_000
"""So many of the store's keys are presented, spread evenly over it; all, where there are fewer."""

FILL_CACHE_KIB = 1_000_000
"""Digests come in no order, and each would read a page of the index again."""

CONNECTIONS = 32
SECONDS = 4.0


def measure(folder: Path, rounds: int) -> dict[str, float]:
    """CPU microseconds of GET /v1/auth/validate with a key in memory, and bytes that each key took there."""
    figures: dict[str, float] = {}
    for size in SIZES:
        place = folder / str(size)
        place.mkdir()
        figures |= (seen := _at(place, size, rounds))
        print(seen, file=sys.stderr)
    return figures


def _at(folder: Path, size: int, rounds: int) -> dict[str, float]:
    installation = Installation.make(folder)
    with installation.serving() as replica:
        sample = installation.new_key(replica)[0]
    asking = _fill(folder, sample, size)
    listed = folder / "keys.txt"
    listed.write_text("\n".join(asking))
    with installation.serving() as replica:
        _ask_each(replica, [asking[0]] * len(asking))
        before = resident_bytes(replica.pid)
        _ask_each(replica, asking)
        taken = resident_bytes(replica.pid) - before
        spent = median(_load(replica, listed) for _ in range(rounds))
    return {
        f"{size:,} keys, CPU µs/request": spent,
        f"{size:,} keys, bytes/key in memory": taken / len(asking),
    }


def _fill(folder: Path, sample: str, size: int) -> list[str]:
    """Copies of the key `sample` with their own secrets, straight into the store; those that are to ask."""
    pepper = derive((folder / "innoai.secret").read_bytes().strip()).pepper
    every = max(1, size // ASKING)
    asking = []
    with closing(sqlite3.connect(folder / "innoai.db")) as store, store:
        store.execute(f"PRAGMA cache_size = -{FILL_CACHE_KIB}")
        store.row_factory = sqlite3.Row
        row = dict(store.execute("SELECT * FROM api_keys WHERE id = ?", (sample,)).fetchone())

        def rows() -> Iterator[dict[str, object]]:
            for number in range(size):
                secret = keys.mint(os.urandom(keys.SECRET_BYTES))
                if number % every == 0:
                    asking.append(secret)
                yield row | {
                    "id": fresh_id("key_"),
                    "digest": keys.digest(secret, pepper),
                    "last4": secret[-4:],
                }

        columns = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        store.executemany(f"INSERT INTO api_keys ({columns}) VALUES ({marks})", rows())  # noqa: S608 - the table's own names
    return asking


def _ask_each(replica: Replica, credentials: list[str]) -> None:
    with closing(http.client.HTTPConnection(replica.origin.removeprefix("http://"), timeout=30)) as client:
        for credential in credentials:
            client.request("GET", "/v1/auth/validate", headers={"Authorization": f"Bearer {credential}"})
            answer = client.getresponse()
            answer.read()
            if answer.status != http.client.OK:
                raise BenchError(f"a key of the store was answered {answer.status}")


def _load(replica: Replica, listed: Path) -> float:
    before = cpu_seconds(replica.pid)
    url = f"{replica.origin}/v1/auth/validate"
    seen = load.post(url, "", {}, SECONDS, CONNECTIONS, "GET", listed)
    return (cpu_seconds(replica.pid) - before) / seen.requests * 1e6
