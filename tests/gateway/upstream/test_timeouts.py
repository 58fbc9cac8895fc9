from __future__ import annotations

import asyncio
from asyncio import selector_events
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import pytest
import uvloop

from innoai.gateway.upstream import FailureKind, Origin, Phase, Pool, Timeouts
from tests.gateway.upstream.peers import (
    Heard,
    Script,
    Visit,
    answering,
    ask,
    forever,
    pooled,
    send,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import FunctionType

    from innoai.gateway.upstream import Call
    from innoai.gateway.upstream.connection import Connection

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"


async def timed_out(heard: Heard, phase: Phase) -> bool:
    failure = await heard.failed()
    return (failure.kind, failure.phase, failure.reached) == (FailureKind.TIMED_OUT, phase, True)


async def silent(visit: Visit) -> None:
    await visit.gone()


async def deaf(visit: Visit) -> None:
    visit.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.get_running_loop().create_future()


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


def skip_where_nobody_is_told_of_a_full_buffer() -> None:
    """asyncio's own loop does not tell of what writelines fills, in CPython 3.12 and 3.13; uvloop does."""
    writelines = cast("FunctionType", selector_events._SelectorSocketTransport.writelines)  # type: ignore[attr-defined]
    tells = not {"write", "_maybe_pause_protocol"}.isdisjoint(writelines.__code__.co_names)
    if not tells and not isinstance(asyncio.get_running_loop(), uvloop.Loop):
        pytest.skip("this Python's own event loop does not say that its buffer is full")


async def test_a_request_that_upstream_does_not_take_times_out():
    skip_where_nobody_is_told_of_a_full_buffer()
    async with serving(deaf) as peer, pooled(peer, timeouts=Timeouts(write=0.2)) as pool:
        assert await timed_out(await ask(pool, bytes(64 << 20)), Phase.WRITE)


async def test_idle_connections_expire_and_then_the_sweep_rests():
    async with timed(forever, Timeouts(), idle_lifetime=10) as (pool, clock, _):
        await ask(pool)
        clock.pass_time(9)
        assert pool.idle == 1
        clock.pass_time(3)
        assert pool.idle == 0
        while pool.open:
            await asyncio.sleep(0)
        clock.pass_time(0.5)
        assert not clock.sweeps()
        assert await (await ask(pool)).answer() == (200, b"ok")
        assert clock.sweeps()
        await pool.close()
        assert not clock.sweeps()


class Clock:
    """The event loop for a pool, except that the test says what time it is and when to sweep."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.create_task = loop.create_task
        self.create_connection = loop.create_connection
        self.now = 0.0
        self.sweep: Callable[[], None] | None = None

    def time(self) -> float:
        return self.now

    def call_later(self, _: float, sweep: Callable[[], None]) -> Clock:
        self.sweep = sweep
        return self

    def cancel(self) -> None:
        self.sweep = None

    def sweeps(self) -> bool:
        return self.sweep is not None

    def pass_time(self, seconds: float, *, step: float = 0.5) -> None:
        """Sweep at every step, as the event loop would; a step of its own is a loop that stalls."""
        for _ in range(round(seconds / step)):
            self.now += step
            sweep, self.sweep = self.sweep, None
            assert sweep is not None
            sweep()


@asynccontextmanager
async def timed(
    script: Script, timeouts: Timeouts, *, idle_lifetime: float = 30.0
) -> AsyncIterator[tuple[Pool, Clock, Heard]]:
    clock = Clock()
    async with serving(script) as peer:
        origin = Origin("http", "127.0.0.1", peer.port)
        pool = Pool(origin, timeouts=timeouts, idle_lifetime=idle_lifetime, loop=clock)  # type: ignore[arg-type]
        yield pool, clock, Heard()
        await pool.close()


async def under_way(call: Call) -> Connection:
    while call.connection is None:
        await asyncio.sleep(0)
    # The request leaves at the end of the turn.
    await asyncio.sleep(0)
    return call.connection


async def test_patience_begins_anew_with_each_step_of_the_answer():
    async with timed(silent, Timeouts(head=100, idle=10)) as (pool, clock, heard):
        connection = await under_way(send(pool, heard))
        clock.pass_time(99)
        connection.data_received(HEAD)
        for _ in range(4):
            clock.pass_time(9)
            connection.data_received(b"x")
        clock.pass_time(9)
        assert not connection.is_closed
        clock.pass_time(3)
        assert await timed_out(heard, Phase.IDLE)


async def test_time_in_which_the_caller_pauses_is_not_upstreams():
    async with timed(silent, Timeouts(head=100, idle=10)) as (pool, clock, heard):
        call = send(pool, heard)
        connection = await under_way(call)
        clock.pass_time(99)
        call.pause()
        clock.pass_time(500)
        call.resume()
        clock.pass_time(99)
        connection.data_received(HEAD)
        call.pause()
        clock.pass_time(500)
        call.resume()
        clock.pass_time(9)
        assert not connection.is_closed
        clock.pass_time(3)
        assert await timed_out(heard, Phase.IDLE)


async def test_an_early_answer_that_stalls_times_out_though_the_body_is_not_taken_either():
    async with timed(deaf, Timeouts(idle=10, write=100)) as (pool, clock, heard):
        (await under_way(send(pool, heard, bytes(64 << 20)))).data_received(HEAD)
        clock.pass_time(12)
        assert await timed_out(heard, Phase.IDLE)


async def test_a_request_that_upstream_takes_slowly_does_not_time_out():
    skip_where_nobody_is_told_of_a_full_buffer()

    async def script(visit: Visit) -> None:
        while True:
            await may_read.acquire()
            await visit.reader.readexactly(8 << 20)
            progress.set()

    may_read, progress = asyncio.Semaphore(0), asyncio.Event()
    async with timed(script, Timeouts(write=10)) as (pool, clock, heard):
        connection = await under_way(send(pool, heard, bytes(64 << 20)))
        for _ in range(4):
            clock.pass_time(9)
            assert not connection.is_closed
            progress.clear()
            may_read.release()
            await progress.wait()
        clock.pass_time(9)
        assert not connection.is_closed
        clock.pass_time(3)
        assert await timed_out(heard, Phase.WRITE)


async def test_a_stalled_event_loop_is_not_held_against_upstream():
    async with timed(silent, Timeouts(idle=10)) as (pool, clock, heard):
        connection = await under_way(send(pool, heard))
        connection.data_received(HEAD)
        clock.pass_time(1)
        clock.pass_time(1000, step=1000)
        assert not connection.is_closed
        clock.pass_time(12)
        assert await timed_out(heard, Phase.IDLE)
