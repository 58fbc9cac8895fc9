"""On Postgres, no two changes wait for each other: each takes its locks in the order of `innoai.store`.

A test holds a row that a request needs, waits until the request waits for it, and sees what it has by then.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import select, text

from innoai.store.database import Database
from innoai.store.tables import api_keys, audit_heads, feed_head
from tests.contract.clients import bearer
from tests.support.server import MODEL
from tests.support.settings import settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from tests.support.server import Server

WAITING = text(
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)
FEED = select(feed_head.c.sequence)
AUDIT = select(audit_heads.c.sequence)


@pytest.fixture(scope="module")
def postgres(new_postgres: Callable[[str | None], str]) -> str:
    return new_postgres(None)


@pytest.fixture(scope="module")
def own(new_server: Callable[..., Server], postgres: str) -> Server:
    return new_server(settings({MODEL: [{"base_url": "echo:"}]}, {"store": {"url": postgres}}))


@pytest.fixture
async def database(own: Server, postgres: str) -> AsyncIterator[Database]:
    assert own.admin_key
    opened = Database(postgres)
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
async def admin(own: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=own.base_url, headers=bearer(own.admin_key), timeout=30) as client:
        yield client


async def create_key(admin: httpx.AsyncClient) -> dict[str, Any]:
    made: dict[str, Any] = (await admin.post("/keys", json={"name": "A test's key"})).json()
    return made


def row_of(key: dict[str, Any]) -> Select[Any]:
    return select(api_keys.c.id).where(api_keys.c.id == key["id"])


@asynccontextmanager
async def kept_waiting(
    database: Database, row: Select[Any], asking: Any
) -> AsyncIterator[Callable[[Select[Any]], Any]]:
    """While a request waits for a row: a function that takes other rows, or fails where they are taken."""

    async def take(query: Select[Any]) -> None:
        async with database.write() as another:
            await another.execute(query.with_for_update(nowait=True))

    async with database.write() as connection:
        await connection.execute(row.with_for_update(key_share=True))
        asked = asyncio.create_task(asking)
        while not await waits(connection):
            assert not asked.done(), asked.result().text
            await asyncio.sleep(0.01)
        yield take
    answer = await asked
    assert answer.is_success, answer.text


async def waits(connection: AsyncConnection) -> bool:
    # A transaction goes on seeing who was waiting when it asked first.
    await connection.execute(text("SELECT pg_stat_clear_snapshot()"))
    return bool((await connection.execute(WAITING)).scalar_one())


async def test_a_rotation_that_waits_for_its_key_keeps_nobody_from_the_feed(
    database: Database, admin: httpx.AsyncClient
) -> None:
    """Who holds the key, as the notes of last uses do, may itself wait for someone who waits for the feed."""
    key = await create_key(admin)
    async with kept_waiting(database, row_of(key), admin.post(f"/keys/{key['id']}/rotate")) as take:
        await take(FEED)


async def test_a_leak_that_waits_for_the_feed_keeps_nobody_from_the_audit_log(
    database: Database, admin: httpx.AsyncClient
) -> None:
    """Who holds the feed's row, as a refresh token's replay does, writes the log next."""
    leak = {"text": (await create_key(admin))["key"], "revoke": True}
    async with kept_waiting(database, FEED, admin.post("/keys/leaks", json=leak)) as take:
        await take(AUDIT)


async def test_a_leak_of_several_keys_that_waits_for_one_keeps_nobody_from_the_feed(
    database: Database, admin: httpx.AsyncClient
) -> None:
    keys = [await create_key(admin) for _ in range(3)]
    leak = {"text": " ".join(key["key"] for key in keys), "revoke": True}
    async with kept_waiting(database, row_of(keys[1]), admin.post("/keys/leaks", json=leak)) as take:
        await take(FEED)
        await take(AUDIT)
