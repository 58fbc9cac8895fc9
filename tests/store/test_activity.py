from __future__ import annotations

import asyncio
from typing import Any

from innoai.store import activity
from innoai.store.activity import Row, What
from innoai.store.database import Database
from tests.support.stores import ACCOUNT

HOUR = 498_000
CHAT = What(
    ACCOUNT.id, "key_1", HOUR, "POST", "/v1/chat/completions", "", "key", "203.0.113.7", "m", "allowed"
)
MANY = 600
"""More rows than one statement takes."""

ROUNDS = 4
"""In each of which two servers that wait for each other do so nearly always."""


async def add(
    database: Database,
    counted: dict[What, tuple[int, float]],
    minutes: dict[tuple[str, str, int], int] | None = None,
) -> None:
    async with database.write() as connection:
        await activity.add(connection, counted, minutes or {})


async def read(
    database: Database, what: Any, key_id: str = "key_1", since: int = HOUR, until: int = HOUR + 1
) -> Any:
    async with database.read() as connection:
        return await what(connection, ACCOUNT.id, key_id, since, until)


def row(what: What, requests: int, last_at: float) -> Row:
    return Row(
        what.method,
        what.path,
        what.required_scope,
        what.bearer,
        what.place,
        what.model,
        what.code,
        requests,
        last_at,
    )


async def test_counts_add_up_whoever_brings_them(database: Database) -> None:
    await add(database, {CHAT: (3, 20.0)})
    await add(database, {CHAT: (4, 10.0), CHAT._replace(code="ip_not_allowed"): (1, 30.0)})
    assert await read(database, activity.of_key) == [
        row(CHAT, 7, 20.0),
        row(CHAT._replace(code="ip_not_allowed"), 1, 30.0),
    ]


async def test_what_a_key_did_is_added_up_over_the_hours_that_are_asked_for(database: Database) -> None:
    later = CHAT._replace(hour=HOUR + 1)
    await add(database, {CHAT: (1, 1.0), later: (2, 2.0), CHAT._replace(hour=HOUR + 2): (4, 4.0)})
    assert await read(database, activity.of_key, until=HOUR + 2) == [row(CHAT, 3, 2.0)]
    assert await read(database, activity.by_hour, until=HOUR + 2) == [
        (HOUR, "allowed", 1),
        (HOUR + 1, "allowed", 2),
    ]


async def test_other_keys_and_other_accounts_are_not_told(database: Database) -> None:
    await add(
        database, {CHAT._replace(key_id="key_2"): (1, 1.0), CHAT._replace(account_id="acc_2"): (1, 1.0)}
    )
    assert await read(database, activity.of_key) == []
    assert await read(database, activity.by_hour) == []


async def test_more_rows_than_a_statement_takes(database: Database) -> None:
    rows = {CHAT._replace(place=f"10.0.{number // 256}.{number % 256}"): (1, 1.0) for number in range(MANY)}
    minutes = {(ACCOUNT.id, f"key_{number}", HOUR * 60): 1 for number in range(MANY)}
    await add(database, rows, minutes)
    assert len(await read(database, activity.of_key)) == MANY
    assert await read(database, activity.by_hour) == [(HOUR, "allowed", MANY)]
    assert await read(database, activity.peaks, key_id=f"key_{MANY - 1}") == [1]


async def test_the_busiest_minute_of_an_hour_stays(database: Database) -> None:
    minute = HOUR * 60
    for at, requests in ((0, 2), (0, 3), (1, 4), (1, 4), (2, 1)):
        await add(database, {}, {(ACCOUNT.id, "key_1", minute + at): requests})
    assert await read(database, activity.peaks) == [8]
    await add(database, {}, {(ACCOUNT.id, "key_1", minute + 2): 7, (ACCOUNT.id, "key_1", minute + 60): 3})
    assert await read(database, activity.peaks, until=HOUR + 2) == [8, 3]
    await add(database, {}, {(ACCOUNT.id, "key_1", minute + 2): 1})
    assert await read(database, activity.peaks) == [9]


async def test_a_minute_that_comes_late_does_not_begin_the_running_one_anew(database: Database) -> None:
    minute = HOUR * 60
    for at, requests in ((5, 6), (4, 1), (5, 3)):
        await add(database, {}, {(ACCOUNT.id, "key_1", minute + at): requests})
    assert await read(database, activity.peaks) == [9]


async def test_minutes_of_an_outage_count_as_if_each_had_been_brought_in_its_time(database: Database) -> None:
    minute = HOUR * 60
    await add(database, {}, {(ACCOUNT.id, "key_1", minute): 5, (ACCOUNT.id, "key_2", minute + 1): 2})
    late = {
        (ACCOUNT.id, "key_1", minute + at): requests for at, requests in ((0, 4), (1, 1), (2, 7), (60, 3))
    }
    await add(database, {}, {**late, (ACCOUNT.id, "key_2", minute): 1, (ACCOUNT.id, "key_2", minute + 1): 4})
    assert await read(database, activity.peaks, until=HOUR + 2) == [9, 3]
    assert await read(database, activity.peaks, key_id="key_2") == [6]
    await add(database, {}, {(ACCOUNT.id, "key_1", minute + 2): 4})
    assert await read(database, activity.peaks) == [11]


async def test_servers_that_bring_several_minutes_do_not_wait_for_each_other(url: str) -> None:
    minute = HOUR * 60
    first, second = range(200), range(200, 400)
    brought = [
        {(ACCOUNT.id, f"key_{number}", minute + at): 1 for at, keys in enumerate(both) for number in keys}
        for both in ((second, first), (first, second))
    ]
    servers = [Database(url), Database(url)]
    try:
        for _ in range(ROUNDS):
            await asyncio.gather(
                *(add(server, {}, minutes) for server, minutes in zip(servers, brought, strict=True))
            )
    finally:
        await asyncio.gather(*(server.close() for server in servers))


async def test_what_is_old_is_forgotten_and_the_rest_stays(database: Database) -> None:
    old = CHAT._replace(hour=HOUR - 24)
    oldest = CHAT._replace(hour=HOUR - 25)
    minutes = {(ACCOUNT.id, "key_1", hour * 60): 1 for hour in (HOUR, HOUR - 24, HOUR - 25)}
    await add(database, {CHAT: (1, 1.0), old: (2, 1.0), oldest: (4, 1.0)}, minutes)
    async with database.write() as connection:
        await activity.prune(connection, HOUR * 3600.0 + 1800, keep_days=1)
    assert [hour for hour, _, _ in await read(database, activity.by_hour, since=0)] == [HOUR - 24, HOUR]
    assert len(await read(database, activity.peaks, since=0)) == 2
