"""`make bench-pages`: how long the server takes for each page of the dashboard of an account that has much.

100,000 keys, 10,000 customers and 10 million usage records of a month go straight into a store; then every
page is opened again and again over one connection, and the median counts.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import httpx

from benchmarks import machine
from benchmarks.parts.scale import fill_keys
from benchmarks.peers.innoai import Innoai
from tests.support.dashboard import SESSION, owner_of
from tests.support.server import MODEL, Server
from tests.support.settings import settings
from tests.support.tour import furnish

if TYPE_CHECKING:
    from collections.abc import Mapping

RESULT = Path(__file__).parent / "results/pages.md"
KEYS, CUSTOMERS, RECORDS = 100_000, 10_000, 10_000_000
BUSY_KEYS = 2_000
"""Keys that made the requests. Each has a row for each of its hours: 1.4 million rows in all."""

DAYS = 30
TIMES = 20
MOST_MS = 50.0

_RECORDS = """
INSERT INTO usage_records (
    request_id, account_id, key_id, customer_pk, customer_id, route, model, upstream, status, outcome,
    prompt_tokens, cached_tokens, completion_tokens, started_at, first_byte_ms, duration_ms, cost, estimated
)
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :records)
SELECT
    printf('req_%022d', n), key.account_id, key.id, customer.id, customer.customer_id, '/v1/chat/completions',
    'model-' || (key.place % 3), 'http://model/v1', iif(n % 50, 200, 502), iif(n % 50, 'complete', 'failed'),
    100, 10, 200, :begin + n * :step, 20.0, 900.0, 1000000, 0
FROM numbers
JOIN busy_keys AS key ON key.place = n * 7919 % :busy
LEFT JOIN busy_customers AS customer ON customer.place = key.place % 1000 AND key.place % 2 = 1
"""
_HOURS = """
INSERT INTO usage_hours (
    account_id, hour, key_id, customer_pk, model, customer_id,
    requests, failures, prompt_tokens, cached_tokens, completion_tokens, cost, duration_ms
)
SELECT account_id, CAST(started_at / 3600 AS INTEGER) AS at, key_id, ifnull(customer_pk, '') AS customer,
    model, max(customer_id), count(*), sum(outcome = 'failed'), sum(prompt_tokens), sum(cached_tokens),
    sum(completion_tokens), sum(cost), sum(duration_ms)
FROM usage_records WHERE model LIKE 'model-%' GROUP BY account_id, at, key_id, customer, model
"""
_TOTALS = """
INSERT INTO usage_totals SELECT account_id, hour, model, sum(requests), sum(failures), sum(prompt_tokens),
    sum(cached_tokens), sum(completion_tokens), sum(cost), sum(duration_ms)
FROM usage_hours WHERE model LIKE 'model-%' GROUP BY account_id, hour, model
"""
_SPENDING = """
INSERT INTO spending (
    subject, month, account_id, customer_id, requests, prompt_tokens, cached_tokens, completion_tokens, cost
)
SELECT {subject}, strftime('%Y-%m', hour * 3600, 'unixepoch') AS of_month, account_id, {customer_id},
    sum(requests), sum(prompt_tokens), sum(cached_tokens), sum(completion_tokens), sum(cost)
FROM usage_hours WHERE model LIKE 'model-%' AND {subject} <> '' GROUP BY {subject}, of_month, account_id
ON CONFLICT DO UPDATE
    SET requests = spending.requests + excluded.requests, cost = spending.cost + excluded.cost
"""


def main() -> int:
    """0 when every page took less than it may, 1 when one did not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--records", type=int, default=RECORDS, help="usage records (default: 10 million)")
    records = parser.parse_args().records
    with tempfile.TemporaryDirectory(prefix="innoai-pages-") as folder:
        server = Server.initialise(Path(folder), settings({MODEL: [{"base_url": "echo:"}]}))
        with closing(server):
            server.start()
            session = owner_of(server).session
            pages = furnish(server)
            server.stop()
            _fill(server, pages, records)
            server.start()
            taken = {name: _milliseconds(server, session or "", path) for name, path in pages.items()}
    text = _table(taken, records)
    print(text)
    if records >= RECORDS:
        RESULT.write_text(text)
    slow = [name for name, milliseconds in taken.items() if milliseconds >= MOST_MS]
    if slow:
        print(f"{MOST_MS:g} ms or more: {', '.join(slow)}", file=sys.stderr)
    return 1 if slow else 0


