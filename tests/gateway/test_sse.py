from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from innoai.gateway.sse import LONGEST_EVENT, Events
from innoai.metering.usage import Usage
from tests.support.growth import LINEAR, growth

USAGE = {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29}
EXPECTED = Usage(19, 0, 10)
ENDINGS = {"LF": b"\n", "CRLF": b"\r\n", "CR": b"\r"}


def openai(usage: dict[str, Any] | None) -> list[bytes]:
    common = {"id": "c", "object": "chat.completion.chunk", "model": "m"}
    chunks = [
        {**common, "choices": [{"index": 0, "delta": {"role": "assistant"}}], "usage": None},
        {**common, "choices": [{"index": 0, "delta": {"content": 'héllo\n\n"choices": []'}}], "usage": None},
        {**common, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None},
        *([] if usage is None else [{**common, "choices": [], "usage": usage}]),
    ]
    return [b"data: " + json.dumps(chunk, separators=(",", ":")).encode() for chunk in chunks]


def vllm(usage: dict[str, Any] | None) -> list[bytes]:
    events = [b": keep-alive", b'data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}']
    if usage is not None:
        events.append(b'data: {"id": "c", "choices": [ ], "usage": ' + json.dumps(usage).encode() + b"}")
    return events


def azure(usage: dict[str, Any] | None) -> list[bytes]:
    """The first chunk has no choices either, and no usage."""
    first = b'data: {"choices":[],"prompt_filter_results":[{"prompt_index":0}],"usage":null}'
    return [first, *openai(usage)]


SERVERS = {"OpenAI": openai, "vLLM": vllm, "Azure": azure}


def stream(server: str, ending: str, *, shown: bool) -> bytes:
    """A stream with its usage event, or without it."""
    end = ENDINGS[ending]
    events = [*SERVERS[server](USAGE if shown else None), b"data: [DONE]"]
    return b"".join(event + end + end for event in events)


def through(*chunks: bytes) -> tuple[bytes, Usage | None]:
    hidden = Events(hides_usage=True)
    passed = b"".join([*(hidden.feed(chunk) for chunk in chunks), hidden.finish()])
    return passed, hidden.usage


servers = pytest.mark.parametrize("server", SERVERS)
endings = pytest.mark.parametrize("ending", ENDINGS)


@servers
@endings
def test_the_usage_event_is_taken_out_and_nothing_else_wherever_the_stream_is_cut(
    server: str, ending: str
) -> None:
    whole, expected = stream(server, ending, shown=True), stream(server, ending, shown=False)
    for cut in range(len(whole) + 1):
        assert through(whole[:cut], whole[cut:]) == (expected, EXPECTED)


@servers
@endings
def test_a_stream_that_comes_byte_by_byte_is_the_same(server: str, ending: str) -> None:
    whole = stream(server, ending, shown=True)
    bytewise = (whole[place : place + 1] for place in range(len(whole)))
    assert through(*bytewise) == (stream(server, ending, shown=False), EXPECTED)


@given(st.sampled_from(list(SERVERS)), st.sampled_from(list(ENDINGS)), st.lists(st.integers(0, 2000)))
@settings(deadline=None)
def test_it_does_not_matter_how_the_network_cut_a_stream(server: str, ending: str, cuts: list[int]) -> None:
    whole = stream(server, ending, shown=True)
    places = sorted({0, len(whole), *(cut % len(whole) for cut in cuts)})
    pieces = (whole[start:end] for start, end in itertools.pairwise(places))
    assert through(*pieces) == (stream(server, ending, shown=False), EXPECTED)


@servers
@endings
def test_a_stream_without_a_usage_event_passes_byte_for_byte(server: str, ending: str) -> None:
    whole = stream(server, ending, shown=False)
    for cut in range(len(whole) + 1):
        assert through(whole[:cut], whole[cut:]) == (whole, None)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
@settings(deadline=None)
def test_bytes_that_are_no_stream_at_all_pass_as_they_are(content: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(content), *(min(cut, len(content)) for cut in cuts)})
    pieces = (content[start:end] for start, end in itertools.pairwise(places))
    assert through(*pieces) == (content, None)


@pytest.mark.parametrize("empty_line", [b"\n\r\n", b"\r\n\n", b"\n\n", b"\r\n\r\n"])
def test_an_event_goes_out_as_soon_as_it_is_whole(empty_line: bytes) -> None:
    """Whichever way its lines end, and though they end in different ways."""
    event = b'data: {"choices":[{"delta":{}}]}'
    hidden = Events(hides_usage=True)
    assert hidden.feed(event + empty_line + b"data: ") == event + empty_line
    assert hidden.feed(b"next" + empty_line) == b"data: next" + empty_line


def test_the_beginning_of_an_event_waits_for_its_end() -> None:
    hidden = Events(hides_usage=True)
    assert hidden.feed(b'data: {"choices"') == b""
    assert hidden.feed(b":[]") == b""
    assert hidden.finish() == b'data: {"choices":[]'


