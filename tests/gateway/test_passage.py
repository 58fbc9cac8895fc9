"""An admitted request's passage: whatever upstream and caller do, one answer and one record come of it."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from structlog.testing import capture_logs

from innoai.config import Upstream
from innoai.gateway.passage import Passage
from tests.gateway.house import HELLO, PATIENCE, STREAM, House, counted, house_before, open_house, said
from tests.gateway.upstream.peers import answering, closing_after, forever
from tests.support.settings import about_shortcuts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.house import Installation
    from tests.gateway.upstream.peers import Peer, Script, Visit

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")

JSON = b"content-type: application/json"
EVENTS = b"content-type: text/event-stream"
CHUNKED = b"transfer-encoding: chunked"
OK = counted(1, 2)
USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}'
WANTS_USAGE = json.dumps(json.loads(STREAM) | {"stream_options": {"include_usage": True}}).encode()


def chunks(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def streamed(*pieces: bytes, lines: tuple[bytes, ...] = (EVENTS,)) -> bytes:
    """The beginning of an answer in chunks."""
    return b"\r\n".join([b"HTTP/1.1 200 OK", *lines, CHUNKED, b"", b""]) + chunks(*pieces)


def repeating(*answers: bytes) -> Script:
    """Every connection gives these answers again and again."""

    async def script(visit: Visit) -> None:
        while True:
            for answer in answers:
                await visit.request()
                await visit.say(answer)

    return script


def outcomes(house: House) -> list[tuple[int, str, int | None]]:
    return [(record.status, record.outcome, record.completion_tokens) for record in house.ledger.records]


# Whole answers, and those with a head that was heard before.


async def test_every_whole_answer_is_metered_alike(installed: Installation) -> None:
    """The first of a head goes through the parser and in pieces, the next ones do not."""
    answers = [
        (said(OK, JSON), 2),
        (said(b'{"data": ' + OK + b"}", JSON), 2),
        (said(b'{"text": "x"}', JSON), None),
        (said(b"no JSON", JSON), None),
        (said(OK, b"content-type: text/plain"), 2),
        (said(b"data: " + OK + b"\n\n", EVENTS), 2),
    ]
    for answer, tokens in answers:
        async with house_before(installed, repeating(answer)) as (house, _), house.caller() as caller:
            got = {(await caller.ask(house.post())).body for _ in range(3)}
            assert got == {answer.partition(b"\r\n\r\n")[2]}
            assert outcomes(house) == [(200, "complete", tokens)] * 3
            assert house.pools[0].open == 1


@pytest.mark.parametrize("status", [b"400 Bad", b"404 No", b"422 No", b"201 Made", b"501 No"])
async def test_an_answer_of_any_status_is_relayed_and_metered(installed: Installation, status: bytes) -> None:
    async with house_before(installed, repeating(said(OK, JSON, status=status))) as (house, _):
        for _ in range(3):
            answer = await house.ask()
            assert (answer.status, answer.body) == (int(status[:3]), OK)
        assert outcomes(house) == [(int(status[:3]), "complete", 2)] * 3


@pytest.mark.parametrize(("asked", "told"), [(b"7", b"7"), (b"9" * 400, b"3600")])
async def test_how_long_the_only_upstream_asks_to_wait_is_told(
    installed: Installation, asked: bytes, told: bytes
) -> None:
    answer = said(b"no", JSON, b"retry-after: " + asked, status=b"503 No")
    async with house_before(installed, repeating(answer)) as (house, _):
        refused = await house.ask()
        assert (refused.status, refused.code) == (502, "upstream_error")
        assert b"\r\nretry-after: %b\r\n" % told in refused.head
        assert refused.json()["error"]["retry_after"] == int(told)


async def test_with_several_upstreams_nobody_knows_how_long_to_wait(installed: Installation) -> None:
    answer = said(b"no", JSON, b"retry-after: 7", status=b"503 No")
    async with house_before(installed, repeating(answer), repeating(answer)) as (house, _):
        assert b"retry-after" not in (await house.ask()).head


@pytest.mark.parametrize(
    "status",
    [
        b"429 Slow",
        b"500 No",
        b"503 No",
        b"529 Full",
        b"408 Late",
        b"307 There",
        b"401 Who",
        b"402 Pay",
        b"403 No",
    ],
)
async def test_a_repeated_failure_is_another_upstreams_turn(installed: Installation, status: bytes) -> None:
    failing, sound = repeating(said(b"no", JSON, status=status)), repeating(said(OK, JSON))
    async with house_before(installed, failing, sound) as (house, peers), house.caller() as caller:
        first = house.gateway.models.targets["model"][0]
        for _ in range(4):
            first.succeeded()
            assert (await caller.ask(house.post())).body == OK
        assert [len(peer.requests) for peer in peers] == [4, 4]
        assert outcomes(house) == [(200, "complete", 2)] * 4


@pytest.mark.parametrize("status", [500, 524, 307, 401, 402])
async def test_a_repeated_failure_without_another_upstream_is_refused(
    installed: Installation, status: int
) -> None:
    async with house_before(installed, repeating(said(b"no", JSON, status=b"%d No" % status))) as (house, _):
        for _ in range(4):
            answer = await house.ask()
            assert answer.code == "upstream_error"
            assert answer.json()["error"]["upstream_status"] == status
        assert outcomes(house) == [(502, "failed", None)] * 4


async def test_what_one_request_is_forbidden_rests_no_upstream(installed: Installation) -> None:
    """It may be what a moderation objects to, which is said in the model server's words."""
    forbidding = said(b'{"error": {"message": "flagged"}}', JSON, status=b"403 No")
    async with house_before(installed, repeating(forbidding)) as (house, _), house.caller() as caller:
        for _ in range(3):
            relayed = await caller.ask(house.post())
            assert (relayed.status, relayed.json()["error"]["message"]) == (403, "flagged")
        (target,) = house.gateway.models.targets["model"]
        assert target.failures == 0


