"""What a decision costs as the number of keys in the store grows, and what a key in memory takes."""

from __future__ import annotations

import http.client
import os
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import load
from benchmarks.installation import Installation, Replica
from benchmarks.processes import BenchError, anonymous_bytes
from innoai.access import keys
from innoai.fresh_ids import fresh_id
from innoai.store.secrets import derive

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SIZES = (1_000, 10_000, 100_000, 1_000_000)
ASKING = 20_000
"""So many of the store's keys are presented, spread evenly over it; all, where there are fewer.

The first half fills what does not grow with the keys, such as SQLite's pages; the second is weighed.
"""

ASKERS = 4
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
    asking = fill_keys(folder, sample, size)
    listed = folder / "keys.txt"
    listed.write_text("\n".join(asking))
    with installation.serving() as replica:
        _ask_each(replica, asking[::2])
        before = anonymous_bytes(replica.pid)
        _ask_each(replica, asking[1::2])
        taken = anonymous_bytes(replica.pid) - before
        spent = median(_load(replica, listed) for _ in range(rounds))
    return {
        f"{size:,} keys, CPU µs/request": spent,
        f"{size:,} keys, bytes/key in memory": taken / len(asking[1::2]),
    }


def fill_keys(folder: Path, sample: str, size: int) -> list[str]:
    """Copies of the key `sample` with their own secrets, straight into the store; those that are to ask.

    Of the others nobody knows the secret, so their digests are random bytes, which is what digests look like.
    """
    pepper = derive((folder / "innoai.secret").read_bytes().strip()).pepper
    every = max(1, size // ASKING)
    asking = []
    with closing(sqlite3.connect(folder / "innoai.db", isolation_level=None)) as store:
        store.execute(f"PRAGMA cache_size = -{FILL_CACHE_KIB}")
        # A store that is lost here is made again; it is safe once it is filled.
        store.execute("PRAGMA synchronous = OFF")
        store.row_factory = sqlite3.Row
        row = dict(store.execute("SELECT * FROM api_keys WHERE id = ?", (sample,)).fetchone())
        places = {name: number for number, name in enumerate(row)}
        values = list(row.values())

        def rows() -> Iterator[Sequence[object]]:
            for number in range(size):
                if number % every == 0:
                    secret = keys.mint(os.urandom(keys.SECRET_BYTES))
                    asking.append(secret)
                    digest, last4 = keys.digest(secret, pepper), secret[-4:]
                else:
                    digest, last4 = os.urandom(len(row["digest"])), "none"
                values[places["id"]] = fresh_id("key")
                values[places["digest"]] = digest
                values[places["last4"]] = last4
                yield tuple(values)

        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        store.execute("BEGIN")
        store.executemany(f"INSERT INTO api_keys ({columns}) VALUES ({marks})", rows())  # noqa: S608 - the table's own names
        store.execute("COMMIT")
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return asking


def _ask_each(replica: Replica, credentials: Sequence[str]) -> None:
    """Present every credential once."""
    with ThreadPoolExecutor(ASKERS) as askers:
        for asked in [askers.submit(_ask, replica, credentials[first::ASKERS]) for first in range(ASKERS)]:
            asked.result()


def _ask(replica: Replica, credentials: Sequence[str]) -> None:
    with closing(http.client.HTTPConnection(replica.origin.removeprefix("http://"), timeout=30)) as client:
        for credential in credentials:
            client.request("GET", "/v1/auth/validate", headers={"Authorization": f"Bearer {credential}"})
            answer = client.getresponse()
            answer.read()
            if answer.status != http.client.OK:
                raise BenchError(f"a key of the store was answered {answer.status}")


def _load(replica: Replica, listed: Path) -> float:
    url = f"{replica.origin}/v1/auth/validate"
    seen = load.post(url, "", {}, SECONDS, CONNECTIONS, pids=(replica.pid,), method="GET", keys=listed)
    return seen.cpu_us
