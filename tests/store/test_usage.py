from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from sqlalchemy import func, select

from innoai.store import usage
from innoai.store.database import Database
from innoai.store.tables import spending, usage_hours, usage_records
from innoai.store.usage import HOUR, MAX_SUM, ROWS_PER_STATEMENT, UsageRecord
from tests.support.stores import NOW

if TYPE_CHECKING:
    from sqlalchemy import Table


def record(number: int, **changed: Any) -> UsageRecord:
    made = UsageRecord(
        request_id=f"req_{number}",
        account_id="acc_1",
        key_id="key_1",
        route="/v1/chat/completions",
        status=200,
        outcome="complete",
        started_at=NOW + number,
        duration_ms=12.5,
    )
    return msgspec.structs.replace(made, **changed)


async def add(database: Database, *records: UsageRecord) -> None:
    async with database.write() as connection:
        await usage.add(connection, records)


async def stored(database: Database) -> dict[str, UsageRecord]:
    async with database.read() as connection:
        rows = (await connection.execute(select(usage_records))).all()
    return {row.request_id: UsageRecord(**row._mapping) for row in rows}


async def test_a_record_comes_back_as_it_was(database: Database) -> None:
    bare = record(1)
    full = record(
        2,
        model="a-model",
        upstream="https://models.example/v1",
        customer_pk="cus_1",
        customer_id="customer-1",
        first_byte_ms=0.125,
        prompt_tokens=2**31 - 1,
        cached_tokens=0,
        completion_tokens=3,
    )
    await add(database, bare, full)
    assert await stored(database) == {"req_1": bare, "req_2": full}


async def test_a_record_that_is_there_already_stays_as_it_is(database: Database) -> None:
    await add(database, record(1, status=200))
    await add(database, record(1, status=500), record(2))
    assert {key: row.status for key, row in (await stored(database)).items()} == {"req_1": 200, "req_2": 200}


async def test_a_twin_in_the_same_batch_is_no_error(database: Database) -> None:
    await add(database, record(1, status=200), record(1, status=500))
    assert (await stored(database))["req_1"].status == 200


async def test_no_records_are_no_error(database: Database) -> None:
    await add(database)
    assert await stored(database) == {}


async def test_more_records_than_fit_one_statement_all_arrive(database: Database) -> None:
    count = 2 * ROWS_PER_STATEMENT + 7
    await add(database, *(record(number) for number in range(count)))
    async with database.read() as connection:
        rows = (await connection.execute(select(func.count()).select_from(usage_records))).scalar_one()
    assert rows == count


# What records add up to.


async def rows_of(database: Database, table: Table) -> set[tuple[Any, ...]]:
    async with database.read() as connection:
        return {tuple(row) for row in await connection.execute(select(table))}