async def test_a_redirect_leads_no_caller_around_the_gateway(installed: Installation) -> None:
    elsewhere = said(b"", b"location: http://10.0.0.7/v1/chat/completions", status=b"307 There")
    async with house_before(installed, repeating(elsewhere)) as (house, _):
        answer = await house.ask()
        assert (answer.status, answer.code) == (502, "upstream_error")
        assert b"10.0.0.7" not in answer.head


async def test_a_repeated_429_is_relayed_with_its_own_words(installed: Installation) -> None:
    answer = said(b"slowly", b"retry-after: 7", status=b"429 Slow")
    async with house_before(installed, repeating(answer)) as (house, _), house.caller() as caller:
        for _ in range(3):
            relayed = await caller.ask(house.post())
            assert (relayed.status, relayed.body) == (429, b"slowly")
            assert b"retry-after: 7\r\n" in relayed.head
        assert outcomes(house) == [(429, "complete", None)] * 3


@pytest.mark.parametrize(
    ("other", "body"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" + said(OK, JSON), OK),
        (b"HTTP/1.1 103 Early Hints\r\ncontent-length: 0\r\n\r\n" + said(OK, JSON), OK),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (streamed(OK, lines=(JSON,)) + b"0\r\n\r\n", OK),
        (said(b"", JSON), b""),
        (said(OK, JSON, b"connection: close"), OK),
        (said(OK, JSON, b"connection: upgrade", b"upgrade: h2,h2c"), OK),
    ],
    ids=["continue", "early hints", "no content", "chunked", "empty", "close", "upgrade"],
)
async def test_answers_of_every_framing_follow_one_another(
    installed: Installation, other: bytes, body: bytes
) -> None:
    script = repeating(said(OK, JSON), said(OK, JSON), other, other)
    async with house_before(installed, script) as (house, _), house.caller() as caller:
        for expected in [OK, OK, body, body] * (1 if b"close" in other else 3):
            if b"close" in other and expected is body:
                continue
            assert (await caller.ask(house.post())).body == expected


