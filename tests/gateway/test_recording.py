"""A usage record is on disk before the caller has the end of the answer, or at once if nobody waits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.gateway.house import HELLO, STREAM, counted, house_before, said
from tests.gateway.upstream.peers import answering, closing_after
from tests.metering.records import on_disk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.house import House, Installation
    from tests.gateway.upstream.peers import Visit

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")

JSON = b"content-type: application/json"
WHOLE = said(counted(1, 2), JSON)
LARGE = said(b" " * 100_000 + counted(1, 2), JSON)
EVENTS = said(b"data: {}\n\n" * 10, b"content-type: text/event-stream")


async def silent(visit: Visit) -> None:
    """A model server that never answers."""
    await visit.request()
    await asyncio.Event().wait()


@dataclass
class Watched:
    """A caller's transport, and how many records were on disk at each write."""

    transport: asyncio.Transport
    directory: Path
    writes: list[tuple[bytes, int]] = field(default_factory=list)

    def write(self, data: bytes) -> None:
        self.writes.append((data, len(on_disk(self.directory))))
        self.transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


async def watched(house: House) -> Watched:
    """The transport of the one caller, from now on."""
    await house.until(lambda: bool(house.connections and house.connections[0].transport))
    connection = house.connections[0]
    transport = Watched(connection.transport, house.ledger.directory)
    connection.transport = transport  # type: ignore[assignment]
    return transport


@pytest.mark.parametrize("body", [HELLO, STREAM])
@pytest.mark.parametrize("answer", [WHOLE, LARGE, EVENTS])
async def test_it_is_on_disk_before_the_end_leaves(
    installed: Installation, body: bytes, answer: bytes
) -> None:
    async with (
        house_before(installed, answering(answer, answer, answer)) as (house, _),
        house.caller() as caller,
    ):
        transport = await watched(house)
        for number in range(1, 4):
            assert (await caller.ask(house.post(body))).status == 200
            assert transport.writes[-1][1] == number


async def test_it_is_on_disk_before_the_last_answer_of_a_connection_leaves(installed: Installation) -> None:
    async with house_before(installed, answering(WHOLE)) as (house, _), house.caller() as caller:
        transport = await watched(house)
        assert (await caller.ask(house.post(HELLO, "Connection: close"))).status == 200
        assert [there for _, there in transport.writes] == [1]


async def test_it_is_on_disk_before_a_failure_is_told(installed: Installation) -> None:
    async with house_before(installed, closing_after(b"")) as (house, _), house.caller() as caller:
        transport = await watched(house)
        assert (await caller.ask(house.post())).status == 502
        assert [there for _, there in transport.writes] == [1]


async def test_that_of_a_caller_who_went_away_is_on_disk_at_once(installed: Installation) -> None:
    async with house_before(installed, silent) as (house, [peer]):
        async with house.caller() as caller:
            await caller.send(house.post())
            await house.until(lambda: bool(peer.requests))
        assert (await house.ledger.record()).outcome == "cancelled"
        await house.until(lambda: len(on_disk(house.ledger.directory)) == 1)


async def test_the_time_to_the_first_token_is_not_that_to_the_head(installed: Installation) -> None:
    """Many model servers send the head before they have read the prompt."""
    head, event = EVENTS.split(b"\r\n\r\n")
    now, tokens = [100.0], asyncio.Queue[bytes]()

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(head + b"\r\n\r\n")
        while True:
            await visit.say(await tokens.get())

    async with house_before(installed, script) as (house, _), house.caller() as caller:
        object.__setattr__(house.gateway, "monotonic", lambda: now[0])
        await caller.send(house.post(STREAM))
        await caller.head()
        now[0] = 101.0
        tokens.put_nowait(event[:50])
        await caller.reader.readuntil(b"data: {}\n\n")
        now[0] = 103.0
        tokens.put_nowait(event[50:])
        record = await house.ledger.record()
        assert (record.first_byte_ms, record.duration_ms) == (1000, 3000)


async def test_what_the_gateway_itself_refuses_leaves_none(installed: Installation) -> None:
    async with house_before(installed, answering(WHOLE)) as (house, _):
        refused = [
            house.post(key="sk-inno-nobodys"),
            house.post(b"no JSON"),
            house.post(HELLO.replace(b'"model"', b'"modelx"')),
            house.post(HELLO.replace(b'"model": "model"', b'"model": "another"')),
        ]
        assert {(await house.ask(request)).status for request in refused} == {400, 401, 404}
        assert house.ledger.records == []
        assert (await house.ask()).status == 200
        assert len(house.ledger.records) == 1