@endings
@pytest.mark.parametrize("hides_usage", [False, True])
def test_a_comment_line_goes_out_at_once(ending: str, hides_usage: bool) -> None:
    """With no empty line behind it, as servers send them to keep a connection alive."""
    end = ENDINGS[ending]
    events = Events(hides_usage=hides_usage)
    ping, event = b": ping" + end, b"data: a" + end + end
    for _ in range(3):
        assert events.feed(ping) == ping
    assert events.feed(event) == event
    assert events.feed(event + ping) == event + ping
    assert events.feed(ping + b"data:") == ping
    assert events.feed(b" a" + end + end) == event
    assert events.feed(b": pi") == b""
    assert events.feed(b"ng" + end) == ping
    assert events.finish() == b""


def test_a_comment_within_an_event_waits_for_the_event() -> None:
    events = Events(hides_usage=True)
    assert events.feed(b"data: a\n: ping\n") == b""
    assert events.feed(b"\n") == b"data: a\n: ping\n\n"


def test_what_looks_like_a_comment_in_a_long_event_is_none() -> None:
    events = Events(hides_usage=False)
    assert events.feed(b"x" * LONGEST_EVENT + b"y")
    assert events.feed(b": z\n") == b""


def test_a_long_comment_is_no_more_work_than_its_bytes() -> None:
    def pass_one(pieces: int) -> None:
        events = Events(hides_usage=True)
        assert not any(events.feed(b": " + b"x" * 1024) for _ in range(pieces))
        assert len(events.feed(b"\n")) == pieces * 1026 + 1

    assert growth(pass_one, 400) < LINEAR


def test_a_usage_event_that_ends_with_the_stream_is_taken_out_too() -> None:
    event = b'data: {"choices":[],"usage":{"prompt_tokens":19,"completion_tokens":10}}'
    assert through(b"data: a\n\n" + event) == (b"data: a\n\n", EXPECTED)
    assert through(b"data: a\n\n" + event + b"\n") == (b"data: a\n\n", EXPECTED)


def test_usage_beside_the_last_choice_is_read_and_its_event_stays() -> None:
    """As of servers that do not know the option."""
    last = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":' + json.dumps(USAGE).encode()
    whole = b'data: {"choices":[{"delta":{}}]}\n\n' + last + b"}\n\ndata: [DONE]\n\n"
    for cut in range(len(whole) + 1):
        assert through(whole[:cut], whole[cut:]) == (whole, EXPECTED)


def test_what_the_model_says_is_not_taken_for_usage() -> None:
    said = json.dumps('{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}').encode()
    whole = b'data: {"choices":[{"delta":{"content":' + said + b"}}]}\n\n"
    assert through(whole) == (whole, None)


def test_of_several_usages_the_last_counts() -> None:
    events = b"".join(
        b'data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":19,"completion_tokens":%d}}\n\n' % count
        for count in range(11)
    )
    assert through(events) == (events, EXPECTED)


def test_a_long_event_is_no_more_work_than_its_bytes() -> None:
    def pass_one(pieces: int) -> None:
        events = Events(hides_usage=True)
        passed = [events.feed(b"data: " + b"x" * 1024) for _ in range(pieces)]
        assert not any(passed)
        assert len(events.feed(b"\n\n")) == pieces * 1030 + 2

    assert growth(pass_one, 400) < LINEAR


def test_an_event_that_is_too_long_to_wait_for_goes_on_in_pieces() -> None:
    events = Events(hides_usage=False)
    piece = b"x" * (LONGEST_EVENT // 2 + 1)
    assert events.feed(piece) == b""
    assert (events.feed(piece), events.is_cut) == (piece + piece, True)
    assert (events.feed(b"rest\n"), events.is_cut) == (b"", True)
    assert (events.feed(b"\ndata: next"), events.is_cut) == (b"rest\n\n", False)
    assert events.finish() == b"data: next"


def test_where_no_usage_is_hidden_the_usage_event_passes() -> None:
    events = Events(hides_usage=False)
    whole = stream("OpenAI", "LF", shown=True)
    assert events.feed(whole) == whole
    assert events.usage is None


@pytest.mark.parametrize("before", [b"", b"data: 1\n\n"])
@pytest.mark.parametrize("piece", [b": ping\n", b"event: x\nda", b"data: 2\n", b"\n"])
def test_a_read_that_brought_nothing_changes_nothing(before: bytes, piece: bytes) -> None:
    """Such as a head, or the framing of a chunk, that came alone."""
    events, same = Events(hides_usage=False), Events(hides_usage=False)
    shown = [events.feed(part) for part in (before, b"", piece, b"", b"ta: 3\n\n")]
    assert b"".join(shown) == b"".join(same.feed(part) for part in (before, piece, b"ta: 3\n\n"))