async def test_an_interim_answer_is_never_taken_for_the_answer(installed: Installation) -> None:
    """Not even one whose head a server made like a final one's, so that it could be learnt for it."""
    interim = b"HTTP/1.1 103 Early Hints\r\ncontent-length: 0\r\n\r\n"

    async def script(visit: Visit) -> None:
        for _ in range(3):
            await visit.request()
            await visit.say(interim + said(OK, JSON))
        await visit.request()
        await visit.say(interim)
        interim_sent.set()
        await go_on.wait()
        await visit.say(said(OK, JSON))
        await visit.gone()

    interim_sent, go_on = asyncio.Event(), asyncio.Event()
    async with house_before(installed, script) as (house, _), house.caller() as caller:
        for _ in range(3):
            assert (await caller.ask(house.post())).body == OK
        await caller.send(house.post())
        await interim_sent.wait()
        assert (await house.ask(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")).status == 200
        go_on.set()
        assert (await caller.answer()).body == OK


async def test_a_repeated_answer_may_come_in_any_two_pieces(installed: Installation) -> None:
    answer = said(OK, JSON)

    async def script(visit: Visit) -> None:
        for cut in range(len(answer)):
            await visit.request()
            await visit.say(answer[:cut])
            await visit.say(answer[cut:])
            await visit.request()
            await visit.say(answer)
        await visit.gone()

    async with house_before(installed, script) as (house, (peer,)), house.caller() as caller:
        for _ in range(2 * len(answer)):
            assert (await caller.ask(house.post())).body == OK
        assert peer.visits == 1


@pytest.mark.parametrize("surplus", [b"x", b"\r\nx", said(OK, JSON), said(b"stolen!", JSON)])
async def test_surplus_behind_a_repeated_answer_is_nobodys(installed: Installation, surplus: bytes) -> None:
    script = answering(said(OK, JSON), said(OK, JSON), said(OK, JSON) + surplus)
    async with house_before(installed, script) as (house, (peer,)), house.caller() as caller:
        for _ in range(7):
            assert (await caller.ask(house.post())).body == OK
        assert peer.visits == 3


async def test_an_upstream_that_closes_behind_a_repeated_answer_is_asked_anew(
    installed: Installation,
) -> None:
    script = closing_after(said(OK, JSON), said(OK, JSON))
    async with house_before(installed, script) as (house, _), house.caller() as caller:
        for _ in range(9):
            assert (await caller.ask(house.post())).body == OK
        assert outcomes(house) == [(200, "complete", 2)] * 9


@pytest.mark.parametrize("status", [b"099 Odd", b"600 Odd", b"799 Odd", b"999 Odd", b"101 Switching"])
async def test_a_status_that_is_none_is_an_upstream_error(installed: Installation, status: bytes) -> None:
    async with house_before(installed, repeating(said(OK, JSON, status=status))) as (house, _):
        assert (await house.ask()).code == "upstream_error"
        assert outcomes(house) == [(502, "failed", None)]
        await house.quiet()


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"Identity, gzip"])
async def test_what_came_compressed_although_that_was_not_asked_for_is_another_upstreams_turn(
    installed: Installation, encoding: bytes
) -> None:
    """Its usage could not be read, so that it would be nearly free."""
    line = b"content-encoding: " + encoding
    events = gzip.compress(USAGE + b"\n\n")
    script = answering(
        said(gzip.compress(OK), JSON, line),
        said(gzip.compress(OK), JSON, line),
        streamed(events, lines=(EVENTS, line)) + b"0\r\n\r\n",
    )
    async with house_before(installed, script, repeating(said(OK, JSON))) as (house, peers):
        first = house.gateway.models.targets["model"][0]
        async with house.caller() as caller:
            for body in (HELLO, HELLO, HELLO, STREAM):
                first.succeeded()
                assert (await caller.ask(house.post(body))).body == OK
                assert first.failures == 1
        assert [len(peer.requests) for peer in peers] == [4, 4]
        assert outcomes(house) == [(200, "complete", 2)] * 4


async def test_who_has_nothing_but_a_compressed_answer_tells_the_operator(installed: Installation) -> None:
    script = repeating(said(gzip.compress(OK), JSON, b"content-encoding: gzip"))
    async with house_before(installed, script) as (house, _), house.caller() as caller:
        for _ in range(3):
            answer = await caller.ask(house.post())
            assert (answer.status, answer.code) == (502, "upstream_error")
            assert "The operator must turn that off" in answer.json()["error"]["message"]
        assert outcomes(house) == [(502, "failed", None)] * 3


@pytest.mark.parametrize("encoding", [b"identity", b""])
async def test_an_encoding_that_is_none_is_no_compression(installed: Installation, encoding: bytes) -> None:
    script = repeating(said(OK, JSON, b"content-encoding: " + encoding))
    async with house_before(installed, script) as (house, _), house.caller() as caller:
        for _ in range(3):
            assert (await caller.ask(house.post())).body == OK
        assert outcomes(house) == [(200, "complete", 2)] * 3


