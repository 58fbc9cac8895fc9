from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from innoai.gateway.upstream import AnswerHead, Call, Failure, FailureKind
from tests.gateway.upstream.peers import (
    OK,
    Heard,
    Visit,
    answering,
    ask,
    closing_after,
    forever,
    pooled,
    reset,
    send,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from innoai.gateway.upstream.connection import Connection

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
EVENTS = [b'data: {"n":%d}\n\n' % n for n in range(4)] + [b"data: [DONE]\n\n"]
SSE = (
    CHUNKED + b"".join(b"%x;ext=1\r\n%b\r\n" % (len(event), event) for event in EVENTS) + b"0\r\nt: 1\r\n\r\n"
)


@asynccontextmanager
async def asked(heard: Heard) -> AsyncIterator[tuple[Connection, Call]]:
    """A connection that awaits an answer from a peer who gives none, so that the test can give it."""
    async with serving(answering(b"")) as peer, pooled(peer) as pool:
        call = send(pool, heard)
        while call.connection is None:
            await asyncio.sleep(0)
        # The request leaves at the end of the turn.
        await asyncio.sleep(0)
        yield call.connection, call


async def failing(answer: bytes) -> Failure:
    async with serving(answering(answer)) as peer, pooled(peer) as pool:
        return await (await ask(pool)).failed()


async def test_the_head_is_heard_with_names_in_lower_case_and_in_order():
    answer = b"HTTP/1.1 429 Slow Down\r\nRetry-After: 3\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n"
    async with serving(answering(answer)) as peer, pooled(peer) as pool:
        heard = await ask(pool)
        assert heard.status == 429
        assert heard.headers == [
            (b"retry-after", b"3"),
            (b"x-a", b"1"),
            (b"x-a", b"2"),
            (b"content-length", b"0"),
        ]


async def test_a_stream_cut_in_two_at_any_byte_is_the_same_stream():
    for cut in range(1, len(SSE)):
        heard = Heard()
        async with asked(heard) as (connection, _):
            connection.data_received(SSE[:cut])
            connection.data_received(SSE[cut:])
            assert await heard.answer() == (200, b"".join(EVENTS))


async def test_a_stream_in_single_bytes_is_the_same_stream():
    async def script(visit: Visit) -> None:
        await visit.request()
        for code in SSE:
            await visit.say(bytes([code]))
        await visit.gone()

    async with serving(script) as peer, pooled(peer) as pool:
        assert await (await ask(pool)).answer() == (200, b"".join(EVENTS))
        assert pool.idle == 1


async def test_each_event_is_heard_before_the_next_is_sent():
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(CHUNKED)
        for event in EVENTS:
            heard.progress.clear()
            await visit.say(b"%x\r\n%b\r\n" % (len(event), event))
            await heard.progress.wait()
        await visit.say(b"0\r\n\r\n")
        await visit.gone()

    heard = Heard()
    async with serving(script) as peer, pooled(peer) as pool:
        send(pool, heard)
        await heard.answer()
        assert heard.chunks == EVENTS


async def test_interim_answers_are_not_heard():
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    async with serving(answering(early + OK, OK)) as peer, pooled(peer) as pool:
        heard = await ask(pool)
        assert await heard.answer() == (200, b"ok")
        assert heard.headers == [(b"content-length", b"2")]
        assert pool.idle == 1


async def test_a_body_without_length_lasts_until_the_close():
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(OK)
        await visit.request()
        await visit.say(b"HTTP/1.1 200 OK\r\n\r\nall ")
        await heard.progress.wait()
        assert not heard.last_words
        await visit.say(b"of it")

    heard = Heard()
    async with serving(script) as peer, pooled(peer) as pool:
        await ask(pool)
        send(pool, heard)
        assert await heard.answer() == (200, b"all of it")
        assert pool.idle == 0


async def test_a_body_without_length_that_a_reset_cuts_is_a_failure():
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(b"HTTP/1.1 200 OK\r\n\r\nall ")
        await heard.progress.wait()
        reset(visit.writer)

    heard = Heard()
    async with serving(script) as peer, pooled(peer) as pool:
        send(pool, heard)
        assert (await heard.failed()).kind is FailureKind.CLOSED_MID_ANSWER


@pytest.mark.parametrize(
    "part",
    [
        b"HTTP/1.1 200 OK\r\ncontent-len",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell",
        CHUNKED + b"5\r\nhel",
        CHUNKED + b"5\r\nhello\r\n",
        CHUNKED + b"5\r\nhello\r\n0\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
async def test_an_answer_that_breaks_off_is_a_failure(part: bytes):
    async with serving(closing_after(part)) as peer, pooled(peer) as pool:
        failure = await (await ask(pool)).failed()
        assert (failure.kind, failure.reached) == (FailureKind.CLOSED_MID_ANSWER, True)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        b"HTTP/1.1 099 Strange\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 000 Strange\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\n\r\nok",
        b"HTTP/1.1 200 OK\r\na: b\r\n c\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        CHUNKED + b"2\nok\r\n0\r\n\r\n",
        CHUNKED + b"2 \r\nok\r\n0\r\n\r\n",
        CHUNKED + b"-2\r\nok\r\n0\r\n\r\n",
        CHUNKED + b"fffffffffffffffff\r\nok\r\n0\r\n\r\n",
        CHUNKED + b"2\r\nokay\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 201 + b"content-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: " + b"b" * 66_000 + b"\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a" * 66_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 3000,
        CHUNKED + b"2;" + b"e" * 66_000,
        CHUNKED + b"2\r\nok\r\n0\r\n" + b"a: b\r\n" * 12_000,
        CHUNKED + b"1;%b\r\na\r\n" % (b"e" * 1000) * 100,
    ],
    ids=lambda answer: repr(answer[:90].removeprefix(b"HTTP/1.1 200 OK\r\n")),
)
async def test_what_is_not_plainly_http_is_a_protocol_error(answer: bytes):
    failure = await failing(answer)
    assert (failure.kind, failure.reached) == (FailureKind.PROTOCOL_ERROR, True)
    assert failure.text


async def test_a_head_of_two_hundred_headers_is_heard():
    head = b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 199 + b"content-length: 0\r\n\r\n"
    async with serving(answering(head)) as peer, pooled(peer) as pool:
        assert len((await ask(pool)).headers) == 200


async def test_a_big_body_right_behind_a_small_head_is_no_big_head():
    heard = Heard()
    async with asked(heard) as (connection, _):
        connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n" + bytes(200_000))
        assert await heard.answer() == (200, bytes(200_000))


async def test_a_stream_of_one_byte_chunks_may_be_as_long_as_it_likes():
    async with (
        serving(answering(CHUNKED + b"00000001\r\na\r\n" * 20_000 + b"0\r\n\r\n")) as peer,
        pooled(peer) as pool,
    ):
        assert await (await ask(pool)).answer() == (200, b"a" * 20_000)


@pytest.mark.parametrize("method", ["on_head", "on_body"])
async def test_a_listener_that_raises_loses_its_call_alone(method: str):
    def broken(*_: object) -> None:
        raise LookupError(method)

    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    async with serving(forever) as peer, pooled(peer) as pool:
        heard = Heard()
        setattr(heard, method, broken)
        send(pool, heard)
        assert (await heard.failed()).kind is FailureKind.CLOSED_MID_ANSWER
        assert [str(report["exception"]) for report in reports] == [method]
        assert await (await ask(pool)).answer() == (200, b"ok")


async def test_a_listener_that_cancels_and_then_raises_is_reported_and_hears_no_more():
    class Leaving(Heard):
        def on_head(self, head: AnswerHead) -> None:
            call.cancel()
            raise LookupError("after leaving")

    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    async with serving(forever) as peer, pooled(peer) as pool:
        heard = Leaving()
        call = send(pool, heard)
        await peer.visited.wait()
        await peer.left_alone()
        assert [str(report["exception"]) for report in reports] == ["after leaving"]
        assert heard.last_words == 0
