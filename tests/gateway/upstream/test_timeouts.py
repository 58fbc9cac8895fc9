from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from innoai.gateway.upstream import FailureKind, Origin, Phase, Pool, Timeouts
from tests.gateway.upstream.peers import GET, POST, Heard, Visit, answering, ask, forever, pooled, serving

if TYPE_CHECKING:
    from innoai.gateway.upstream.connection import Connection

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"


async def timed_out(heard: Heard, phase: Phase) -> bool:
    failure = await heard.failed()
    return (failure.kind, failure.phase, failure.reached) == (FailureKind.TIMED_OUT, phase, True)


async def rest(pool: Pool) -> None:
    while pool.is_watching:
        await asyncio.sleep(0.01)


async def silent(visit: Visit) -> None:
    await visit.gone()


async def test_a_head_that_does_not_come_times_out_and_closes_the_connection():
    async with serving(silent) as peer, pooled(peer, timeouts=Timeouts(head=0.05)) as pool:
        assert await timed_out(await ask(pool), Phase.HEAD)
        await peer.left_alone()


async def test_a_head_that_drips_times_out_too():
    async def script(visit: Visit) -> None:
        await visit.request()
        while not visit.writer.transport.is_closing():
            await visit.say(b"HTTP/1.1 100 Continue\r\n\r\n")
            await asyncio.wait([gone], timeout=0.02)

    async with serving(script) as peer, pooled(peer, timeouts=Timeouts(head=0.1)) as pool:
        gone = asyncio.get_running_loop().create_future()
        assert await timed_out(await ask(pool), Phase.HEAD)
        gone.set_result(None)


@pytest.mark.parametrize("part", [HEAD, HEAD + b"part"], ids=["head", "part"])
async def test_a_body_that_stalls_times_out(part: bytes):
    async with serving(answering(part)) as peer, pooled(peer, timeouts=Timeouts(idle=0.05)) as pool:
        heard = await ask(pool)
        assert heard.status == 200
        assert await timed_out(heard, Phase.IDLE)
        await peer.left_alone()


async def test_a_request_that_upstream_does_not_take_times_out():
    async def script(visit: Visit) -> None:
        visit.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await over.wait()

    over = asyncio.Event()
    async with serving(script) as peer, pooled(peer, timeouts=Timeouts(write=0.2)) as pool:
        assert await timed_out(await ask(pool, POST, bytes(64 << 20)), Phase.WRITE)
        over.set()


async def test_idle_connections_expire_and_then_the_sweep_rests():
    async with serving(forever) as peer:
        pool = Pool(Origin("http", "127.0.0.1", peer.port), idle_lifetime=0.05)
        await ask(pool)
        await peer.left_alone()
        assert (pool.idle, pool.open) == (0, 0)
        await rest(pool)
        assert await (await ask(pool)).answer() == (200, b"ok")
        assert pool.is_watching
        await pool.close()
        assert not pool.is_watching


class Watched:
    """A call whose time is told by the test; as long as that does not await, no sweep runs."""

    def __init__(self, connection: Connection, heard: Heard) -> None:
        self.connection = connection
        self.heard = heard

    def alive_at(self, now: float) -> bool:
        self.connection.watch(now)
        return not self.connection.is_closed


async def test_patience_begins_anew_with_each_step_of_the_answer():
    async with serving(silent) as peer, pooled(peer, timeouts=Timeouts(head=100, idle=10)) as pool:
        heard = Heard()
        call = pool.send(GET, b"", heard)
        while call.connection is None:
            await asyncio.sleep(0)
        watched = Watched(call.connection, heard)
        assert watched.alive_at(1000)
        assert watched.alive_at(1099)
        watched.connection.data_received(HEAD)
        for second in (1200, 1209, 1218):
            assert watched.alive_at(second)
            watched.connection.data_received(b"x")
        assert watched.alive_at(1227)
        assert watched.alive_at(1236)
        assert not watched.alive_at(1237)
        assert not watched.alive_at(9999)
        assert await timed_out(heard, Phase.IDLE)


async def test_time_in_which_the_caller_pauses_or_writes_is_not_upstreams():
    async with serving(silent) as peer, pooled(peer, timeouts=Timeouts(head=100, idle=10)) as pool:
        heard = Heard()
        call = pool.send(POST, b"begin", heard, more_body=True)
        while call.connection is None:
            await asyncio.sleep(0)
        watched = Watched(call.connection, heard)
        assert watched.alive_at(1000)
        assert watched.alive_at(9000)
        call.end()
        call.pause()
        assert watched.alive_at(10_000)
        assert watched.alive_at(19_000)
        call.resume()
        assert watched.alive_at(20_000)
        assert watched.alive_at(20_099)
        watched.connection.data_received(HEAD)
        call.pause()
        assert watched.alive_at(30_000)
        assert watched.alive_at(39_000)
        call.resume()
        assert watched.alive_at(40_000)
        assert not watched.alive_at(40_010)
        assert await timed_out(heard, Phase.IDLE)


async def test_a_stalled_event_loop_is_not_held_against_upstream():
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(HEAD)
        await stalled.wait()
        await visit.say(b"the  rest")
        await visit.gone()

    stalled = asyncio.Event()
    async with serving(script) as peer, pooled(peer, timeouts=Timeouts(idle=0.4)) as pool:
        heard = Heard()
        pool.send(GET, b"", heard)
        await heard.head.wait()
        while not pool.is_watching:
            await asyncio.sleep(0)
        time.sleep(0.6)  # noqa: ASYNC251  # the stall
        stalled.set()
        assert await heard.answer() == (200, b"the  rest")
