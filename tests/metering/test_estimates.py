from __future__ import annotations

import base64
import json

from innoai.metering import estimates
from innoai.metering.usage import TAIL_BYTES, UsageReader

DELTA = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}}]}


def event(text: str) -> bytes:
    delta = {**DELTA, "choices": [{"index": 0, "delta": {"content": text}}]}
    return b"data: %b\n\n" % json.dumps(delta).encode()


def read(content_type: bytes, *chunks: bytes) -> int:
    reader = UsageReader(content_type)
    for chunk in chunks:
        reader.feed(chunk)
    return reader.estimated_tokens()


def test_a_token_of_a_prompt_is_about_four_bytes() -> None:
    assert estimates.prompt_tokens([b'"a-model"', b"x" * 391]) == 100


def test_a_file_in_a_prompt_does_not_count_by_its_bytes() -> None:
    image = base64.b64encode(bytes(1_000_000)).decode()
    content = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}}] * 2
    tokens = estimates.prompt_tokens([json.dumps(content).encode()])
    assert 2 * estimates.FILE_TOKENS <= tokens < 2 * estimates.FILE_TOKENS + 100


def test_a_file_that_ends_nowhere_is_one_file() -> None:
    assert estimates.prompt_tokens([b'"data:;base64,AAAA']) == estimates.FILE_TOKENS + 1


def test_each_event_of_a_stream_is_at_least_a_token() -> None:
    stream = [event("a") for _ in range(30)]
    assert read(b"text/event-stream", *stream) == 30


def test_the_event_that_ends_a_stream_is_none() -> None:
    assert read(b"text/event-stream; charset=utf-8", event("a"), b"data: [DONE]\n\n", b"data:[DONE]\n\n") == 1


def test_an_event_with_many_tokens_counts_by_its_text() -> None:
    assert read(b"text/event-stream", event("word " * 80), event('quoted \\" too' * 40)) >= 200


def test_of_a_long_stream_all_counts_though_its_end_alone_is_kept() -> None:
    count = 5 * TAIL_BYTES // len(event("a"))
    assert abs(read(b"text/event-stream", *[event("a")] * count) - count) <= 1


def test_an_answer_in_json_counts_by_its_texts() -> None:
    answer = {"choices": [{"message": {"role": "assistant", "content": "x" * 400}}], "id": "y" * 4000}
    assert read(b"application/json", json.dumps(answer).encode()) == 100


def test_plain_text_counts_by_its_bytes_and_sound_not_at_all() -> None:
    assert read(b"text/plain", b"x" * 40) == 10
    assert read(b"audio/mpeg", b"x" * 40) == 0


def test_vectors_and_images_hold_no_tokens() -> None:
    assert read(b"application/json", json.dumps({"data": [{"embedding": [0.25] * 100}]}).encode()) == 0
    assert read(b"application/json", json.dumps({"data": [{"b64_json": "AAAA" * 100}]}).encode()) == 0


def test_nothing_is_nothing() -> None:
    assert read(b"text/event-stream") == 0
