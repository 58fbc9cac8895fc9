from __future__ import annotations

import asyncio

import pytest

from innoai.gateway.upstream import FailureKind, Pool
from innoai.gateway.upstream.connection import STALE_SECONDS
from tests.gateway.upstream.peers import (
    OK,
    Heard,
    Visit,
    answering,
    ask,
    closing_after,
    forever,
    pooled,
    send,
    serving,
)


async def test_a_clean_answer_leaves_a_connection_for_the_next_call():
    async with serving(forever) as peer, pooled(peer) as pool:
        for _ in range(3):
            assert await (await ask(pool)).answer() == (200, b"ok")
            assert (pool.idle, pool.open) == (1, 1)
        assert peer.visits == 1


async def test_the_connection_is_free_again_when_the_listener_hears_the_end():
    class Again(Heard):
        def on_end(self) -> None:
            send(pool, second)
            super().on_end()

    async with serving(forever) as peer, pooled(peer) as pool:
        second = Heard()
        send(pool, Again())
        assert await second.answer() == (200, b"ok")
        assert peer.visits == 1


async def test_the_connection_used_last_is_used_next():
    async def script(visit: Visit) -> None:
        while True:
            await visit.request()
            if visit.nth == 1:
                await first_may_answer.wait()
            await visit.say(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n%d" % visit.nth)

    first_may_answer = asyncio.Event()
    async with serving(script) as peer, pooled(peer) as pool:
        slow, quick = Heard(), Heard()
        send(pool, slow)
        send(pool, quick)
        quick_number = (await quick.answer())[1]
        first_may_answer.set()
        slow_number = (await slow.answer())[1]
        assert {quick_number, slow_number} == {b"1", b"2"}
        assert await (await ask(pool)).answer() == (200, slow_number)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        OK + b"HTTP/1.1 200 OK\r\n",
        OK + b"\0",
        OK + OK,
    ],
    ids=["http-1.0", "close", "chunked-close", "half-an-answer", "a-byte", "a-second-answer"],
)
async def test_an_answer_that_does_not_end_clean_is_delivered_but_its_connection_is_not_reused(answer: bytes):
    async with serving(answering(answer)) as peer, pooled(peer) as pool:
        assert await (await ask(pool)).answer() == (200, b"ok")
        assert pool.idle == 0
        assert await (await ask(pool)).answer() == (200, b"ok")
        assert peer.visits == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n0\r\ntrailer: x\r\n\r\n",
    ],
    ids=["http-1.0-keep-alive", "204", "304", "trailers"],
)
async def test_an_answer_without_a_body_leaves_its_connection_for_reuse(answer: bytes):
    async with serving(answering(answer, OK)) as peer, pooled(peer) as pool:
        assert (await (await ask(pool)).answer())[1] == b""
        assert await (await ask(pool)).answer() == (200, b"ok")
        assert peer.visits == 1


async def test_trailers_are_no_headers_of_this_answer_or_the_next():
    trailed = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nset-cookie: x\r\n\r\n"
    async with serving(answering(trailed, OK)) as peer, pooled(peer) as pool:
        assert (await ask(pool)).headers == [(b"transfer-encoding", b"chunked")]
        assert (await ask(pool)).headers == [(b"content-length", b"2")]


