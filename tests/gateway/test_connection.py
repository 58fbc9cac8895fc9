"""A caller's connection: what is sent on it, in whatever pieces, is read as HTTP means it, and in bounds."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from innoai.activity.tail import REMEMBERED
from innoai.gateway.connection import BODY_PATIENCE, HEAD_PATIENCE, IDLE_PATIENCE, READ_PATIENCE
from tests.gateway.house import HELLO, House, counted, house_before, said
from tests.support.server import MODEL as SERVED
from tests.support.settings import about_shortcuts
from tests.support.upstream import marked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.gateway.house import Caller, Installation
    from tests.gateway.upstream.peers import Visit
    from tests.support.server import Server
    from tests.support.upstream import Upstream

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")

JSON = b"content-type: application/json"
OK = counted(1, 2)
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
UNKNOWN = HELLO.replace(b'"model": "model"', b'"model": "other"')


async def answer_all(visit: Visit) -> None:
    while True:
        await visit.request()
        await visit.say(said(OK, JSON))


@pytest.fixture
async def house(installed: Installation) -> AsyncIterator[House]:
    async with house_before(installed, answer_all) as (house, _):
        yield house


@pytest.fixture
async def caller(house: House) -> AsyncIterator[Caller]:
    """A caller whose head is known already."""
    async with house.caller() as caller:
        assert (await caller.ask(house.post())).body == OK
        yield caller


# Heads that were seen before.


async def test_a_head_that_differs_in_one_byte_speaks_for_itself(house: House, caller: Caller) -> None:
    known = house.post()
    foreign = house.post(key=house.key[:-1] + ("a" if house.key[-1] != "a" else "b"))
    for _ in range(3):
        assert (await caller.ask(foreign)).code == "invalid_api_key"
        assert (await caller.ask(known)).body == OK
        assert (await caller.ask(known.replace(b"Host", b"HOST"))).body == OK
        assert (await caller.ask(known.replace(b"Bearer ", b"Bearer  "))).body == OK
        assert (
            await caller.ask(known.replace(b"Authorization", b"X-Authorization"))
        ).code == "invalid_api_key"


async def test_a_body_may_come_after_its_repeated_head_in_any_pieces(house: House, caller: Caller) -> None:
    (connection,) = house.connections
    request = house.post()
    for cuts in ((1,), (len(request) - len(HELLO),), (len(request) - 1,), (30, 60, len(request) - 5)):
        for start, end in zip((0, *cuts), (*cuts, len(request)), strict=True):
            connection.data_received(request[start:end])
        assert (await caller.answer()).body == OK
        assert (await caller.ask(request)).body == OK


async def test_a_request_in_one_packet_with_a_repeated_one_is_dropped_with_the_connection(
    house: House, caller: Caller
) -> None:
    answer = await caller.ask(house.post() * 2)
    assert answer.body == OK
    assert b"connection: close" in answer.head
    assert await caller.closed() == b""
    assert len(house.ledger.records) == 2


@about_shortcuts
async def test_a_request_behind_one_that_was_refused_is_answered(house: House, caller: Caller) -> None:
    await caller.send(house.post(UNKNOWN) + house.post())
    assert (await caller.answer()).code == "model_not_found"
    assert (await caller.answer()).body == OK
    assert (await caller.ask(house.post())).body == OK


@about_shortcuts
async def test_what_follows_half_a_head_is_its_other_half(house: House, caller: Caller) -> None:
    """Whole requests that were seen before, and yet here the value of a header and what goes with it."""
    (connection,) = house.connections
    half = b"POST /v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer other\r\nX-Quoted: "
    connection.data_received(house.post(UNKNOWN) + half)
    connection.data_received(house.post())
    assert (await caller.answer()).code == "model_not_found"
    assert (await caller.answer()).code == "invalid_api_key"


async def test_a_head_before_chunks_is_not_learnt_for_a_whole_request(house: House, caller: Caller) -> None:
    (connection,) = house.connections
    head = house.post().partition(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\n\r\n"
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(HELLO), HELLO)
    for _ in range(3):
        connection.data_received(head)
        connection.data_received(chunks)
        assert (await caller.answer()).body == OK


@about_shortcuts
async def test_half_a_head_is_not_learnt_for_a_whole_one(house: House, caller: Caller) -> None:
    (connection,) = house.connections
    request = house.post()
    cut = request.index(b"Content-Length")
    connection.data_received(house.post(UNKNOWN) + request[:cut])
    connection.data_received(request[cut:])
    assert (await caller.answer()).code == "model_not_found"
    assert (await caller.answer()).body == OK
    assert (await caller.ask(request[cut:])).code == "invalid_request"


async def test_a_repeated_request_does_not_overtake_an_answer_of_the_control_plane(
    house: House, caller: Caller
) -> None:
    (connection,) = house.connections
    connection.data_received(HEALTH)
    connection.data_received(house.post())
    assert (await caller.answer()).json() == {"status": "ok"}
    assert await caller.closed() == b""
    assert len(house.ledger.records) == 1


async def test_a_head_request_takes_no_body_from_the_next_refusal(house: House, caller: Caller) -> None:
    await caller.send(HEALTH.replace(b"GET", b"HEAD"))
    assert b"content-length: 15" in await caller.head()
    assert (await caller.ask(house.post(UNKNOWN))).code == "model_not_found"


async def test_both_planes_take_turns_on_one_connection(house: House, caller: Caller) -> None:
    for _ in range(5):
        assert (await caller.ask(HEALTH)).json() == {"status": "ok"}
        assert (await caller.ask(house.post())).body == OK
        assert (await caller.ask(house.post())).body == OK
        assert (await caller.ask(house.post(UNKNOWN))).code == "model_not_found"


async def test_a_line_break_between_requests_changes_nothing(house: House, caller: Caller) -> None:
    (connection,) = house.connections
    for stray in (b"\r\n", b"\r", b"\n\r\n"):
        connection.data_received(stray)
        assert (await caller.ask(house.post())).body == OK
        assert (await caller.ask(b"\r\n" + house.post())).body == OK


async def test_a_repeated_head_excuses_no_body_beyond_the_limit(installed: Installation) -> None:
    async with (
        house_before(installed, answer_all, max_body_bytes=1024) as (house, _),
        house.caller() as caller,
    ):
        assert (await caller.ask(house.post())).body == OK
        assert (await caller.ask(house.post(HELLO.ljust(1024)))).body == OK
        assert (await caller.ask(house.post(HELLO.ljust(1025)))).code == "payload_too_large"


@pytest.mark.parametrize("length", ["+{}", " {} ", "0{}", "000000000{}", "{},", "-{}", "{}.0", "0x{}"])
async def test_only_digits_say_a_length(house: House, caller: Caller, length: str) -> None:
    written = f"Content-Length: {len(HELLO)}\r\n"
    changed = f"Content-Length: {length.format(len(HELLO))}\r\n"
    answer = await caller.ask(house.post().replace(written.encode(), changed.encode()))
    if length.strip(" 0") == "{}":
        assert answer.body == OK
    else:
        assert answer.code == "invalid_request"


async def test_a_length_that_falls_short_makes_the_rest_no_request(house: House, caller: Caller) -> None:
    request = house.post(HELLO + b" ")
    answer = await caller.ask(request.replace(b": %d\r" % (len(HELLO) + 1), b": %d\r" % len(HELLO)) + b"@")
    assert answer.code == "invalid_request"
    assert await caller.closed() == b""


@about_shortcuts
async def test_leave_to_send_is_given_when_a_repeated_head_asks_for_it(house: House, caller: Caller) -> None:
    request = house.post(HELLO, "Expect: 100-continue")
    head = request.removesuffix(HELLO)
    go_on = b"HTTP/1.1 100 Continue\r\n\r\n"
    await caller.send(request)
    assert await caller.head() == go_on
    assert (await caller.answer()).body == OK
    # With its body behind it, the head waits for no leave.
    assert (await caller.ask(request)).body == OK
    await caller.send(head)
    assert await caller.head() == go_on
    assert (await caller.ask(HELLO)).body == OK


@about_shortcuts
async def test_leave_to_send_comes_behind_the_answer_before_it(house: House, caller: Caller) -> None:
    request = house.post(HELLO, "Expect: 100-continue")
    await caller.send(house.post(UNKNOWN) + request.removesuffix(HELLO))
    assert (await caller.answer()).code == "model_not_found"
    assert await caller.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert (await caller.ask(HELLO)).body == OK


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/keys"])
async def test_http_1_0_knows_no_leave_to_send(house: House, path: str) -> None:
    request = house.post(HELLO, "Expect: 100-continue", path=path).replace(b"HTTP/1.1", b"HTTP/1.0")
    async with house.caller() as caller:
        await caller.send(request)
        assert b"100 Continue" not in await caller.head()


CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(HELLO), HELLO)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/keys"])
@pytest.mark.parametrize(
    ("version", "coding"),
    [
        (b"1.1", b"gzip, chunked"),
        (b"1.1", b"chunked, chunked"),
        (b"1.1", b"gzip\r\nTransfer-Encoding: chunked"),
        (b"1.0", b"chunked"),
    ],
)
async def test_a_body_in_another_coding_than_chunked_ends_the_connection(
    house: House, version: bytes, coding: bytes, path: str
) -> None:
    head = house.post(path=path).partition(b"Content-Length")[0].replace(b"HTTP/1.1", b"HTTP/" + version)
    async with house.caller() as caller:
        answer = await caller.ask(head + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + CHUNKS)
        assert (answer.status, answer.code) == (400, "invalid_request")
        assert b"connection: close" in answer.head
        assert await caller.closed() == b""
    assert not house.ledger.records


@pytest.mark.parametrize("coding", [b"chunked", b"Chunked"])
async def test_a_body_in_chunks_is_read(house: House, coding: bytes) -> None:
    head = house.post().partition(b"Content-Length")[0]
    answer = await house.ask(head + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + CHUNKS)
    assert answer.body == OK


@pytest.mark.parametrize(
    ("version", "line"),
    [
        ("1.1", "Connection: close"),
        ("1.1", "Connection: x, Close"),
        ("1.0", "X: y"),
        ("1.0", "Connection: keep-alive"),
    ],
)
async def test_nothing_behind_the_last_request_is_answered(house: House, version: str, line: str) -> None:
    request = house.post(HELLO, line).replace(b"HTTP/1.1", b"HTTP/" + version.encode())
    async with house.caller() as caller:
        answer = await caller.ask(request * 2)
        assert answer.body == OK
        assert b"connection: close" in answer.head
        assert await caller.closed() == b""
    assert len(house.ledger.records) == 1


# Offers of another protocol.

OFFER = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")


async def test_a_request_that_offers_another_protocol_keeps_its_body(house: House) -> None:
    """As Java's client sends it. To the parser the body would be the other protocol's, or a next request."""
    request = house.post(HELLO, *OFFER)
    smuggled = house.post(house.post(UNKNOWN), *OFFER)
    async with house.caller() as caller:
        for _ in range(3):
            assert (await caller.ask(request)).body == OK
            assert (await caller.ask(house.post())).body == OK
        await caller.send(request.removesuffix(HELLO))
        assert (await caller.ask(HELLO)).body == OK
        assert (await caller.ask(smuggled)).code == "invalid_request"
        assert (await caller.ask(house.post())).body == OK


async def test_an_offer_may_come_byte_by_byte(house: House) -> None:
    async with house.caller() as caller:
        await caller.ask(HEALTH)
        (connection,) = house.connections
        for byte in house.post(HELLO, *OFFER):
            connection.data_received(bytes([byte]))
        assert (await caller.answer()).body == OK


async def test_the_control_plane_answers_an_offer_in_this_protocol(house: House) -> None:
    offered = "\r\n".join(["GET /healthz HTTP/1.1", "Host: x", *OFFER, "", ""]).encode()
    async with house.caller() as caller:
        for _ in range(2):
            assert (await caller.ask(offered)).json() == {"status": "ok"}


# Bounds.

CHUNKED = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "opening",
    [
        b"POST /v1/chat/completions HTTP/1.1\r\nX: ",
        CHUNKED + b"0\r\nX: ",
        CHUNKED + b"1;x=",
        CHUNKED + b"1\r\nx\r\n1;x=",
        CHUNKED.replace(b"/chat/completions", b"/auth/token") + b"0\r\nX: ",
    ],
    ids=["head", "trailer", "first chunk", "later chunk", "control plane"],
)
async def test_what_is_no_body_has_a_bound(house: House, opening: bytes) -> None:
    async with house.caller() as caller:
        await caller.ask(HEALTH)
        (connection,) = house.connections
        connection.data_received(opening)
        size = 1024
        for _ in range(house.gateway.max_header_bytes // size):
            connection.data_received(b"a" * size)
        connection.data_received(b"a")
        assert (await caller.answer()).code == "headers_too_large"
        assert await caller.closed() == b""


async def test_chunks_of_one_byte_are_no_head(house: House) -> None:
    body = HELLO.ljust(house.gateway.max_header_bytes)
    head = house.post().replace(b"Content-Length: %d" % len(HELLO), b"Transfer-Encoding: chunked")
    async with house.caller() as caller:
        await caller.send(head.removesuffix(HELLO))
        await caller.send(b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
        assert (await caller.answer()).body == OK


async def test_answers_that_nobody_reads_hold_the_next_request_back(installed: Installation) -> None:
    long = counted(1, 2, text="x" * 50_000)

    async def script(visit: Visit) -> None:
        while True:
            await visit.request()
            await visit.say(said(long, JSON))

    async with house_before(installed, script) as (house, _), house.caller() as caller:
        caller.stop_reading()
        sent = 0
        while sent == 0 or not house.connections[0].flow.write_paused:
            await caller.send(house.post())
            sent += 1
            await house.until(lambda sent=sent: len(house.ledger.records) == sent)  # type: ignore[misc]
            # The answer leaves at the end of the turn.
            await asyncio.sleep(0)
        (connection,) = house.connections
        assert connection.visit is None
        assert connection.flow.read_paused
        await caller.send(house.post())
        caller.read_on()
        for _ in range(sent + 1):
            assert (await caller.answer()).body == long


# Patience.


async def test_a_caller_that_says_nothing_is_let_go(house: House) -> None:
    async with house.caller() as caller:
        await caller.ask(HEALTH)
        (connection,) = house.connections
        now = connection.loop.time()
        connection.expire(now + IDLE_PATIENCE - 1)
        assert (await caller.ask(HEALTH)).status == 200
        connection.expire(connection.loop.time() + IDLE_PATIENCE + 1)
        assert await caller.closed() == b""


@pytest.mark.parametrize(
    ("said", "patience"),
    [
        (b"", HEAD_PATIENCE),
        (b"POST /v1/chat", HEAD_PATIENCE),
        (b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", BODY_PATIENCE),
        (b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbo", BODY_PATIENCE),
        (b"POST /v1/keys HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbo", BODY_PATIENCE),
    ],
)
async def test_a_caller_that_stops_in_the_middle_is_let_go(
    house: House, said: bytes, patience: float
) -> None:
    async with house.caller() as caller:
        await house.until(lambda: len(house.connections) == 1)
        (connection,) = house.connections
        connection.data_received(said)
        now = connection.loop.time()
        connection.expire(now + patience - 1)
        assert not connection.transport.is_closing()
        connection.expire(now + patience + 1)
        assert await caller.closed() == b""
    assert house.ledger.records == []


@pytest.mark.parametrize("before", ["inference", "control plane", "line break"])
async def test_no_last_request_leaves_a_connection_without_a_deadline(house: House, before: str) -> None:
    async with house.caller() as caller:
        await caller.ask(house.post() if before == "inference" else HEALTH)
        (connection,) = house.connections
        if before == "line break":
            connection.data_received(b"\r\n")
        connection.expire(connection.loop.time() + IDLE_PATIENCE + 1)
        assert await caller.closed() == b""


async def test_an_early_answer_leaves_a_connection_with_a_deadline(house: House) -> None:
    """The control plane may answer before it has read the body; the rest of that comes in afterwards."""
    async with house.caller() as caller:
        answer = await caller.ask(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        assert answer.status == 404
        (connection,) = house.connections
        connection.data_received(b"some body")
        connection.expire(connection.loop.time() + IDLE_PATIENCE + 1)
        assert await caller.closed() == b""


async def test_half_a_head_behind_a_request_does_not_cut_its_answer(installed: Installation) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        asked.set()
        await cut.wait()
        await visit.say(said(OK, JSON))
        await visit.gone()

    asked, cut = asyncio.Event(), asyncio.Event()
    async with house_before(installed, script) as (house, _), house.caller() as caller:
        await caller.send(house.post())
        await asked.wait()
        (connection,) = house.connections
        connection.data_received(b"POST /v1")
        connection.expire(connection.loop.time() + 10 * HEAD_PATIENCE)
        cut.set()
        assert (await caller.answer()).body == OK
        connection.expire(connection.loop.time() + IDLE_PATIENCE + 1)
        assert await caller.closed() == b""


async def test_a_caller_that_reads_nothing_of_its_answer_is_let_go(installed: Installation) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        while True:
            await visit.say(b"data: x\n\n" * 10_000)

    async with house_before(installed, script) as (house, _), house.caller() as caller:
        caller.stop_reading()
        await caller.send(house.post())
        await house.until(lambda: any(connection.flow.write_paused for connection in house.connections))
        (connection,) = house.connections
        now = connection.loop.time()
        connection.expire(now)
        connection.expire(now + READ_PATIENCE - 1)
        assert not connection.transport.is_closing()
        connection.expire(now + READ_PATIENCE + 1)
        record = await house.ledger.record()
        assert (record.status, record.outcome) == (499, "cancelled")
        await house.quiet()


# What is left behind.


@pytest.mark.parametrize(
    "what", ["answered", "streamed", "not JSON", "unknown model", "false key", "failed upstream"]
)
async def test_a_request_leaves_nothing_for_the_collector(installed: Installation, what: str) -> None:
    async def script(visit: Visit) -> None:
        while True:
            await visit.request()
            if what == "streamed":
                await visit.say(said(b"data: {}\n\n", b"content-type: text/event-stream"))
            else:
                await visit.say(said(OK, JSON, status=b"500 No" if what == "failed upstream" else b"200 OK"))

    body = {"not JSON": b"{", "unknown model": UNKNOWN}.get(what, HELLO)
    async with house_before(installed, script) as (house, _), house.caller() as caller:
        request = house.post(body, key="sk-inno-0" if what == "false key" else None)
        # The last refusals are remembered, and from then on each takes the place of another.
        for _ in range(50 + (REMEMBERED if what == "unknown model" else 0)):
            await caller.ask(request)
        house.ledger.records.clear()
        gc.collect()
        before = Counter(map(type, gc.get_objects()))
        gc.disable()
        try:
            for _ in range(300):
                await caller.ask(request)
            house.ledger.records.clear()
            after = Counter(map(type, gc.get_objects()))
            assert gc.collect() < 100
        finally:
            gc.enable()
        grown = {kind.__name__: count for kind, count in (after - before).items() if count > 100}
        assert grown == {}


# The end of the server.


@pytest.fixture
def streaming(
    new_server: Callable[..., Server], usual_settings: str, upstream: Upstream
) -> Iterator[tuple[Server, str, httpx.Response]]:
    """A server that has its stop before it, and a stream under way through it, by its marker."""
    server = new_server(usual_settings)
    marker, headers = marked(events=3, hold="events")
    headers["authorization"] = f"Bearer {server.admin_key}"
    asked = {"model": SERVED, "messages": [], "stream": True}
    url = f"{server.base_url}/chat/completions"
    with httpx.stream("POST", url, json=asked, headers=headers, timeout=60) as answer:
        upstream.begun(marker)
        yield server, marker, answer


def is_listening(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address).close()
    except ConnectionError:
        return False
    return True


def test_a_stream_is_finished_before_the_server_ends(
    streaming: tuple[Server, str, httpx.Response], upstream: Upstream
) -> None:
    server, marker, answer = streaming
    with ThreadPoolExecutor() as threads:
        status = threads.submit(server.stop)
        while is_listening(server.address):
            pass
        upstream.release(marker)
        assert answer.read().endswith(b"data: [DONE]\n\n")
        assert status.result() == 0


def test_a_second_signal_ends_the_server_at_once(
    streaming: tuple[Server, str, httpx.Response], upstream: Upstream
) -> None:
    server, marker, answer = streaming
    child = server.child
    with ThreadPoolExecutor() as threads:
        statuses = [threads.submit(server.stop)]
        while is_listening(server.address):
            pass
        statuses.append(threads.submit(child.stop))
        # Had the server waited until its patience was over, it would have ended the stream with an error.
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()
        assert [status.result() for status in statuses] == [0, 0]
    assert [asked.outcome for asked in upstream.ended(marker)] == ["client gone"]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400),
        (b"GET /healthz HTTP/1.0\r\n", 200),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n", 400),
        (b"GET http://a/healthz HTTP/1.1\r\nHost: a\r\n", 200),
        (b"GET http://a?/healthz HTTP/1.1\r\nHost: a\r\n", 404),
    ],
)
async def test_a_request_is_for_one_host_and_for_the_path_that_others_read(
    house: House, head: bytes, status: int
) -> None:
    """RFC 9112 §3.2; behind a host without a path, the query begins at once (RFC 3986 §3.2)."""
    async with house.caller() as caller:
        answer = await caller.ask(head + b"\r\n")
        assert answer.status == status


@pytest.mark.parametrize("path", [b"/v1/models", b"/v1/chat/completions"])
@pytest.mark.parametrize("connection", [b"Connection: Upgrade, close\r\n", b"Connection: Upgrade\r\n"])
async def test_an_offer_of_another_protocol_is_answered_whatever_becomes_of_the_connection(
    house: House, path: bytes, connection: bytes
) -> None:
    method, body = (b"GET", b"") if path == b"/v1/models" else (b"POST", HELLO)
    head = b"%b %b HTTP/1.1\r\nHost: a\r\n%bUpgrade: h2c\r\n" % (method, path, connection)
    if body:
        head += b"Content-Length: %d\r\n" % len(body)
    async with house.caller() as caller:
        assert (await caller.ask(head + b"\r\n" + body)).status == 401
