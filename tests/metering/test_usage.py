from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from innoai.metering.usage import TAIL_BYTES, WHOLE_BYTES, Usage, UsageReader, usage_in_tail, usage_of
from tests.support.growth import LINEAR, growth

JSON = b"application/json"
EVENTS = b"text/event-stream; charset=utf-8"
CHAT = {
    "prompt_tokens": 19,
    "completion_tokens": 10,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 5, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}
RESPONSE = {
    "input_tokens": 36,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 87,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 123,
}


def answer(usage: object, **members: Any) -> bytes:
    return json.dumps({"id": "x", **members, "usage": usage}).encode()


def read(content_type: bytes, *chunks: bytes) -> Usage | None:
    reader = UsageReader(content_type)
    for chunk in chunks:
        reader.feed(chunk)
    return reader.usage()


# Whole answers.


@pytest.mark.parametrize(
    ("details", "cached"),
    [
        ({"prompt_tokens_details": []}, 0),
        ({"prompt_tokens_details": "n/a"}, 0),
        ({"prompt_tokens_details": {"cached_tokens": "4"}}, 0),
        ({"prompt_tokens_details": {"cached_tokens": -1}}, 0),
        ({"input_tokens_details": []}, 0),
        ({"prompt_cache_hit_tokens": "4"}, 0),
        ({"cached_tokens": {}}, 0),
        ({"prompt_tokens_details": [], "cached_tokens": 4.0}, 4),
    ],
)
def test_an_odd_detail_of_the_cache_does_not_hide_the_counts(details: dict[str, Any], cached: int) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 4000, "total_tokens": 5000, **details}
    expected = Usage(1000, cached, 4000)
    assert usage_of(answer(usage)) == expected
    assert usage_of(json.dumps({"response": {"usage": usage}}).encode()) == expected
    assert read(EVENTS, b"data: " + answer(usage) + b"\n\ndata: [DONE]\n\n") == expected


def test_an_odd_count_is_not_made_up_for() -> None:
    assert usage_of(answer({"prompt_tokens": 1000, "completion_tokens": "4000"})) is None


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (CHAT, Usage(19, 5, 10)),
        (RESPONSE, Usage(36, 4, 87)),
        ({"prompt_tokens": 8, "total_tokens": 8}, Usage(8, 0, 0)),
        ({"type": "tokens", "input_tokens": 14, "output_tokens": 3, "total_tokens": 17}, Usage(14, 0, 3)),
        ({"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": None}, Usage(1, 0, 2)),
        ({"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": None}}, Usage(1, 0, 0)),
        ({"completion_tokens": 0, "prompt_tokens": 0}, Usage(0, 0, 0)),
        ({"prompt_tokens": 2**31 - 1}, Usage(2**31 - 1, 0, 0)),
    ],
    ids=["chat", "responses", "embeddings", "transcription", "null details", "null cached", "zero", "most"],
)
def test_each_api_counts_in_its_own_words(usage: dict[str, Any], expected: Usage) -> None:
    assert usage_of(answer(usage)) == expected
    assert read(JSON, answer(usage)) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"usage":null}',
        b'{"usage":{}}',
        b'{"usage":[1]}',
        b'{"usage":"many"}',
        b'{"usage":{"type":"duration","seconds":6}}',
        b'{"usage":{"prompt_tokens":"19"}}',
        b'{"usage":{"prompt_tokens":1.5}}',
        b'{"usage":{"prompt_tokens":true}}',
        b'{"usage":{"prompt_tokens":-1}}',
        b'{"usage":{"prompt_tokens":2147483648}}',
        b'{"usage":{"prompt_tokens":1e400}}',
        b'{"usage":{"prompt_tokens":1',
        b'{"usage":{"prompt_tokens":1}}}',
        b'\xff{"usage":null}',
        b"<html>not found</html>",
    ],
)
def test_an_answer_without_sound_counts_has_no_usage(body: bytes) -> None:
    assert usage_of(body) is None


def test_what_the_model_says_is_not_its_usage() -> None:
    said = 'the usage is "usage": {"prompt_tokens": 999999}'
    assert usage_of(answer(CHAT, choices=[{"message": {"content": said}}])) == Usage(19, 5, 10)
    assert read(JSON, json.dumps({"choices": [{"message": {"content": said}}]}).encode()) is None


def test_usage_is_read_wherever_the_network_cut_the_answer() -> None:
    body = answer(CHAT, choices=[{"message": {"content": "hello ☎"}}])
    for cut in range(len(body) + 1):
        assert read(JSON, body[:cut], body[cut:]) == Usage(19, 5, 10)