def _fill(server: Server, pages: Mapping[str, str], records: int) -> None:
    key_id = pages["key"].rpartition("/")[2]
    fill_keys(server.directory, key_id, KEYS)
    with closing(sqlite3.connect(server.directory / "innoai.db", isolation_level=None)) as store:
        # A store that is lost here is made again; it is safe once it is filled.
        for pragma in ("synchronous = OFF", "cache_size = -1000000", "temp_store = MEMORY"):
            store.execute(f"PRAGMA {pragma}")
        account_id = store.execute("SELECT account_id FROM api_keys WHERE id = ?", (key_id,)).fetchone()[0]
        store.execute("BEGIN")
        _add_customers(store, account_id)
        _choose_the_busy(store, key_id)
        indexes = store.execute(
            "SELECT name, sql FROM sqlite_master "
            "WHERE tbl_name = 'usage_records' AND sql LIKE 'CREATE INDEX%'"
        ).fetchall()
        for name, _ in indexes:
            store.execute(f"DROP INDEX {name}")
        span = DAYS * 86_400.0
        busy = {"records": records, "begin": time.time() - span, "step": span / records, "busy": BUSY_KEYS}
        store.execute(_RECORDS, busy)
        for _, sql in indexes:
            store.execute(sql)
        store.execute(_HOURS)
        store.execute(_TOTALS)
        for subject, customer_id in (
            ("key_id", "NULL"),
            ("customer_pk", "max(customer_id)"),
            ("account_id", "NULL"),
        ):
            store.execute(_SPENDING.format(subject=subject, customer_id=customer_id))
        store.execute("COMMIT")
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _add_customers(store: sqlite3.Connection, account_id: str) -> None:
    now = time.time()
    rows = (
        (f"cus_{number:022d}", account_id, f"customer-{number}", f"Customer {number}", "{}", 0, now, now)
        for number in range(CUSTOMERS)
    )
    store.executemany(
        "INSERT INTO customers "
        "(id, account_id, customer_id, name, metadata, disabled, created_at, updated_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        rows,
    )


def _choose_the_busy(store: sqlite3.Connection, key_id: str) -> None:
    """Number the keys and customers that made the requests; the key whose page is opened is among them."""
    store.execute("CREATE TEMP TABLE busy_keys (place INTEGER PRIMARY KEY, id TEXT, account_id TEXT)")
    store.execute(
        "INSERT INTO busy_keys SELECT row_number() OVER (ORDER BY id = ? DESC, id) - 1, id, account_id "
        "FROM api_keys ORDER BY id = ? DESC, id LIMIT ?",
        (key_id, key_id, BUSY_KEYS),
    )
    store.execute("CREATE TEMP TABLE busy_customers (place INTEGER PRIMARY KEY, id TEXT, customer_id TEXT)")
    store.execute(
        "INSERT INTO busy_customers "
        "SELECT row_number() OVER (ORDER BY id) - 1, id, customer_id FROM customers"
    )


def _milliseconds(server: Server, session: str, path: str) -> float:
    """Median of what an answer takes after the first, over a connection that is kept."""
    with httpx.Client(base_url=server.origin, cookies={SESSION: session}, timeout=60) as client:
        taken = []
        for _ in range(TIMES + 1):
            began = time.perf_counter()
            answer = client.get(path)
            taken.append((time.perf_counter() - began) * 1000)
            if answer.status_code != httpx.codes.OK:
                raise SystemExit(f"{path} was answered {answer.status_code}")
    return median(taken[1:])


def _table(taken: Mapping[str, float], records: int) -> str:
    lines = ["# Latest run of `make bench-pages`", "", "| page | ms |", "| --- | --- |"]
    lines += [f"| {name} | {milliseconds:.1f} |" for name, milliseconds in taken.items()]
    facts = {
        **machine.host(),
        "gateway": Innoai().version(),
        "store": f"SQLite; {KEYS:,} keys, {CUSTOMERS:,} customers, {records:,} usage records in {DAYS} days",
        "measured": f"a page's HTML over a kept connection, on an idle server; medians of {TIMES}",
    }
    lines += ["", *(f"- {name}: {fact}" for name, fact in facts.items()), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
