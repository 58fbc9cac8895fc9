"""Ten thousand requests, and the server killed again and again: what the store holds is what was served."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import func, select

from innoai.store.database import Database
from innoai.store.tables import spending, usage_hours, usage_records
from tests.contract.clients import bearer, mint
from tests.support.server import MODEL
from tests.support.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.server import Server
    from tests.support.upstream import Upstream

CALLERS = 16
ROUNDS = 7
"""The server is killed in each but the last."""

WORDS = 200
"""A request is known by its counts of tokens: the words of its prompt, and the deltas of its answer."""

PATIENCE = 30.0
SUMS = ("prompt_tokens", "cached_tokens", "completion_tokens", "cost")
PRICE = f'[models."{MODEL}".price]\nprompt = 0.7\ncompletion = 1.3\n'
Counts = tuple[int, int]
_rounds = itertools.count(1)


@dataclass
class Load:
    """Requests, each with other counts of tokens, until the server dies or there are enough of them."""

    server: Server
    credentials: list[str]
    numbers: itertools.count[int] = field(default_factory=itertools.count)
    acknowledged: set[Counts] = field(default_factory=set)

    async def round(self, marker: str, last: int, fatal: int | None) -> None:
        """Ask until the request of number `last`; the server is killed when `fatal` are acknowledged."""
        callers = [asyncio.create_task(self._call(marker, last)) for _ in range(CALLERS)]
        if fatal is not None:
            while len(self.acknowledged) < fatal:
                await asyncio.sleep(0.001)
            self.server.kill()
        await asyncio.gather(*callers)

    async def _call(self, marker: str, last: int) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(*self.server.address)
            with contextlib.closing(writer):
                while (number := next(self.numbers)) < last:
                    counts = (number % WORDS + 1, number // WORDS + 1)
                    writer.write(self._request(marker, number, counts))
                    await self._read(reader)
                    self.acknowledged.add(counts)

    def _request(self, marker: str, number: int, counts: Counts) -> bytes:
        words, deltas = counts
        content = {"role": "user", "content": " ".join(["w"] * words)}
        body = json.dumps({"model": MODEL, "messages": [content], "stream": number % 5 == 0}).encode()
        lines = [
            "POST /v1/chat/completions HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {self.credentials[number % len(self.credentials)]}",
            f"x-marker: {marker}",
            f'x-behave: {{"events": {deltas}}}',
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """An answer to its end."""
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        if b"transfer-encoding: chunked" in head:
            while size := int(await reader.readuntil(b"\r\n"), 16):
                await reader.readexactly(size + 2)
            await reader.readuntil(b"\r\n")
        else:
            length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))


async def run(load: Load, requests: int) -> list[str]:
    """Ask all of them, with a kill in the middle of each round but the last; gives the rounds' markers."""
    kills = sorted(random.Random(requests).sample(range(requests * 9 // 10), ROUNDS - 1))
    markers = []
    for fatal in [*kills, None]:
        markers.append(f"exact-{next(_rounds)}")
        await load.round(markers[-1], requests, fatal)
        if fatal is not None:
            await asyncio.to_thread(load.server.start)
    return markers


def served_by(upstream: Upstream, markers: list[str]) -> Counter[Counts]:
    """What the model server says that it served to the end."""
    return Counter(
        (asked.usage["prompt_tokens"], asked.usage["completion_tokens"])
        for marker in markers
        for asked in upstream.requests(marker)
        if asked.usage is not None and asked.outcome == "complete"
    )


async def until_stored(database: Database, acknowledged: set[Counts]) -> Counter[Counts]:
    """The counts of all whole answers in the store, once those of the acknowledged are among them."""
    columns = usage_records.c
    query = select(columns.prompt_tokens, columns.completion_tokens).where(columns.outcome == "complete")
    deadline = time.monotonic() + PATIENCE
    while True:
        async with database.read() as connection:
            stored = Counter((row[0], row[1]) for row in await connection.execute(query))
        if acknowledged <= stored.keys() or time.monotonic() > deadline:
            return stored
        await asyncio.sleep(0.05)


async def sums_of(database: Database, table: Any, *conditions: Any) -> tuple[int, ...]:
    columns = [func.sum(table.c[name]) for name in SUMS]
    count = func.count() if table is usage_records else func.sum(table.c.requests)
    async with database.read() as connection:
        row = (await connection.execute(select(count, *columns).where(*conditions))).one()
    return tuple(int(value or 0) for value in row)


async def check(database: Database, load: Load, upstream: Upstream, markers: list[str]) -> None:
    stored = await until_stored(database, load.acknowledged)
    served = await asyncio.to_thread(served_by, upstream, markers)
    # What was acknowledged is there; what is there was served; and nothing is there twice.
    assert load.acknowledged <= stored.keys()
    assert stored <= served
    assert max(stored.values()) == 1
    cost = sum((prompt * 700 + completion * 1300) for prompt, completion in stored)
    whole = (usage_records.c.outcome == "complete",)
    _, prompt, _, completion, charged = await sums_of(database, usage_records, *whole)
    assert (prompt, completion) == tuple(map(sum, zip(*stored, strict=True)))
    assert charged == cost
    # And all that it adds up to is the sum of the records, those of hung up callers included.
    total = await sums_of(database, usage_records)
    of_customer = await sums_of(database, usage_records, usage_records.c.customer_pk.is_not(None))
    assert await sums_of(database, usage_hours) == total
    for kind, expected in (("acc", total), ("key", total), ("cus", of_customer)):
        assert await sums_of(database, spending, spending.c.subject.startswith(f"{kind}_")) == expected


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("store", "requests"), [("sqlite", 10_000), ("postgres", 3_000)])
def test_usage_is_what_the_model_server_served_to_the_token_whatever_is_killed(
    new_server: Callable[..., Server],
    upstream: Upstream,
    request: pytest.FixtureRequest,
    store: str,
    requests: int,
) -> None:
    sections = {}
    if store == "postgres":
        sections["store"] = {"url": request.getfixturevalue("new_postgres")(None)}
    server = new_server(settings({MODEL: [{"base_url": upstream.base_url()}]}, sections) + PRICE)
    url = sections["store"]["url"] if sections else f"sqlite:///{server.store}"
    with httpx.Client(base_url=server.base_url, headers=bearer(server.admin_key), timeout=30) as client:
        token = mint(client, server.admin_key, customer_id="acme", scopes=["inference:write"])
    load = Load(server, [server.admin_key, token["access_token"]])

    async def work() -> None:
        markers = await run(load, requests)
        database = Database(url)
        try:
            await check(database, load, upstream, markers)
        finally:
            await database.close()

    asyncio.run(work())
    assert len(load.acknowledged) >= requests - ROUNDS * CALLERS
