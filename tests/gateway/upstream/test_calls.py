"""What the caller can do while a call runs: cancel it, and pause and resume its answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.gateway.upstream.peers import OK, Heard, Visit, ask, forever, pooled, send, serving

if TYPE_CHECKING:
    from innoai.gateway.upstream import AnswerHead

MEBIBYTE = 1 << 20


async def test_a_cancelled_call_closes_its_connection_and_says_no_more():
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart")
        await visit.gone()

    async with serving(script) as peer, pooled(peer) as pool:
        heard = Heard()
        call = send(pool, heard)
        await heard.progress.wait()
        call.cancel()
        await peer.left_alone()
        call.cancel()
        assert (heard.last_words, pool.open) == (0, 0)


async def test_a_call_cancelled_from_its_own_head_hears_no_body():
    class Leaving(Heard):
        def on_head(self, head: AnswerHead) -> None:
            super().on_head(head)
            call.cancel()

    async with serving(forever) as peer, pooled(peer) as pool:
        heard = Leaving()
        call = send(pool, heard)
        await heard.head.wait()
        await peer.left_alone()
        assert (heard.chunks, heard.last_words, pool.open) == ([], 0, 0)


async def test_a_call_cancelled_before_it_is_connected_is_never_sent():
    async with serving(forever) as peer, pooled(peer) as pool:
        heard = Heard()
        send(pool, heard).cancel()
        assert await (await ask(pool)).answer() == (200, b"ok")
        assert (len(peer.requests), heard.last_words) == (1, 0)


async def test_a_call_cancelled_just_before_its_pool_is_closed_hears_nothing():
    async with serving(forever) as peer, pooled(peer) as pool:
        heard = Heard()
        send(pool, heard).cancel()
        await pool.close()
        assert heard.last_words == 0


async def test_a_call_that_is_over_ignores_everything():
    async with serving(forever) as peer, pooled(peer) as pool:
        heard = Heard()
        call = send(pool, heard)
        await heard.answer()
        call.pause()
        call.resume()
        call.cancel()
        assert pool.idle == 1


async def test_a_paused_answer_stops_the_peer_and_not_the_answer():
    total = 64 * MEBIBYTE

    class Pausing(Heard):
        def on_head(self, head: AnswerHead) -> None:
            super().on_head(head)
            call.pause()

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total)
        for _ in range(64):
            await visit.say(bytes(MEBIBYTE))
            sent.append(MEBIBYTE)
        await visit.gone()

    sent: list[int] = []
    async with serving(script) as peer, pooled(peer) as pool:
        heard = Pausing()
        call = send(pool, heard)
        await heard.head.wait()
        await asyncio.wait(peer.running, timeout=0.2)
        assert sum(sent) < total / 2
        assert len(heard.body) <= MEBIBYTE
        call.resume()
        assert len((await heard.answer())[1]) == total
        assert pool.idle == 1


async def test_a_call_paused_before_it_is_connected_hears_nothing_until_resumed():
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(OK)
        answered.set()
        await visit.gone()

    answered = asyncio.Event()
    async with serving(script) as peer, pooled(peer) as pool:
        heard = Heard()
        call = send(pool, heard)
        call.pause()
        await answered.wait()
        for _ in range(10):
            await asyncio.sleep(0)
        assert not heard.status
        call.resume()
        assert await heard.answer() == (200, b"ok")


async def test_a_call_that_ended_while_paused_leaves_a_connection_that_notices_the_close():
    class Pausing(Heard):
        def on_body(self, chunk: bytes) -> None:
            super().on_body(chunk)
            call.pause()

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(OK)
        await close.wait()
        visit.writer.write_eof()
        await visit.gone()

    close = asyncio.Event()
    async with serving(script) as peer, pooled(peer) as pool:
        heard = Pausing()
        call = send(pool, heard)
        assert await heard.answer() == (200, b"ok")
        assert pool.idle == 1
        close.set()
        await peer.left_alone()
        assert pool.idle == 0