async def test_a_compressed_refusal_passes_as_it_is(installed: Installation) -> None:
    """It costs nothing, and says what is wrong with the request."""
    encoding = b"content-encoding: gzip"
    script = repeating(said(gzip.compress(b"{}"), JSON, encoding, status=b"400 Bad"))
    async with house_before(installed, script) as (house, _), house.caller() as caller:
        for _ in range(3):
            answer = await caller.ask(house.post())
            assert (answer.status, gzip.decompress(answer.body)) == (400, b"{}")
            assert encoding in answer.head
        assert outcomes(house) == [(400, "complete", None)] * 3


# Streams.


async def test_each_piece_of_a_compressed_stream_goes_on_at_once(installed: Installation) -> None:
    """It has no events to wait for the ends of."""

    async def script(visit: Visit) -> None:
        await visit.request()
        head = streamed(b"\x1f\x8b", lines=(EVENTS, b"content-encoding: gzip"))
        await visit.say(head.replace(b"200 OK", b"400 Bad"))
        await read.wait()
        await visit.say(chunks(b"more") + b"0\r\n\r\n")
        await visit.gone()

    read = asyncio.Event()
    async with house_before(installed, script) as (house, _), house.caller() as caller:
        await caller.send(house.post(STREAM))
        await caller.head()
        assert await caller.reader.readexactly(7) == b"2\r\n\x1f\x8b\r\n"
        read.set()
        assert await caller.reader.readexactly(14) == b"4\r\nmore\r\n0\r\n\r\n"


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
async def test_usage_that_was_not_asked_for_is_hidden_however_lines_end(
    installed: Installation, end: bytes
) -> None:
    events = [b"data: {}" + end, USAGE + end, b"data: [DONE]" + end]
    whole = b"".join(events)
    halves = [(whole[:cut], whole[cut:]) for cut in range(1, len(whole))]
    script = answering(*(streamed(*pieces) + b"0\r\n\r\n" for pieces in halves))
    async with house_before(installed, script) as (house, _), house.caller() as caller:
        for _ in halves:
            assert (await caller.ask(house.post(STREAM))).body == events[0] + events[2]
        assert outcomes(house) == [(200, "complete", 2)] * len(halves)


@pytest.mark.parametrize("begun", [b"", b"data: {}\n\n", b'data: {}\n\ndata: {"cut', b"data: {}\n"])
@pytest.mark.parametrize("body", [STREAM, WANTS_USAGE], ids=["hidden usage", "asked usage"])
async def test_a_stream_that_breaks_ends_with_an_error_of_its_own(
    installed: Installation, begun: bytes, body: bytes
) -> None:
    async with (
        house_before(installed, closing_after(streamed(b"data: {}\n\n", *([begun] if begun else [])))) as (
            house,
            _,
        ),
        house.caller() as caller,
    ):
        answer = await caller.ask(house.post(body))
        *_, last, nothing = answer.body.split(b"\n\n")
        assert nothing == b""
        assert json.loads(last.strip().removeprefix(b"data: "))["error"]["code"] == "upstream_error"
        assert outcomes(house) == [(200, "failed", None)]
        await house.quiet()
        # The answer was whole for HTTP, so that the connection goes on.
        await caller.send(house.post(body))
        assert b"200 OK" in await caller.head()


@pytest.mark.parametrize("begun", [False, True])
async def test_what_the_gateway_breaks_off_when_it_stops_is_no_failure_of_the_model_server(
    installed: Installation, begun: bool
) -> None:
    async def unending(visit: Visit) -> None:
        await visit.request()
        await visit.say(streamed(b"data: {}\n\n") if begun else b"")
        await visit.gone()

    async with house_before(installed, unending) as (house, peers), house.caller() as caller:
        await caller.send(house.post(STREAM))
        if begun:
            assert b"200 OK" in await caller.head()
        else:
            await house.until(lambda: bool(peers[0].requests))
        with capture_logs() as logs:
            await house.pools[0].close()
        async with asyncio.timeout(PATIENCE):
            told = await caller.reader.readuntil(b"0\r\n\r\n" if begun else b"}}")
        assert b"service_unavailable" in told
        assert b"The gateway is restarting." in told
        assert logs == []
        assert [record.outcome for record in house.ledger.records] == ["failed"]


