from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from innoai.store import billing, usage
from innoai.store.billing import Bucket, GroupName, Selection, Statement, Totals
from innoai.store.usage import HOUR, UsageRecord

if TYPE_CHECKING:
    from innoai.store.database import Database

ACCOUNT = "acc_1"
FIRST = datetime(2026, 11, 30, 22, tzinfo=UTC).timestamp()
ALL = Selection(ACCOUNT, 0.0, 4e9)
_numbers = itertools.count()


def used(at: float, **changed: Any) -> UsageRecord:
    values: dict[str, Any] = {
        "request_id": f"req_{next(_numbers):06}",
        "account_id": ACCOUNT,
        "key_id": "key_1",
        "route": "/v1/chat/completions",
        "status": 200,
        "outcome": "complete",
        "started_at": at,
        "duration_ms": 10.0,
        "model": "a",
        "prompt_tokens": 5,
        "cached_tokens": 1,
        "completion_tokens": 2,
        "cost": 100,
    }
    return UsageRecord(**(values | changed))


def customer(number: int, customer_id: str | None = None) -> dict[str, str]:
    return {"customer_pk": f"cus_{number}", "customer_id": customer_id or f"customer-{number}"}


async def add(database: Database, *records: UsageRecord) -> None:
    async with database.write() as connection:
        await usage.add(connection, records)


async def test_who_used_most_is_told_by_customer_id_whoever_bore_it(database: Database) -> None:
    await add(
        database,
        *(used(FIRST, **customer(1, "again")) for _ in range(2)),
        *(used(FIRST, **customer(2, "again"), cost=7) for _ in range(2)),
        *(used(FIRST, **customer(3)) for _ in range(3)),
        *(used(FIRST, **customer(number)) for number in (6, 5, 4)),
    )
    async with database.read() as connection:
        found = await billing.most_of_customers(connection, ACCOUNT, "2026-11", 4)
    assert [(one.who, one.requests, one.cost) for one in found] == [
        ("again", 4, 214),
        ("customer-3", 3, 300),
        ("customer-4", 1, 100),
        ("customer-5", 1, 100),
    ]


async def test_keys_that_used_as_much_come_in_the_order_of_their_ids(database: Database) -> None:
    await add(database, *(used(FIRST, key_id=f"key_{number}") for number in (3, 2, 2, 1, 4)))
    async with database.read() as connection:
        found = await billing.most_of_keys(connection, ACCOUNT, "2026-11", 3)
    assert [(one.who, one.requests) for one in found] == [("key_2", 2), ("key_1", 1), ("key_3", 1)]


async def every_page(database: Database, selection: Selection, limit: int) -> list[str]:
    found: list[str] = []
    before = None
    while True:
        async with database.read() as connection:
            page = await billing.records(connection, selection, limit=limit, before=before)
        found += [record.request_id for record in page]
        if len(page) < limit:
            return found
        before = (page[-1].started_at, page[-1].request_id)


async def buckets(
    database: Database, selection: Selection, *group_by: GroupName, **page: Any
) -> dict[tuple[str | int, ...], Totals]:
    async with database.read() as connection:
        found = await billing.buckets(connection, selection, group_by, **page)
    assert found == sorted(found)
    return {bucket.of: bucket.totals for bucket in found}


def totals(requests: int, failures: int = 0) -> Totals:
    return Totals(requests, failures, 5 * requests, requests, 2 * requests, 100 * requests)