def test_a_json_answer_too_long_to_keep_is_read_from_its_end() -> None:
    data = [{"embedding": "x" * 1_000_000} for _ in range(6)]
    body = json.dumps({"data": data, "usage": {"prompt_tokens": 8, "total_tokens": 8}}).encode()
    assert len(body) > WHOLE_BYTES
    pieces = [body[start : start + 65536] for start in range(0, len(body), 65536)]
    assert read(JSON, *pieces) == Usage(8, 0, 0)


# Streams.


def chat_stream(*usages: object) -> bytes:
    chunks = [{"choices": [{"delta": {"content": "word "}}], "usage": usage} for usage in usages]
    return (
        b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    )


def test_a_streams_last_usage_counts() -> None:
    assert read(EVENTS, chat_stream({"prompt_tokens": 1, "completion_tokens": 1}, CHAT)) == Usage(19, 5, 10)
    assert read(EVENTS, chat_stream(CHAT, None, None)) == Usage(19, 5, 10)


def test_a_response_streams_usage_is_in_its_last_event() -> None:
    completed = {"type": "response.completed", "response": {"output": [], "usage": RESPONSE, "user": None}}
    created = {"type": "response.created", "response": {"output": [], "usage": None}}
    stream = b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in (created, completed)
    )
    assert read(EVENTS, stream) == Usage(36, 4, 87)


@pytest.mark.parametrize("ending", [b"\n\n", b"\r\n\r\n", b"\r\r", b""])
@pytest.mark.parametrize(
    "usage",
    [
        json.dumps(CHAT),
        json.dumps(RESPONSE, separators=(",", ":")),
        '{"completion_tokens": 1, "of": {"a": {"deeper": {}}}}',
        '{"completion_tokens": -1}',
        '{"completion_tokens": 1, "note": "}"}',
        "{}",
        "null",
        "7",
        '{"completion_tokens": 1',
    ],
)
def test_a_usage_that_closes_its_event_counts_as_one_that_does_not(usage: str, ending: bytes) -> None:
    def event(after: str) -> bytes:
        return f'data: {{"choices": [], "usage": {usage}{after}}}'.encode() + ending

    assert usage_in_tail(event("")) == usage_in_tail(event(', "id": "x"'))


def test_something_else_that_is_called_usage_does_not_hide_the_counts() -> None:
    """A tool's schema, for one, may have a property of that name."""
    tail = answer(CHAT)[:-1] + b', "tools": [{"properties": {"usage": {"type": "string"}}}]}'
    assert usage_in_tail(tail) == Usage(19, 5, 10)


def test_broken_counts_do_not_hide_earlier_ones() -> None:
    assert usage_in_tail(chat_stream(CHAT) + b'data: {"usage": {"prompt_tokens": -3}}\n\n') == Usage(
        19, 5, 10
    )
    assert usage_in_tail(chat_stream(CHAT) + b'data: {"usage": {"prompt_tokens": 3') == Usage(19, 5, 10)


@pytest.mark.parametrize("tail", [b"", b"data: [DONE]\n\n", b'"usage":', b'"usage":{', chat_stream(None)])
def test_a_stream_without_usage_has_none(tail: bytes) -> None:
    assert usage_in_tail(tail) is None


def test_a_long_stream_is_read_from_its_end_in_bounded_memory() -> None:
    reader = UsageReader(EVENTS)
    event = b'data: {"choices":[{"delta":{"content":"' + b"x" * 900 + b'"}}]}\n\n'
    for _ in range(1000):
        reader.feed(event)
    for piece in (chat_stream(CHAT)[:100], chat_stream(CHAT)[100:]):
        reader.feed(piece)
    assert reader.usage() == Usage(19, 5, 10)
    assert reader._size <= TAIL_BYTES + len(event) + 1000


@given(st.lists(st.integers(0, 10_000), max_size=8))
@settings(deadline=None)
def test_a_stream_is_read_alike_however_it_was_cut(cuts: list[int]) -> None:
    stream = chat_stream(None, None, CHAT)
    places = sorted({0, len(stream), *(cut % len(stream) for cut in cuts)})
    pieces = [stream[start:end] for start, end in itertools.pairwise(places)]
    assert read(EVENTS, *pieces) == Usage(19, 5, 10)


def test_an_answer_of_no_bytes_has_no_usage() -> None:
    assert read(JSON) is None
    assert read(EVENTS) is None


@pytest.mark.parametrize("ended", [False, True], ids=["left", "ended"])
@pytest.mark.parametrize("padding", [0, TAIL_BYTES], ids=["short", "cut"])
def test_what_callers_have_written_into_their_tools_is_no_usage(ended: bool, padding: int) -> None:
    """The Responses API repeats them; who left before the end would be charged what the tools say."""
    free = {"usage": {"input_tokens": 0, "output_tokens": 0}}
    tools = [{"type": "function", "name": "x", "parameters": {"type": "object", "properties": free}}]
    created = {
        "response": {"instructions": "x" * padding, "usage": None, "tools": tools, "text": {"a": "}}"}}
    }
    completed = {"response": {"tools": tools, "usage": RESPONSE, "metadata": {"a": "}{"}}}
    events = [created, {"delta": "Hello"}, *([completed] if ended else [])]
    stream = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    assert read(EVENTS, stream) == (Usage(36, 4, 87) if ended else None)


