"""What keys did: sums by hour of what was asked for, from where, and what was said to it. No row a request.

Beside them the busiest minute of each hour and key, added up over all processes as its counts arrive.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, func, select

from innoai.store.tables import activity_hours, activity_minutes
from innoai.store.usage import HOUR, value_places

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

ROWS_PER_STATEMENT = 250
MINUTES_PER_HOUR = 60


class What(NamedTuple):
    """What is counted together, as the columns hold it: an empty text where there is none."""

    account_id: str
    key_id: str
    hour: int
    method: str
    path: str
    required_scope: str
    bearer: str
    place: str
    model: str
    code: str


class Row(NamedTuple):
    """Requests that were counted together over some hours, and when the last of them came."""

    method: str
    path: str
    required_scope: str
    bearer: str
    place: str
    model: str
    code: str
    requests: int
    last_at: float


_DIMENSIONS = [activity_hours.c[name] for name in Row._fields[:-2]]


async def add(
    connection: AsyncConnection,
    counted: Mapping[What, tuple[int, float]],
    minutes: Mapping[tuple[str, str, int], int],
) -> None:
    """Add counts, with the instant of the last request, and requests by account, key and minute."""
    rows = [(*what, *counts) for what, counts in sorted(counted.items())]
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        batch = rows[start : start + ROWS_PER_STATEMENT]
        statement = _add_hours(len(batch), connection.dialect.paramstyle)
        await connection.exec_driver_sql(statement, tuple(chain.from_iterable(batch)))
    for peaks in _in_rounds(minutes):
        for start in range(0, len(peaks), ROWS_PER_STATEMENT):
            some = peaks[start : start + ROWS_PER_STATEMENT]
            statement = _add_minutes(len(some), connection.dialect.paramstyle)
            await connection.exec_driver_sql(statement, tuple(chain.from_iterable(some)))


async def of_key(
    connection: AsyncConnection, account_id: str, key_id: str, since: int, until: int
) -> list[Row]:
    """What the key did from the hour `since` to before the hour `until`, added up over the hours."""
    hours = activity_hours.c
    query = (
        select(*_DIMENSIONS, func.sum(hours.requests), func.max(hours.last_at))
        .where(hours.account_id == account_id, hours.key_id == key_id)
        .where(hours.hour >= since, hours.hour < until)
        .group_by(*_DIMENSIONS)
        .order_by(*_DIMENSIONS)
    )
    rows = await connection.execute(query)
    return [Row._make((*what, int(requests), last_at)) for *what, requests, last_at in rows]


async def by_hour(
    connection: AsyncConnection, account_id: str, key_id: str, since: int, until: int
) -> list[tuple[int, str, int]]:
    """How many requests got which code in which hour, in their order."""
    hours = activity_hours.c
    query = (
        select(hours.hour, hours.code, func.sum(hours.requests))
        .where(hours.account_id == account_id, hours.key_id == key_id)
        .where(hours.hour >= since, hours.hour < until)
        .group_by(hours.hour, hours.code)
        .order_by(hours.hour, hours.code)
    )
    return [(hour, code, int(requests)) for hour, code, requests in await connection.execute(query)]


async def peaks(
    connection: AsyncConnection, account_id: str, key_id: str, since: int, until: int
) -> list[int]:
    """The requests of the busiest minute of each hour in which there were any."""
    minutes = activity_minutes.c
    query = (
        select(minutes.peak)
        .where(minutes.account_id == account_id, minutes.key_id == key_id)
        .where(minutes.hour >= since, minutes.hour < until)
        .order_by(minutes.hour)
    )
    return list((await connection.execute(query)).scalars())


def _in_rounds(
    minutes: Mapping[tuple[str, str, int], int],
) -> list[list[tuple[str, str, int, int, int, int]]]:
    """The rows to add: first the earliest minute of each key's hour, then the next of those that have more.

    A round has each row of the table once, since Postgres changes none twice in a statement. The first takes
    hold of all of them in one order, so that two servers with several minutes to add do not wait for each
    other: what later rounds change is held already.
    """
    rounds: list[list[tuple[str, str, int, int, int, int]]] = []
    of_hour: Counter[tuple[str, str, int]] = Counter()
    for (account_id, key_id, minute), requests in sorted(minutes.items()):
        row = account_id, key_id, minute // MINUTES_PER_HOUR
        if of_hour[row] == len(rounds):
            rounds.append([])
        rounds[of_hour[row]].append((*row, minute, requests, requests))
        of_hour[row] += 1
    return rounds


async def prune(connection: AsyncConnection, now: float, keep_days: int) -> None:
    """Forget what is older than that many days."""
    oldest = int(now // HOUR) - keep_days * 24
    await connection.execute(delete(activity_hours).where(activity_hours.c.hour < oldest))
    await connection.execute(delete(activity_minutes).where(activity_minutes.c.hour < oldest))


@lru_cache(maxsize=2 * ROWS_PER_STATEMENT)
def _add_hours(rows: int, paramstyle: str) -> str:
    table = activity_hours.name
    later = f"{table}.last_at > excluded.last_at"
    return (
        f"INSERT INTO {table} ({', '.join(What._fields)}, requests, last_at) "  # noqa: S608 - names of ours
        f"VALUES {value_places(rows, len(What._fields) + 2, paramstyle)} "
        f"ON CONFLICT ({', '.join(What._fields)}) DO UPDATE SET "
        f"requests = {table}.requests + excluded.requests, "
        f"last_at = CASE WHEN {later} THEN {table}.last_at ELSE excluded.last_at END"
    )


@lru_cache(maxsize=2 * ROWS_PER_STATEMENT)
def _add_minutes(rows: int, paramstyle: str) -> str:
    """The minute that runs grows, a later one begins anew, and the greatest of all stays."""
    table = activity_minutes.name
    grown = f"{table}.requests + excluded.requests"
    running = f"CASE WHEN excluded.minute = {table}.minute THEN {grown} ELSE excluded.requests END"
    return (
        f"INSERT INTO {table} (account_id, key_id, hour, minute, requests, peak) "  # noqa: S608 - names of ours
        f"VALUES {value_places(rows, 6, paramstyle)} ON CONFLICT (account_id, key_id, hour) DO UPDATE SET "
        f"peak = CASE WHEN {table}.peak > {running} THEN {table}.peak ELSE {running} END, "
        f"requests = CASE WHEN excluded.minute < {table}.minute THEN {table}.requests ELSE {running} END, "
        f"minute = CASE WHEN excluded.minute < {table}.minute THEN {table}.minute ELSE excluded.minute END"
    )
