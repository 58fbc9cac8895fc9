"""What the tests' model server says: OpenAI's shapes, with as many words as it is told to say."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Event = tuple[bytes, dict[str, Any] | None]
"""An event of a stream as it goes over the wire, and the usage that it tells."""

ERROR = json.dumps({"error": {"message": "made to fail", "type": "server_error", "code": None}}).encode()
DONE = b"data: [DONE]\n\n"
CREATED = 1795000000


def whole(path: str, asked: dict[str, Any], words: int) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """An answer in one piece, and the usage in it."""
    said = "".join(map(_word, range(words)))
    usage = _usage(asked, words)
    common = {"created": CREATED, "model": asked.get("model"), "usage": usage}
    answer: dict[str, Any]
    match path:
        case "/chat/completions":
            message = {"role": "assistant", "content": said, "refusal": None}
            choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
            answer = {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], **common}
        case "/completions":
            choice = {"index": 0, "text": said, "logprobs": None, "finish_reason": "stop"}
            answer = {"id": "cmpl-1", "object": "text_completion", "choices": [choice], **common}
        case "/embeddings":
            answer = _embeddings(asked)
        case "/responses":
            answer = _response(asked, said, usage)
        case "/audio/transcriptions":
            counted = {"type": "tokens", "input_tokens": 14, "output_tokens": 3, "total_tokens": 17}
            answer = {"text": "what was said", "usage": counted}
        case _:
            answer = {"object": "answer", "path": path}
    return answer, answer.get("usage")


def events(path: str, asked: dict[str, Any], count: int | None) -> Iterator[Event]:
    """A stream of `count` deltas, or of no end of them. Usage comes when it is asked for, as with OpenAI."""
    numbers = itertools.count() if count is None else range(count)
    if path == "/responses":
        yield from _response_events(asked, iter(numbers))
        return
    asks_usage = (asked.get("stream_options") or {}).get("include_usage") is True
    common = {"id": "chunk-1", "created": CREATED, "model": asked.get("model")}
    told = {"usage": None} if asks_usage else {}
    for choice in _choices(path, iter(numbers)):
        yield _event({**common, "choices": [choice], **told}), None
    if asks_usage:
        usage = _usage(asked, count or 0)
        yield _event({**common, "choices": [], "usage": usage}), usage
    yield DONE, None


def _choices(path: str, numbers: Iterator[int]) -> Iterator[dict[str, Any]]:
    is_chat = path == "/chat/completions"
    unfinished = {"index": 0, "finish_reason": None}
    if is_chat:
        yield {**unfinished, "delta": {"role": "assistant", "content": ""}}
    for number in numbers:
        piece = {"delta": {"content": _word(number)}} if is_chat else {"text": _word(number)}
        yield {**unfinished, **piece}
    end: dict[str, Any] = {"delta": {}} if is_chat else {"text": ""}
    yield {"index": 0, "finish_reason": "stop", **end}


def _response_events(asked: dict[str, Any], numbers: Iterator[int]) -> Iterator[Event]:
    opening = {**_response(asked, "", _usage(asked, 0)), "status": "in_progress", "usage": None}
    yield _named("response.created", 0, response=opening), None
    said, sequence = "", 0
    place = {"item_id": "msg-1", "output_index": 0, "content_index": 0, "logprobs": []}
    for number in numbers:
        sequence = number + 1
        said += _word(number)
        yield _named("response.output_text.delta", sequence, **place, delta=_word(number)), None
    closing = _response(asked, said, _usage(asked, sequence))
    yield _named("response.completed", sequence + 1, response=closing), closing["usage"]


def _response(asked: dict[str, Any], said: str, usage: dict[str, int]) -> dict[str, Any]:
    content = [{"type": "output_text", "text": said, "annotations": []}]
    item = {"type": "message", "id": "msg-1", "status": "completed", "role": "assistant"}
    return {
        "id": "resp-1",
        "object": "response",
        "created_at": CREATED,
        "model": asked.get("model"),
        "status": "completed",
        "output": [{**item, "content": content}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": usage["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": usage["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage["total_tokens"],
        },
    }


def _embeddings(asked: dict[str, Any]) -> dict[str, Any]:
    given = asked.get("input")
    texts = given if isinstance(given, list) else [given]
    data = [
        {"object": "embedding", "index": index, "embedding": [float(index), 0.5, -1.0]}
        for index, _ in enumerate(texts)
    ]
    tokens = sum(len(str(text).split()) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": asked.get("model"), "usage": usage}


def _usage(asked: dict[str, Any], completion: int) -> dict[str, int]:
    """A token a word."""
    said = " ".join(str(message.get("content")) for message in asked.get("messages", []))
    prompt = len((said or str(asked.get("prompt") or asked.get("input") or "")).split())
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _word(number: int) -> str:
    return f"word{number} "


def _event(content: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(content, separators=(",", ":")).encode() + b"\n\n"


def _named(kind: str, sequence: int, **content: object) -> bytes:
    return f"event: {kind}\n".encode() + _event({"type": kind, "sequence_number": sequence, **content})