def test_a_whole_answer_without_usage_has_none_deeper_in_it() -> None:
    free = {"usage": {"input_tokens": 0, "output_tokens": 0}}
    body = json.dumps({"usage": None, "tools": [{"parameters": {"properties": free}}]}).encode()
    assert read(JSON, body) is None


# What servers do differently.


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 1015}, Usage(10, 0, 1005)),
        ({"total_tokens": 5000}, Usage(5000, 0, 0)),
        (
            {"prompt_tokens": 10, "prompt_cache_hit_tokens": 6, "completion_tokens": 5, "total_tokens": 15},
            Usage(10, 6, 5),
        ),
        ({"prompt_tokens": 10, "cached_tokens": 4, "completion_tokens": 5}, Usage(10, 4, 5)),
        ({"prompt_tokens": 12.0, "completion_tokens": 3.0}, Usage(12, 0, 3)),
    ],
    ids=["thoughts in the total alone", "the total alone", "DeepSeek", "Moonshot", "written as floats"],
)
def test_what_other_servers_tell_is_understood(usage: dict[str, Any], expected: Usage) -> None:
    assert usage_of(answer(usage)) == expected
    assert usage_in_tail(b"data: " + answer(usage) + b"\n\n") == expected


def test_a_usage_in_front_of_a_long_answer_is_read() -> None:
    """As llama.cpp tells it before the embeddings."""
    body = b'{"model": "m", "object": "list", "usage": %b, "data": [%b]}'
    whole = body % (json.dumps({"prompt_tokens": 1000, "total_tokens": 1000}).encode(), b"0.1," * 2_000_000)
    pieces = [whole[start : start + 65536] for start in range(0, len(whole), 65536)]
    assert read(JSON, *pieces) == Usage(1000, 0, 0)
    deeper = whole.replace(b'"usage"', b'"tools": {"usage"', 1)
    assert read(JSON, *(deeper[start : start + 65536] for start in range(0, len(deeper), 65536))) is None


# Nothing takes longer than in proportion to what is read.


def tools(count: int) -> bytes:
    """As an answer of the Responses API repeats the tools of the request."""
    properties = b",".join([b'{"usage":{"x":{"y":{}}}}'] * count)
    return b'{"usage": null, "tools": [{"parameters": {"enum": [%b]}}]}' % properties


@pytest.mark.parametrize("before", [b"", b"data: "], ids=["JSON", "an event"])
@pytest.mark.parametrize("cut", [0, 30], ids=["whole", "cut"])
def test_many_things_called_usage_are_no_more_work_than_their_bytes(before: bytes, cut: int) -> None:
    def look(count: int) -> None:
        assert usage_in_tail((before + tools(count) + b"\n\n")[cut:]) is None

    assert growth(look, 250) < LINEAR


@pytest.mark.parametrize("shape", ["[", '{"a":'])
def test_an_answer_of_any_depth_is_one_without_usage(shape: str) -> None:
    deep = b'{"usage": ' + shape.encode() * 50_000
    assert usage_of(deep) is None
    assert usage_in_tail(b"data: " + deep + b"\n\n") is None
    assert read(JSON, deep) is None


# Errors with a status that says otherwise.

ERROR = b'{"error": {"message": "CUDA out of memory", "code": 500}}'


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        (JSON, ERROR, True),
        (JSON, b'{"object": "response", "output": [], "usage": null, "error": {"code": "x"}}', True),
        (JSON, b'{"error": null, "choices": [{}]}', False),
        (JSON, b'{"error": {"code": "x"}, "choices": [{"message": {"content": "Hi"}}]}', False),
        (JSON, b'{"choices": [{"message": {"content": "error"}}]}', False),
        (JSON, b"error", False),
        (JSON, b"", False),
        (EVENTS, b"data: " + ERROR + b"\n\ndata: [DONE]\n\n", True),
        (EVENTS, b": ping\n\ndata:" + ERROR + b"\r\n\r\n", True),
        (EVENTS, b'data: {"choices": [{}]}\n\ndata: ' + ERROR + b"\n\ndata: [DONE]\n\n", False),
        (EVENTS, b"data: [DONE]\n\n", False),
        (EVENTS, b": error\n\n", False),
        (b"text/plain", ERROR, False),
    ],
)
def test_an_answer_that_is_only_an_error_is_told_from_others(
    content_type: bytes, body: bytes, expected: bool
) -> None:
    reader = UsageReader(content_type)
    reader.feed(body)
    assert reader.tells_only_an_error() is expected
