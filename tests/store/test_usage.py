from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import func, select

from innoai.store import usage
from innoai.store.tables import usage_records
from innoai.store.usage import ROWS_PER_STATEMENT, UsageRecord
from tests.support.stores import NOW

if TYPE_CHECKING:
    from innoai.store.database import Database


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
