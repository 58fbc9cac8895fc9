"""A quick stream is read at a beat: in fewer turns, whole; a first piece and a slow stream never wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from innoai.gateway.upstream import FailureKind, Timeouts
from innoai.gateway.upstream.beat import BEAT_SECONDS, MOST_BYTES, Beat
from tests.gateway.upstream.peers import Heard, forever, pooled, send, serving

if TYPE_CHECKING:
    from tests.gateway.upstream.authority import Authority
    from tests.gateway.upstream.peers import Visit

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
PIECES = 60
QUICK = BEAT_SECONDS / 5
SLOW = BEAT_SECONDS * 4


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Turns(Heard):
    """Remembers how much had been said at each turn."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[int] = []

    def on_turn(self) -> None:
        super().on_turn()
        self.turns.append(len(self.body))


async def begin(visit: Visit, *pauses: float) -> None:
    """Take a request and say so many pieces, each after its pause in seconds."""
    await visit.request()
    await visit.say(HEAD)
    for pause in pauses:
        await asyncio.sleep(pause)
        await visit.say(chunk(b"x"))


async def say_pieces(visit: Visit, pause: float, pieces: int = PIECES) -> None:
    """Answer one request with pieces that far apart, in seconds."""
    await begin(visit, *[pause] * pieces)
    await visit.say(END)


async def quick(visit: Visit) -> None:
    """Answer one request quickly."""
    await say_pieces(visit, QUICK)
    await visit.gone()


async def test_a_quick_stream_is_heard_in_fewer_turns_and_whole():
    async with serving(quick) as peer, pooled(peer) as pool:
        heard = Turns()
        send(pool, heard)
        assert await heard.answer() == (200, b"x" * PIECES)
        assert len(heard.turns) < PIECES * 2 / 3
        assert pool.idle == 1


async def test_the_first_piece_of_a_quick_stream_is_heard_by_itself():
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(HEAD)
        await asyncio.sleep(QUICK)
        await visit.say(chunk(b"first"))
        await first_heard.wait()
        await visit.say(END)
        await visit.gone()

    class First(Turns):
        def on_turn(self) -> None:
            super().on_turn()
            if self.body:
                first_heard.set()

    first_heard = asyncio.Event()
    async with serving(script) as peer, pooled(peer) as pool:
        heard = First()
        send(pool, heard)
        assert await heard.answer() == (200, b"first")


async def test_each_piece_of_a_slow_stream_has_a_turn_of_its_own():
    pieces = 10

    async def script(visit: Visit) -> None:
        await say_pieces(visit, SLOW, pieces)
        await visit.gone()

    async with serving(script) as peer, pooled(peer) as pool:
        heard = Turns()
        send(pool, heard)
        await heard.answer()
        # The last comes with the end.
        assert [length for length in heard.turns if length] == list(range(1, pieces))


async def test_volume_does_not_wait_for_the_beat():
    """More than a beat reads wakes the loop, however quick the stream has been before."""
    size = 64 * MOST_BYTES

    async def script(visit: Visit) -> None:
        await begin(visit, *[QUICK] * 5)
        for _ in range(10):
            await visit.say(chunk(b"x" * size))
        await visit.say(END)
        await visit.gone()

    async with serving(script) as peer, pooled(peer) as pool:
        heard = Turns()
        send(pool, heard)
        _, body = await heard.answer()
        assert len(body) == 5 + 10 * size
        # Read at the beat alone, each turn would have brought so much at most.
        assert max(len(piece) for piece in heard.chunks) > MOST_BYTES
        assert pool.idle == 1


async def test_a_quick_answer_stays_paused_while_its_caller_wants_that():
    async def script(visit: Visit) -> None:
        await begin(visit, *[QUICK] * 2)
        await paused.wait()
        await visit.say(chunk(b"after") + END)
        await visit.gone()

    class Pausing(Turns):
        def on_turn(self) -> None:
            super().on_turn()
            if self.body and not paused.is_set():
                call.pause()
                paused.set()

    paused = asyncio.Event()
    async with serving(script) as peer, pooled(peer) as pool:
        heard = Pausing()
        call = send(pool, heard)
        await paused.wait()
        await asyncio.sleep(6 * BEAT_SECONDS)
        assert b"after" not in heard.body
        call.resume()
        status, body = await heard.answer()
        assert (status, body) == (200, b"xxafter")
        assert pool.idle == 1


async def test_an_answer_that_is_paused_and_resumed_again_and_again_is_whole():
    class Fickle(Turns):
        def on_turn(self) -> None:
            super().on_turn()
            call.pause()
            asyncio.get_running_loop().call_soon(call.resume)

    async with serving(quick) as peer, pooled(peer) as pool:
        heard = Fickle()
        call = send(pool, heard)
        assert await heard.answer() == (200, b"x" * PIECES)
        assert pool.idle == 1


