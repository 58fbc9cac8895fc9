from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from innoai.errors import InnoError
from innoai.store import idempotency
from innoai.store.idempotency import RETENTION
from innoai.store.tables import idempotency as table
from tests.support.stores import ACCOUNT, NOW, SECRETS

if TYPE_CHECKING:
    from innoai.store.database import Database

ANSWER = b'{"key":"sk-inno-secret"}'


async def remember(
    database: Database, key: str = "k", *, now: float = NOW, account: str = ACCOUNT.id
) -> None:
    async with database.write() as connection:
        await idempotency.remember(connection, SECRETS, account, key, b"request", ANSWER, now)


async def recall(
    database: Database, key: str = "k", request: bytes = b"request", account: str = ACCOUNT.id
) -> bytes | None:
    async with database.read() as connection:
        return await idempotency.recall(connection, SECRETS, account, key, request)


async def test_a_retry_gets_the_first_answer(database: Database) -> None:
    assert await recall(database) is None
    await remember(database)
    assert await recall(database) == ANSWER


async def test_a_key_that_came_with_another_request_is_a_conflict(database: Database) -> None:
    await remember(database)
    with pytest.raises(InnoError) as refused:
        await recall(database, request=b"another request")
    assert refused.value.refusal.code == "conflict"


async def test_an_answer_is_neither_anothers_keys_nor_another_accounts(database: Database) -> None:
    await remember(database)
    assert await recall(database, "other") is None
    assert await recall(database, account="acc_2") is None


async def test_a_twin_is_told_by_the_store(database: Database) -> None:
    await remember(database)
    with pytest.raises(IntegrityError):
        await remember(database)


async def test_the_answer_is_not_readable_in_the_store(database: Database) -> None:
    await remember(database)
    async with database.read() as connection:
        row = (await connection.execute(select(table))).one()
    assert b"sk-inno" not in row.sealed_answer


async def test_an_answer_is_kept_for_a_day(database: Database) -> None:
    await remember(database, "old", now=NOW - RETENTION - 1)
    await remember(database, "new", now=NOW - RETENTION)
    async with database.write() as connection:
        await idempotency.prune(connection, NOW)
    assert await recall(database, "old") is None
    assert await recall(database, "new") == ANSWER