@pytest.mark.parametrize("parting", [b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n"], ids=["close", "408"])
async def test_an_idle_connection_that_the_peer_is_done_with_is_dropped_at_once(parting: bytes):
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(OK)
        if visit.nth == 1:
            await part.wait()
            await visit.say(parting)
            if not parting:
                visit.writer.write_eof()
            await visit.gone()
            parted.set()
        await visit.gone()

    part, parted = asyncio.Event(), asyncio.Event()
    async with serving(script) as peer, pooled(peer) as pool:
        await ask(pool)
        assert pool.idle == 1
        part.set()
        await parted.wait()
        assert (pool.idle, pool.open) == (0, 0)
        assert await (await ask(pool)).answer() == (200, b"ok")


async def test_a_request_that_met_a_closing_connection_goes_out_once_more_and_whole():
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(OK)
        if visit.nth == 1:
            await visit.request()
            return
        await visit.request()
        await visit.say(OK)

    async with serving(script) as peer, pooled(peer) as pool:
        await ask(pool)
        body = bytes(range(256)) * 1024
        assert await (await ask(pool, body)).answer() == (200, b"ok")
        assert peer.visits == 2
        assert peer.requests[1] == peer.requests[2]
        assert peer.requests[2].endswith(body)


async def test_a_request_that_upstream_has_worked_at_is_not_repeated():
    """It may have been done, and charged: only a connection that was closed already ends at once."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(OK)
        await visit.request()
        await asyncio.sleep(2 * STALE_SECONDS)

    async with serving(script) as peer, pooled(peer) as pool:
        await ask(pool)
        failure = await (await ask(pool)).failed()
        assert (failure.kind, failure.reached) == (FailureKind.CLOSED_BEFORE_ANSWER, True)
        assert (peer.visits, len(peer.requests)) == (1, 2)


async def test_a_request_goes_out_at_most_twice():
    async def script(visit: Visit) -> None:
        await visit.request()
        if visit.nth == 1:
            await visit.say(OK)
            await visit.request()

    async with serving(script) as peer, pooled(peer) as pool:
        await ask(pool)
        failure = await (await ask(pool)).failed()
        assert (failure.kind, failure.reached) == (FailureKind.CLOSED_BEFORE_ANSWER, True)
        assert (peer.visits, len(peer.requests)) == (2, 3)


async def test_a_request_that_a_fresh_connection_swallowed_is_not_repeated():
    async with serving(closing_after(b"")) as peer, pooled(peer) as pool:
        failure = await (await ask(pool)).failed()
        assert (failure.kind, failure.reached) == (FailureKind.CLOSED_BEFORE_ANSWER, True)
        assert (peer.visits, len(peer.requests)) == (1, 1)


async def test_a_request_whose_answer_had_begun_is_not_repeated():
    async with serving(closing_after(OK, b"H")) as peer, pooled(peer) as pool:
        await ask(pool)
        assert (await (await ask(pool)).failed()).kind is FailureKind.CLOSED_MID_ANSWER
        assert len(peer.requests) == 2


async def test_no_more_connections_are_kept_idle_than_allowed():
    async with serving(forever) as peer, pooled(peer, max_idle=2) as pool:
        await asyncio.gather(*(ask(pool) for _ in range(5)))
        assert pool.idle == 2


async def test_five_hundred_calls_at_once_reuse_connections_and_leak_none():
    async with serving(forever) as peer:
        async with pooled(peer, max_idle=500) as pool:
            for _ in range(3):
                answers = await asyncio.gather(*(ask(pool) for _ in range(500)))
                assert {(heard.status, heard.body, heard.failure) for heard in answers} == {
                    (200, b"ok", None)
                }
                assert pool.idle == pool.open
            assert peer.visits <= 500
            assert len(peer.requests) == 1500
        await peer.left_alone()


async def test_closing_the_pool_fails_the_calls_at_work_and_refuses_new_ones():
    async def script(visit: Visit) -> None:
        if await visit.request() and visit.nth == 2:
            await visit.say(OK)
            await visit.request()
        await visit.say(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n" if visit.nth == 1 else b"")
        await visit.gone()

    async with serving(script) as peer, pooled(peer) as pool:
        answering_call, waiting, unconnected = Heard(), Heard(), Heard()
        send(pool, answering_call)
        await answering_call.head.wait()
        await ask(pool)
        send(pool, waiting)
        send(pool, unconnected)
        await pool.close()
        for heard in (answering_call, waiting, unconnected):
            assert (await heard.failed()).kind is FailureKind.SHUT_DOWN
        with pytest.raises(RuntimeError):
            send(pool, Heard())
        await peer.left_alone()


async def test_a_pool_that_was_never_used_closes():
    async with serving(forever) as peer:
        pool: Pool
        async with pooled(peer) as pool:
            assert (pool.open, pool.idle, pool.connecting) == (0, 0, 0)


async def test_what_upstream_says_before_it_was_asked_answers_nothing():
    async with serving(forever) as peer, pooled(peer) as pool:
        await (await ask(pool)).answer()
        heard = Heard()
        call = send(pool, heard)
        assert call.connection is not None
        call.connection.data_received(OK.replace(b"ok", b"no"))
        assert await heard.answer() == (200, b"ok")
        assert peer.visits == 2
