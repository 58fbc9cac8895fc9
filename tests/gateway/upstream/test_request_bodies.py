"""Bodies that are streamed to upstream, and what the caller can do while a call runs."""

from __future__ import annotations

import asyncio

import pytest

from innoai.gateway.upstream import AnswerHead, FailureKind, Pool, RequestHead
from tests.gateway.upstream.peers import GET, OK, POST, Heard, Visit, answering, ask, forever, pooled, serving

MEBIBYTE = 1 << 20
DRAINED = b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig"


class Source:
    """Writes a body as the call takes it."""

    def __init__(self, pool: Pool, head: RequestHead, heard: Heard, pieces: int, piece: bytes) -> None:
        self.left = pieces
        self.piece = piece
        self.refusals = 0
        self.call = pool.send(head, b"", heard, more_body=True)
        self.call.writable = self.go_on
        self.go_on()

    def go_on(self) -> None:
        while self.left:
            self.left -= 1
            if not self.call.write(self.piece):
                self.refusals += 1
                return
        self.call.end()


async def test_a_streamed_body_is_sent_in_chunks_and_its_connection_reused():
    async with serving(forever) as peer, pooled(peer) as pool:
        for _ in range(2):
            heard = Heard()
            call = pool.send(POST, b"one", heard, more_body=True)
            call.write(b"")
            call.write(b"two" * 10)
            call.end()
            assert await heard.answer() == (200, b"ok")
        head, body = peer.requests[1].split(b"\r\n\r\n", 1)
        assert b"\r\ntransfer-encoding: chunked" in head
        assert b"content-length" not in head
        assert body == b"3\r\none\r\n1e\r\n" + b"two" * 10 + b"\r\n0\r\n\r\n"
        assert peer.visits == 1


async def test_a_streamed_body_of_announced_length_is_sent_as_it_is():
    head = RequestHead(b"POST", b"/", [(b"Content-Length", b"6")])
    async with serving(forever) as peer, pooled(peer) as pool:
        heard = Heard()
        call = pool.send(head, b"one", heard, more_body=True)
        call.write(b"two")
        call.end()
        assert await heard.answer() == (200, b"ok")
        assert peer.requests[0].endswith(b"\r\ncontent-length: 6\r\n\r\nonetwo")


async def test_a_body_that_is_not_of_its_announced_length_is_refused():
    head = RequestHead(b"POST", b"/", [(b"content-length", b"4")])
    async with serving(forever) as peer, pooled(peer) as pool:
        with pytest.raises(ValueError, match="longer"):
            pool.send(head, b"12345", Heard(), more_body=True)
        call = pool.send(head, b"123", Heard(), more_body=True)
        with pytest.raises(ValueError, match="shorter"):
            call.end()
        with pytest.raises(ValueError, match="longer"):
            call.write(b"45")
        call.cancel()


async def test_a_body_that_has_ended_takes_no_more():
    async with serving(forever) as peer, pooled(peer) as pool:
        heard = Heard()
        call = pool.send(POST, b"{}", heard)
        with pytest.raises(RuntimeError):
            call.write(b"x")
        with pytest.raises(RuntimeError):
            call.end()
        assert await heard.answer() == (200, b"ok")


