"""Big bodies arrive whole, and an answer that does not wait for all of one is heard."""

from __future__ import annotations

import asyncio

import pytest

from innoai.gateway.upstream import FailureKind
from tests.gateway.upstream.peers import OK, Heard, Visit, answering, ask, forever, pooled, send, serving

MEBIBYTE = 1 << 20
BIG = bytes(64 * MEBIBYTE)
"""More than the system takes on the way to a peer that does not read."""

REFUSAL = b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


async def test_a_big_body_arrives_whole():
    async with serving(forever) as peer, pooled(peer) as pool:
        body = bytes(range(256)) * 16_384
        assert await (await ask(pool, body)).answer() == (200, b"ok")
        assert peer.requests[0].endswith(body)
        assert pool.idle == 1


@pytest.mark.parametrize(
    "answer", [OK, REFUSAL, CHUNKED + b"2\r\nok\r\n0\r\n\r\n"], ids=["ok", "413", "chunked"]
)
async def test_an_answer_before_all_of_a_big_body_was_taken_is_the_last_on_its_connection(answer: bytes):
    async def script(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        await visit.say(answer)
        await over.wait()

    over = asyncio.Event()
    async with serving(script) as peer, pooled(peer) as pool:
        status, body = await (await ask(pool, BIG)).answer()
        assert (status, body) == ((413, b"big") if answer == REFUSAL else (200, b"ok"))
        assert pool.idle == 0
        over.set()


async def test_an_answer_with_a_known_head_before_all_of_a_big_body_was_taken_is_the_last_one_too():
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(OK)
        await visit.reader.readuntil(b"\r\n\r\n")
        await visit.say(OK)
        await over.wait()

    over = asyncio.Event()
    async with serving(script) as peer, pooled(peer) as pool:
        await ask(pool)
        assert await (await ask(pool, BIG)).answer() == (200, b"ok")
        assert (peer.visits, pool.idle) == (1, 0)
        over.set()


async def test_an_early_refusal_that_comes_in_pieces_is_heard_whole():
    async def script(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        await visit.say(REFUSAL.removesuffix(b"big"))
        await heard.head.wait()
        await visit.say(b"big")
        await over.wait()

    over = asyncio.Event()
    async with serving(script) as peer, pooled(peer) as pool:
        heard = Heard()
        send(pool, heard, BIG)
        assert await heard.answer() == (413, b"big")
        assert pool.idle == 0
        over.set()


async def test_what_is_left_of_a_refused_body_is_not_sent():
    async def script(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        await visit.say(REFUSAL)
        await heard.over()
        taken.append(await visit.gone())

    taken: list[int] = []
    async with serving(script) as peer, pooled(peer) as pool:
        heard = Heard()
        send(pool, heard, BIG)
        assert await heard.answer() == (413, b"big")
        await peer.left_alone()
        assert taken[0] < len(BIG)


async def test_an_answer_that_only_begins_early_lets_a_big_body_go_on():
    async def script(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        await visit.say(CHUNKED)
        await heard.head.wait()
        await visit.reader.readexactly(len(BIG))
        await visit.say(b"2\r\nok\r\n0\r\n\r\n")
        await visit.gone()

    async with serving(script) as peer, pooled(peer) as pool:
        heard = Heard()
        send(pool, heard, BIG)
        assert await heard.answer() == (200, b"ok")
        assert pool.idle == 1


async def test_upstream_that_closes_while_a_big_body_is_being_written_is_a_failure():
    async with serving(answering()) as peer, pooled(peer) as pool:
        heard = Heard()
        send(pool, heard, BIG)
        await peer.visited.wait()
        for task in peer.running:
            task.cancel()
        failure = await heard.failed()
        assert (failure.kind, failure.reached) == (FailureKind.CLOSED_BEFORE_ANSWER, True)