async def test_a_call_cancelled_between_two_beats_is_gone_at_once():
    async def script(visit: Visit) -> None:
        await say_pieces(visit, QUICK, 10_000)

    class Leaving(Turns):
        def on_turn(self) -> None:
            super().on_turn()
            if len(self.body) > 1:
                asyncio.get_running_loop().call_soon(call.cancel)
                left.set()

    left = asyncio.Event()
    async with serving(script) as peer, pooled(peer) as pool:
        heard = Leaving()
        call = send(pool, heard)
        await left.wait()
        await asyncio.sleep(3 * BEAT_SECONDS)
        assert pool.open == 0
        assert not heard.failure


async def test_a_connection_of_a_quick_answer_serves_the_next_request_and_hears_its_close():
    async def script(visit: Visit) -> None:
        await say_pieces(visit, QUICK)
        await say_pieces(visit, QUICK)
        visit.writer.write_eof()
        await visit.gone()

    async with serving(script) as peer, pooled(peer) as pool:
        for _ in range(2):
            heard = Turns()
            send(pool, heard)
            assert await heard.answer() == (200, b"x" * PIECES)
        await peer.left_alone()
        assert peer.visits == 1


async def test_a_quick_stream_that_breaks_off_fails_as_any_other():
    async def script(visit: Visit) -> None:
        await begin(visit, *[QUICK] * 5)

    async with serving(script) as peer, pooled(peer) as pool:
        heard = Turns()
        send(pool, heard)
        failure = await heard.failed()
        assert failure.reached
        assert heard.body == b"xxxxx"


async def test_a_stream_that_becomes_slow_is_told_of_at_once_again():
    pieces = 5

    async def script(visit: Visit) -> None:
        await begin(visit, *[QUICK] * PIECES, *[SLOW] * pieces)
        await visit.say(END)
        await visit.gone()

    async with serving(script) as peer, pooled(peer) as pool:
        heard = Turns()
        send(pool, heard)
        assert await heard.answer() == (200, b"x" * (PIECES + pieces))
        assert set(range(PIECES + 1, PIECES + pieces)) <= set(heard.turns)


async def test_a_short_answer_after_a_quick_one_on_its_connection_is_heard():
    """A socket that wakes nobody for a few bytes must not be left so for what comes next."""

    async def script(visit: Visit) -> None:
        await say_pieces(visit, QUICK)
        await forever(visit)

    async with serving(script) as peer, pooled(peer) as pool:
        heard = Turns()
        send(pool, heard)
        assert await heard.answer() == (200, b"x" * PIECES)
        for _ in range(3):
            again = Heard()
            send(pool, again)
            assert await again.answer() == (200, b"ok")
        assert peer.visits == 1


async def test_a_quick_stream_over_tls_is_whole(authority: Authority):
    async with serving(quick, tls=authority.server) as peer, pooled(peer, tls=authority.client) as pool:
        heard = Turns()
        send(pool, heard)
        assert await heard.answer() == (200, b"x" * PIECES)
        assert len(heard.turns) > PIECES * 2 / 3


async def test_a_quick_stream_that_falls_silent_times_out_as_any_other():
    async def script(visit: Visit) -> None:
        await begin(visit, *[QUICK] * PIECES)
        await visit.gone()

    async with serving(script) as peer, pooled(peer, timeouts=Timeouts(idle=0.2)) as pool:
        heard = Turns()
        send(pool, heard)
        failure = await heard.failed()
        assert failure.kind is FailureKind.TIMED_OUT
        assert heard.body == b"x" * PIECES


async def test_many_quick_streams_at_once_are_each_whole():
    async with serving(quick) as peer, pooled(peer) as pool:
        listeners = [Turns() for _ in range(50)]
        for heard in listeners:
            send(pool, heard)
        for heard in listeners:
            assert await heard.answer() == (200, b"x" * PIECES)


class Reader:
    """A stream of a beat that reads, or fails to, at each of them."""

    def __init__(self, *, fails: bool) -> None:
        self.fails = fails
        self.beats = 0
        self.is_aborted = False

    def on_beat(self) -> bool:
        self.beats += 1
        if self.fails:
            raise ValueError("what nobody foresaw")
        return self.beats < 3

    def abort(self) -> None:
        self.is_aborted = True


async def test_a_stream_that_cannot_be_read_ends_alone() -> None:
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    loop.set_exception_handler(lambda _loop, _context: told.set())
    beat, broken, well = Beat(loop), Reader(fails=True), Reader(fails=False)
    for stream in (broken, well):
        beat.join(stream)
    await asyncio.sleep(10 * BEAT_SECONDS)
    loop.set_exception_handler(None)
    assert (broken.beats, broken.is_aborted, told.is_set()) == (1, True, True)
    assert (well.beats, well.is_aborted) == (3, False)