async def test_whatever_else_breaks_off_is_cut(installed: Installation) -> None:
    broken = [
        said(OK, JSON)[:-1],
        said(b"data: {}\n\n", EVENTS)[:-1],
        streamed(b"half", lines=(JSON,)),
        streamed(b"half", lines=(EVENTS, b"content-encoding: gzip")).replace(b"200 OK", b"400 Bad"),
    ]
    for answer in broken:
        async with house_before(installed, closing_after(answer)) as (house, _), house.caller() as caller:
            await caller.send(house.post(WANTS_USAGE))
            _, _, body = (await caller.closed()).partition(b"\r\n\r\n")
            assert not body.endswith(b"0\r\n\r\n")
            record = await house.ledger.record()
            assert (record.status, record.outcome) == (int(answer[9:12]), "failed")


async def test_an_old_caller_gets_its_stream_until_the_close(installed: Installation) -> None:
    script = answering(streamed(b"data: {}\n\n", USAGE + b"\n\n", b"data: [DONE]\n\n") + b"0\r\n\r\n")
    async with house_before(installed, script) as (house, _), house.caller() as caller:
        answer = await caller.ask(house.post(STREAM).replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert b"transfer-encoding" not in answer.head
        assert answer.body == b"data: {}\n\ndata: [DONE]\n\n"
        assert outcomes(house) == [(200, "complete", 2)]


async def test_a_big_answer_waits_for_a_slow_caller_and_arrives_whole(installed: Installation) -> None:
    big = counted(1, 2, text="x" * 20_000_000)
    said_all = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(said(big, JSON))
        said_all.set()
        await visit.gone()

    async with house_before(installed, script) as (house, _), house.caller() as caller:
        caller.stop_reading()
        await caller.send(house.post())
        await house.until(lambda: any(connection.flow.write_paused for connection in house.connections))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not said_all.is_set()
        (connection,) = house.connections
        assert connection.transport.get_write_buffer_size() < 1_000_000
        caller.read_on()
        assert (await caller.answer()).body == big
        assert outcomes(house) == [(200, "complete", 2)]


# Callers that go away.


@pytest.fixture
async def holding(installed: Installation) -> AsyncIterator[tuple[House, Peer]]:
    """An upstream that begins a stream and says no more."""

    async def script(visit: Visit) -> None:
        while True:
            await visit.request()
            await visit.say(streamed(b"data: " + OK + b"\n\n"))

    async with house_before(installed, script) as (house, (peer,)):
        yield house, peer


async def test_a_caller_that_goes_in_the_middle_of_its_request_was_never_here(
    holding: tuple[House, Peer],
) -> None:
    house, peer = holding
    request = house.post()
    for cut in (1, 40, len(request) - len(HELLO), len(request) - 1):
        async with house.caller() as caller:
            await house.until(lambda: bool(house.connections))
            connection = house.connections.pop()
            connection.data_received(request[:cut])
            caller.abort()
            await house.until(connection.transport.is_closing)
    assert (house.ledger.records, peer.requests) == ([], [])


async def test_a_caller_that_goes_while_the_store_is_asked_costs_nothing(holding: tuple[House, Peer]) -> None:
    house, peer = holding
    async with house.caller() as caller:
        await house.until(lambda: bool(house.connections))
        (connection,) = house.connections
        connection.data_received(house.post())
        assert house.gateway.tasks
        caller.abort()
        connection.transport.abort()
        await house.until(lambda: not house.gateway.tasks)
    assert (house.ledger.records, peer.requests) == ([], [])


@about_shortcuts
async def test_a_caller_that_goes_before_upstream_is_connected_is_not_served(
    holding: tuple[House, Peer],
) -> None:
    house, peer = holding
    assert (await house.ask(house.post(b"{}"))).status == 400
    house.connections.clear()
    async with house.caller():
        await house.until(lambda: bool(house.connections))
        (connection,) = house.connections
        connection.data_received(house.post())
        assert house.pools[0].connecting == 1
        connection.transport.abort()
        record = await house.ledger.record()
    assert (record.status, record.outcome, record.completion_tokens) == (499, "cancelled", None)
    await house.quiet()
    assert peer.requests == []


async def test_a_caller_that_goes_before_the_answer_is_recorded_once(installed: Installation) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        caller.abort()
        await visit.gone()

    async with house_before(installed, script) as (house, _), house.caller() as caller:
        await caller.send(house.post())
        record = await house.ledger.record()
        assert (record.status, record.outcome, record.first_byte_ms) == (499, "cancelled", None)
        await house.quiet()


async def test_a_caller_that_goes_in_the_middle_of_a_stream_pays_what_was_told(
    holding: tuple[House, Peer],
) -> None:
    house, _ = holding
    async with house.caller() as caller:
        await caller.send(house.post(WANTS_USAGE))
        await caller.head()
        await caller.reader.readuntil(b"\n\n")
        caller.abort()
        record = await house.ledger.record()
    assert (record.status, record.outcome, record.completion_tokens) == (499, "cancelled", 2)
    await house.quiet()
    assert house.pools[0].open == 0


# Upstreams that go away.


async def test_requests_under_way_when_the_upstreams_are_closed_are_refused(installed: Installation) -> None:
    """Each of the two upstreams here is at the same, closed, place: the second cannot be asked any more."""

    async def script(visit: Visit) -> None:
        await visit.request()
        asked.set()
        await visit.gone()

    asked = asyncio.Event()
    async with house_before(installed, script) as (house, (peer,)):
        served = house.gateway.models.targets
        served["model"] *= 2
        async with house.caller() as caller:
            await caller.send(house.post())
            await asked.wait()
            await house.gateway.models.close()
            assert (await caller.answer()).code == "service_unavailable"
        assert outcomes(house) == [(503, "failed", None)]
        assert len(peer.requests) == 1


async def test_an_upstream_that_is_away_is_passed_over(installed: Installation) -> None:
    nowhere = Upstream("http://127.0.0.1:1/v1")
    async with open_house(installed, nowhere, Upstream("echo:")) as house:
        assert (
            await house.ask(house.post(HELLO.replace(b"[]", b'[{"role": "user", "content": "a b"}]')))
        ).status == 200
        assert outcomes(house) == [(200, "complete", 2)]


async def test_a_head_that_cannot_be_forwarded_is_refused_and_recorded(installed: Installation) -> None:
    async with house_before(installed, forever) as (house, (peer,)):
        answer = await house.ask(house.post(path="/v1/chat/completions?\x7f"))
        assert answer.status == 400
        assert peer.requests == []
        await house.quiet()


async def test_a_passage_that_something_unforeseen_ends_is_traced_once(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    traces = mock.Mock()
    monkeypatch.setattr(Passage, "_cap_for", broken)
    async with house_before(installed, repeating(said(b"{}", JSON))) as (house, _), house.caller() as caller:
        object.__setattr__(house.gateway, "traces", traces)
        assert (await caller.ask(house.post())).status == 500
    assert [call[0] for call in traces.begin.return_value.method_calls] == ["finished"]


async def test_an_answer_in_the_background_is_refused_since_nobody_would_meter_it(
    installed: Installation,
) -> None:
    async with house_before(installed, repeating(said(OK, JSON))) as (house, (peer,)):
        body = json.dumps({"model": "model", "input": "hi", "background": True}).encode()
        answer = await house.ask(house.post(body, path="/v1/responses"))
        assert (answer.status, answer.json()["error"]["param"]) == (400, "background")
        assert peer.requests == []


@about_shortcuts
@pytest.mark.parametrize("body", [HELLO, STREAM], ids=["plain", "stream"])
async def test_an_answer_that_trips_the_gateway_up_is_still_an_answer_and_a_record(
    installed: Installation, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    answer = said(OK, JSON) if body == HELLO else said(b"data: " + OK + b"\n\n", EVENTS)
    async with house_before(installed, repeating(answer)) as (house, _), house.caller() as caller:
        assert (await caller.ask(house.post(body))).status == 200
        monkeypatch.setattr("innoai.gateway.passage.usage_of", broken)
        monkeypatch.setattr("innoai.gateway.passage.without_usage", broken)
        refused = await caller.ask(house.post(body))
        assert (refused.status, refused.code) == (500, "internal_error")
        assert outcomes(house) == [(200, "complete", 2), (500, "failed", None)]
        monkeypatch.undo()
        assert (await caller.ask(house.post(body))).status == 200


async def test_a_stream_whose_end_trips_the_gateway_up_is_cut(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(streamed(b"data: {}\n\n"))
        await begun.wait()
        await visit.say(b"0\r\n\r\n")

    begun = asyncio.Event()
    async with house_before(installed, script) as (house, _), house.caller() as caller:
        await caller.send(house.post(STREAM))
        await caller.head()
        monkeypatch.setattr(Passage, "_usage", broken)
        begun.set()
        assert not (await caller.closed()).endswith(b"0\r\n\r\n")
        assert outcomes(house) == [(500, "failed", None)]