async def test_records_are_counted_by_hour_key_customer_and_model(database: Database) -> None:
    hour = int(NOW // HOUR)
    served = {"model": "a-model", "prompt_tokens": 10, "cached_tokens": 4, "completion_tokens": 2, "cost": 7}
    await add(
        database,
        record(1, **served),
        record(2, **served, customer_pk="cus_1", customer_id="customer-1"),
        record(3, **served, customer_pk="cus_1", customer_id="customer-1"),
        record(4, model="a-model", status=502, outcome="failed"),
        record(5, **served, started_at=(hour + 1) * HOUR),
    )
    assert await rows_of(database, usage_hours) == {
        ("acc_1", hour, "key_1", "", "a-model", None, 2, 1, 10, 4, 2, 7, 25.0),
        ("acc_1", hour, "key_1", "cus_1", "a-model", "customer-1", 2, 0, 20, 8, 4, 14, 25.0),
        ("acc_1", hour + 1, "key_1", "", "a-model", None, 1, 0, 10, 4, 2, 7, 12.5),
    }


async def test_records_are_counted_by_month_for_account_key_and_customer(database: Database) -> None:
    december = 1_796_083_200.0
    own = {"customer_pk": "cus_1", "customer_id": "customer-1"}
    await add(database, record(1, prompt_tokens=3, cost=5, **own), record(2, cost=6))
    await add(database, record(3, completion_tokens=1, cost=7, **own, started_at=december))
    assert await rows_of(database, spending) == {
        ("acc_1", "2026-11", "acc_1", None, 2, 3, 0, 0, 11),
        ("key_1", "2026-11", "acc_1", None, 2, 3, 0, 0, 11),
        ("cus_1", "2026-11", "acc_1", "customer-1", 1, 3, 0, 0, 5),
        ("acc_1", "2026-12", "acc_1", None, 1, 0, 0, 1, 7),
        ("key_1", "2026-12", "acc_1", None, 1, 0, 0, 1, 7),
        ("cus_1", "2026-12", "acc_1", "customer-1", 1, 0, 0, 1, 7),
    }


async def test_a_record_that_comes_again_is_counted_once(database: Database) -> None:
    async with database.write() as connection:
        first = await usage.add(connection, [record(1, cost=5), record(1, cost=9), record(2, cost=1)])
        again = await usage.add(connection, [record(2, cost=1), record(1, cost=5), record(3, cost=2)])
    assert {new.request_id: new.cost for new in first} == {"req_1": 5, "req_2": 1}
    assert [new.request_id for new in again] == ["req_3"]
    assert {row[-1] for row in await rows_of(database, spending)} == {8}


@pytest.mark.parametrize("known", [0, 2, 4])
async def test_of_many_records_only_the_new_are_added_and_counted(
    database: Database, monkeypatch: pytest.MonkeyPatch, known: int
) -> None:
    monkeypatch.setattr(usage, "ROWS_PER_STATEMENT", 2)
    await add(database, record(known, cost=1))
    async with database.write() as connection:
        new = await usage.add(connection, (record(number, cost=1) for number in (0, 1, 2, 3, 4, 1)))
    assert [each.request_id for each in new] == [f"req_{number}" for number in range(5) if number != known]
    assert {row[-1] for row in await rows_of(database, spending)} == {5}


@pytest.mark.parametrize("known", range(11))
async def test_records_that_ought_to_be_new_are_all_added_or_none(
    database: Database, monkeypatch: pytest.MonkeyPatch, known: int
) -> None:
    monkeypatch.setattr(usage, "ROWS_PER_STATEMENT", 4)
    await add(database, record(known, cost=1))
    everything = [record(number, cost=1) for number in range(11)]
    records = iter(everything)
    with pytest.raises(usage.AlreadyThereError) as found:
        async with database.write() as connection:
            await usage.add_new(connection, records)
    assert {row[-1] for row in await rows_of(database, spending)} == {1}
    assert [*found.value.taken, *records] == everything
    async with database.write() as connection:
        new = await usage.add(connection, everything)
    assert [each.request_id for each in new] == [f"req_{number}" for number in range(11) if number != known]
    assert {row[-1] for row in await rows_of(database, spending)} == {11}


async def test_records_go_to_the_store_in_few_statements_that_are_ever_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    statement = usage._insert_statement

    def noted(rows: int, paramstyle: str) -> str:
        sizes.append(rows)
        return statement(rows, paramstyle)

    monkeypatch.setattr(usage, "_insert_statement", noted)
    records = [record(number) for number in range(2 * ROWS_PER_STATEMENT + 21)]
    for adding in (usage.add_new, usage.add):
        async with database.write() as connection:
            await adding(connection, records)
        assert sizes == [ROWS_PER_STATEMENT] * 2 + [16, 4, 1]
        sizes.clear()


def test_a_caller_that_left_met_no_failure_and_a_refusal_is_one() -> None:
    def failed(status: int, outcome: str) -> bool:
        return record(1, status=status, outcome=outcome).is_failure

    assert [failed(200, "complete"), failed(499, "cancelled")] == [False, False]
    assert [failed(400, "complete"), failed(200, "failed"), failed(502, "failed")] == [True, True, True]


async def test_a_sum_that_a_column_cannot_hold_stops_at_its_greatest(database: Database) -> None:
    cost = 2**62
    for number in range(3):
        await add(database, record(number, cost=cost))
    await add(database, record(3, cost=2**63 - 1), record(4, cost=2**63 - 1))
    assert {row[-1] for row in await rows_of(database, spending)} == {MAX_SUM}


async def test_shippers_at_once_neither_lose_counts_nor_wait_for_each_other(url: str) -> None:
    """In whatever order the records come, the sums are locked in one."""
    databases = [Database(url) for _ in range(3)]
    numbers = list(range(120))

    async def ship(database: Database, seed: int) -> None:
        mine = numbers.copy()
        random.Random(seed).shuffle(mine)
        for number in mine:
            twin = record(
                number + 1000 * seed, key_id=f"key_{number % 7}", model=f"model-{number % 5}", cost=1
            )
            await add(database, twin, record(number, key_id=f"key_{number % 7}", cost=1))

    try:
        await asyncio.gather(*(ship(database, seed) for seed, database in enumerate(databases, start=1)))
        by_account = [row for row in await rows_of(databases[0], spending) if row[0] == "acc_1"]
        assert [(row[4], row[-1]) for row in by_account] == [(480, 480)]
        assert sum(row[6] for row in await rows_of(databases[0], usage_hours)) == 480
    finally:
        for database in databases:
            await database.close()