async def test_records_are_paged_newest_first_whatever_instants_they_share(database: Database) -> None:
    records = [used(FIRST + number // 4) for number in range(23)]
    await add(database, *records)
    newest = sorted(records, key=lambda record: (record.started_at, record.request_id), reverse=True)
    for limit in (1, 3, 23, 24):
        assert await every_page(database, ALL, limit) == [record.request_id for record in newest]


async def test_records_come_back_as_they_were_added(database: Database) -> None:
    record = used(FIRST + 0.125, **customer(1), upstream="https://models.example/v1", estimated=True)
    await add(database, record)
    async with database.read() as connection:
        assert await billing.records(connection, ALL, limit=1) == [record]


async def test_a_page_is_as_it_was_when_newer_records_arrive(database: Database) -> None:
    records = [used(FIRST + number) for number in range(6)]
    await add(database, *records)
    place = (records[3].started_at, records[3].request_id)
    await add(database, used(FIRST + 100), used(FIRST + 3, request_id="req_zzz"))
    async with database.read() as connection:
        page = await billing.records(connection, ALL, limit=9, before=place)
    assert [record.request_id for record in page] == [record.request_id for record in records[2::-1]]


@pytest.mark.parametrize("before", [None, (FIRST, "req_1"), (4e9, "req_1")], ids=["first", "later", "beyond"])
@pytest.mark.parametrize(
    ("selection", "index"),
    [
        (ALL, "usage_by_account"),
        (replace(ALL, key_id="key_1"), "usage_by_key"),
        (replace(ALL, model="a"), "usage_by_model"),
        (replace(ALL, customers=("cus_1",)), "usage_by_customer"),
    ],
    ids=["all", "key", "model", "customer"],
)
async def test_each_page_of_records_is_read_from_where_it_begins(
    database: Database, selection: Selection, index: str, before: tuple[float, str] | None
) -> None:
    if not database.is_sqlite:
        pytest.skip("Postgres plans by how many rows there are")
    async with database.read() as connection:
        asked: list[tuple[str, Any]] = []

        def note(_connection: object, _cursor: object, statement: str, values: object, *_: object) -> None:
            asked.append((statement, values))

        event.listen(connection.sync_connection, "before_cursor_execute", note)
        await billing.records(connection, selection, limit=9, before=before)
        statement, values = asked[-1]
        plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)).all()
    assert f"USING INDEX {index} (" in plan[0][-1]
    assert "started_at>? AND started_at<?" in plan[0][-1]
    assert len(plan) == 2, "only what shares an instant is sorted"
    assert plan[1][-1].endswith(("RIGHT PART OF ORDER BY", "LAST TERM OF ORDER BY"))


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (ALL, 6),
        (Selection(ACCOUNT, FIRST, FIRST + 1), 1),
        (Selection(ACCOUNT, FIRST + 0.5, 4e9), 5),
        (Selection(ACCOUNT, 0.0, 4e9, model="b"), 2),
        (Selection(ACCOUNT, 0.0, 4e9, key_id="key_2"), 1),
        (Selection(ACCOUNT, 0.0, 4e9, customers=("cus_1",)), 2),
        (Selection(ACCOUNT, 0.0, 4e9, customers=("cus_1", "cus_2")), 3),
        (Selection(ACCOUNT, 0.0, 4e9, customers=()), 0),
        (Selection(ACCOUNT, 0.0, 4e9, model="b", key_id="key_2"), 0),
        (Selection("acc_2", 0.0, 4e9), 1),
        (Selection("acc_3", 0.0, 4e9), 0),
    ],
)
async def test_a_selection_has_the_same_in_records_and_in_sums(
    database: Database, selection: Selection, expected: int
) -> None:
    hours = [FIRST + number * HOUR for number in range(6)]
    await add(
        database,
        used(hours[0]),
        used(hours[1], **customer(1)),
        used(hours[2], model="b", **customer(1)),
        used(hours[3], model="b", **customer(2)),
        used(hours[4], key_id="key_2"),
        used(hours[5]),
        used(hours[0], account_id="acc_2", key_id="key_9"),
    )
    assert len(await every_page(database, selection, 100)) == expected
    if selection.since not in (FIRST, FIRST + 0.5):
        summed = await buckets(database, selection)
        assert summed == {(): totals(expected)}