async def test_the_source_is_held_back_while_upstream_does_not_read():
    async def script(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        await may_read.wait()
        while b"0\r\n\r\n" not in await visit.reader.read(MEBIBYTE):
            pass
        await visit.say(OK)
        await visit.gone()

    may_read = asyncio.Event()
    async with serving(script) as peer, pooled(peer) as pool:
        heard = Heard()
        source = Source(pool, POST, heard, pieces=1000, piece=b"x" * 65_536)
        await peer.visited.wait()
        for _ in range(1000):
            await asyncio.sleep(0)
        assert source.left > 500
        may_read.set()
        assert await heard.answer() == (200, b"ok")
        assert (source.left, source.refusals > 1) == (0, True)


async def test_a_big_body_in_one_piece_arrives_whole():
    async with serving(forever) as peer, pooled(peer) as pool:
        body = bytes(range(256)) * 16_384
        assert await (await ask(pool, POST, body)).answer() == (200, b"ok")
        assert peer.requests[0].endswith(body)
        assert pool.idle == 1


async def test_an_answer_before_all_of_a_big_body_was_taken_is_the_last_on_its_connection():
    async def script(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        await visit.say(OK)
        await over.wait()

    over = asyncio.Event()
    async with serving(script) as peer, pooled(peer) as pool:
        assert await (await ask(pool, POST, bytes(64 * MEBIBYTE))).answer() == (200, b"ok")
        assert pool.idle == 0
        over.set()


async def test_an_early_refusal_is_heard_and_stops_the_source():
    async def script(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        await visit.say(DRAINED)
        await visit.gone()

    async with serving(script) as peer, pooled(peer) as pool:
        heard = Heard()
        call = pool.send(POST, b"begin", heard, more_body=True)
        assert await heard.answer() == (413, b"big")
        assert call.write(b"x" * MEBIBYTE)
        call.end()
        await peer.left_alone()
        assert pool.idle == 0


async def test_a_source_that_is_held_back_is_let_go_by_an_early_refusal():
    async def script(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        await visit.say(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\n")
        await ended.wait()
        await visit.say(b"big")
        await visit.gone()

    ended = asyncio.Event()

    async with serving(script) as peer, pooled(peer) as pool:
        heard = Heard()
        source = Source(pool, POST, heard, pieces=2000, piece=b"x" * 65_536)
        await heard.head.wait()
        assert (source.left, source.call.more) == (0, False)
        ended.set()
        assert await heard.answer() == (413, b"big")
        assert pool.idle == 0


async def test_an_early_answer_that_is_no_refusal_lets_the_body_go_on():
    async def script(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        await visit.say(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        chunk = await visit.reader.readuntil(b"\r\n0\r\n\r\n")
        await visit.say(chunk)
        await visit.gone()

    async with serving(script) as peer, pooled(peer) as pool:
        heard = Heard()
        call = pool.send(POST, b"", heard, more_body=True)
        await heard.head.wait()
        call.write(b"echo")
        call.end()
        assert await heard.answer() == (200, b"echo")
        assert pool.idle == 0


async def test_a_cancelled_call_closes_its_connection_and_says_no_more():
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart")
        await visit.gone()

    async with serving(script) as peer, pooled(peer) as pool:
        heard = Heard()
        call = pool.send(GET, b"", heard)
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
        call = pool.send(GET, b"", heard)
        await heard.head.wait()
        await peer.left_alone()
        assert (heard.chunks, heard.last_words, pool.open) == ([], 0, 0)


async def test_a_call_cancelled_before_it_is_connected_is_never_sent():
    async with serving(forever) as peer, pooled(peer) as pool:
        heard = Heard()
        pool.send(GET, b"", heard).cancel()
        assert await (await ask(pool)).answer() == (200, b"ok")
        assert (len(peer.requests), heard.last_words) == (1, 0)


async def test_a_call_cancelled_just_before_its_pool_is_closed_hears_nothing():
    async with serving(forever) as peer, pooled(peer) as pool:
        heard = Heard()
        pool.send(GET, b"", heard).cancel()
        await pool.close()
        assert heard.last_words == 0


async def test_a_call_that_is_over_ignores_everything():
    async with serving(forever) as peer, pooled(peer) as pool:
        heard = Heard()
        call = pool.send(GET, b"", heard)
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
        call = pool.send(GET, b"", heard)
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
        call = pool.send(GET, b"", heard)
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
        call = pool.send(GET, b"", heard)
        assert await heard.answer() == (200, b"ok")
        assert pool.idle == 1
        close.set()
        await peer.left_alone()
        assert pool.idle == 0


async def test_upstream_that_closes_while_a_body_is_streamed_is_a_failure():
    async with serving(answering()) as peer, pooled(peer) as pool:
        heard = Heard()
        call = pool.send(POST, b"begin", heard, more_body=True)
        await peer.visited.wait()
        for task in peer.running:
            task.cancel()
        failure = await heard.failed()
        assert (failure.kind, failure.reached) == (FailureKind.CLOSED_BEFORE_ANSWER, True)
        assert call.write(b"late")