async def test_usage_is_added_up_by_any_groups_in_order(database: Database) -> None:
    day, hour = int(FIRST // HOUR // 24), int(FIRST // HOUR)
    await add(
        database,
        used(FIRST),
        used(FIRST + 1, **customer(2)),
        used(FIRST + HOUR, model="b", status=500, outcome="failed", **customer(1)),
        used(FIRST + 3 * HOUR, key_id="key_2"),
        used(FIRST + 3 * HOUR, model=None),
    )
    assert await buckets(database, ALL, "day") == {(day,): totals(3, 1), (day + 1,): totals(2)}
    assert await buckets(database, ALL, "hour") == {
        (hour,): totals(2),
        (hour + 1,): totals(1, 1),
        (hour + 3,): totals(2),
    }
    assert await buckets(database, ALL, "model") == {
        ("",): totals(1),
        ("a",): totals(3),
        ("b",): totals(1, 1),
    }
    assert await buckets(database, ALL, "key") == {("key_1",): totals(4, 1), ("key_2",): totals(1)}
    assert await buckets(database, ALL, "day", "customer") == {
        (day, ""): totals(1),
        (day, "customer-1"): totals(1, 1),
        (day, "customer-2"): totals(1),
        (day + 1, ""): totals(2),
    }
    async with database.read() as connection:
        assert await billing.hours(connection, ALL) == (hour, hour + 3)
        assert await billing.hours(connection, Selection(ACCOUNT, 0.0, 1.0)) is None


async def test_pages_of_groups_make_up_the_whole(database: Database) -> None:
    await add(
        database,
        *(
            used(FIRST + number * 1000, model="abc"[number % 3], key_id=f"key_{number % 4}")
            for number in range(60)
        ),
    )
    for group_by in (("model",), ("day", "key"), ("hour", "model", "key", "customer")):
        async with database.read() as connection:
            whole = await billing.buckets(connection, ALL, group_by)
            paged: list[Bucket] = []
            while page := await billing.buckets(
                connection,
                ALL,
                group_by,
                limit=3,
                after=paged[-1].of if paged else None,
            ):
                paged += page
        assert paged == whole
        assert billing.together(bucket.totals for bucket in whole) == totals(60)


async def test_sums_beyond_64_bits_of_several_rows_are_exact(database: Database) -> None:
    await add(database, *(used(FIRST + number * HOUR, cost=2**60) for number in range(7)))
    assert (await buckets(database, ALL))[()].cost == 7 * 2**60


async def test_statements_are_listed_by_month_and_customer(database: Database) -> None:
    await add(
        database,
        used(FIRST, **customer(2)),
        used(FIRST, **customer(1)),
        used(FIRST + 3 * HOUR, **customer(1)),
        used(FIRST, account_id="acc_2", customer_pk="cus_9", customer_id="customer-1"),
        used(FIRST),
    )
    expected = [
        Statement("2026-12", "customer-1", 1, 5, 1, 2, 100),
        Statement("2026-11", "customer-1", 1, 5, 1, 2, 100),
        Statement("2026-11", "customer-2", 1, 5, 1, 2, 100),
    ]

    async def listed(**which: Any) -> list[Statement]:
        async with database.read() as connection:
            return await billing.statements(connection, ACCOUNT, **{"limit": 10, **which})

    assert await listed() == expected
    assert await listed(limit=2) == expected[:2]
    assert await listed(after=("2026-12", "customer-1")) == expected[1:]
    assert await listed(after=("2026-11", "customer-1")) == expected[2:]
    assert await listed(month="2026-11") == expected[1:]
    assert await listed(customer_id="customer-1") == expected[:2]
    assert await listed(only="cus_2") == expected[2:]
    assert await listed(month="2026-10") == []


async def test_who_got_the_customer_id_of_a_deleted_customer_shares_its_statement(database: Database) -> None:
    await add(database, used(FIRST, **customer(1, "acme")), used(FIRST, **customer(2, "acme")))
    async with database.read() as connection:
        [statement] = await billing.statements(connection, ACCOUNT, limit=10)
        assert (statement.customer_id, statement.requests, statement.cost) == ("acme", 2, 200)
        assert await billing.customers_of(connection, ACCOUNT, "acme") == ("cus_1", "cus_2")
        assert await billing.customers_of(connection, ACCOUNT, "other") == ()
        assert await billing.customers_of(connection, "acc_2", "acme") == ()


async def test_an_account_was_charged_once_something_cost_something(database: Database) -> None:
    async def charged() -> bool:
        async with database.read() as connection:
            return await billing.was_charged(connection, ACCOUNT)

    await add(database, used(FIRST, cost=0), used(FIRST, cost=None), used(FIRST, account_id="acc_2"))
    assert not await charged()
    await add(database, used(FIRST, cost=1))
    assert await charged()
