"""The built-in upstream `echo:`: answers like a model server, with what it was told.

It lets a new installation answer its first request without an account elsewhere, and it counts a
token a word, so that metering has something true to read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from innoai.gateway.upstream import Listener, RequestHead

Answer = tuple[int, list[tuple[bytes, bytes]], list[bytes]]
"""Status, headers, and the pieces of the body."""

EMBEDDING_SIZE = 8
_JSON = [(b"content-type", b"application/json")]
_EVENTS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]


class EchoCall:
    """A request to the echo; there is nothing to hold back, so pausing it changes nothing."""

    __slots__ = ("_listener",)

    def __init__(self, listener: Listener) -> None:
        self._listener: Listener | None = listener

    def pause(self) -> None:
        """The whole answer is in memory already."""

    def resume(self) -> None:
        """The whole answer is in memory already."""

    def cancel(self) -> None:
        """Tell the listener nothing more."""
        self._listener = None

    def answer(self, status: int, headers: list[tuple[bytes, bytes]], pieces: list[bytes]) -> None:
        """Tell the listener the whole answer."""
        if self._listener is None:
            return
        self._listener.on_head(status, headers)
        for piece in pieces:
            self._listener.on_body(piece)
        self._listener.on_end()


class Echo:
    """A transport without a wire."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._answered = 0

    def send(self, head: RequestHead, body: bytes, listener: Listener) -> EchoCall:
        """Answer from the event loop's next turn."""
        call = EchoCall(listener)
        asyncio.get_running_loop().call_soon(call.answer, *self._answer(head.target, body))
        return call

    async def close(self) -> None:
        """There is nothing to close."""

    def _answer(self, target: bytes, body: bytes) -> Answer:
        path = target.partition(b"?")[0]
        try:
            request = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.DecodeError:
            return _refusal(400, "The echo upstream reads JSON bodies only.")
        answers = {
            b"/chat/completions": self._chat,
            b"/completions": self._completion,
            b"/embeddings": self._embeddings,
            b"/responses": self._response,
            b"/moderations": self._moderation,
        }
        if path not in answers:
            return _refusal(404, f"The echo upstream does not serve {path.decode()}.")
        self._answered += 1
        return answers[path](request)

    def _common(self, kind: str, object_name: str, request: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": f"{kind}-echo-{self._answered}",
            "object": object_name,
            "created": int(self._clock()),
            "model": request.get("model"),
        }

    def _chat(self, request: dict[str, Any]) -> Answer:
        messages = request.get("messages")
        if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
            return _refusal(400, "messages must be a list of objects.")
        said = _text(messages[-1].get("content")) if messages else ""
        usage = _usage(" ".join(_text(message.get("content")) for message in messages), said)
        if request.get("stream") is True:
            common = self._common("chatcmpl", "chat.completion.chunk", request)
            deltas: list[dict[str, Any]] = [
                {"role": "assistant", "content": ""},
                *({"content": word} for word in _words(said)),
            ]
            choices: list[dict[str, Any]] = [
                {"index": 0, "delta": delta, "finish_reason": None} for delta in deltas
            ]
            choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
            return _stream(common, choices, usage if _wants_usage(request) else None)
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": said, "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
        common = self._common("chatcmpl", "chat.completion", request)
        return _json({**common, "choices": [choice], "usage": usage})

    def _completion(self, request: dict[str, Any]) -> Answer:
        said = _text(request.get("prompt"))
        common = self._common("cmpl", "text_completion", request)
        usage = _usage(said, said)
        if request.get("stream") is True:
            choices = [
                {"index": 0, "text": word, "logprobs": None, "finish_reason": None} for word in _words(said)
            ]
            choices.append({"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"})
            return _stream(common, choices, usage if _wants_usage(request) else None)
        choice = {"index": 0, "text": said, "logprobs": None, "finish_reason": "stop"}
        return _json({**common, "choices": [choice], "usage": usage})

    def _embeddings(self, request: dict[str, Any]) -> Answer:
        given = request.get("input")
        texts = [_text(item) for item in given] if isinstance(given, list) else [_text(given)]
        data = [
            {"object": "embedding", "index": index, "embedding": _embedding(text)}
            for index, text in enumerate(texts)
        ]
        tokens = sum(len(text.split()) for text in texts)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return _json({"object": "list", "data": data, "model": request.get("model"), "usage": usage})

    def _response(self, request: dict[str, Any]) -> Answer:
        given = request.get("input")
        said = _text(given[-1].get("content")) if isinstance(given, list) and given else _text(given)
        words = len(said.split())
        content = [{"type": "output_text", "text": said, "annotations": []}]
        message = {
            "type": "message",
            "id": f"msg-echo-{self._answered}",
            "status": "completed",
            "role": "assistant",
            "content": content,
        }
        common = self._common("resp", "response", request)
        whole = {
            **common,
            "created_at": common.pop("created"),
            "status": "completed",
            "output": [message],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": {
                "input_tokens": words,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": words,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": 2 * words,
            },
        }
        if request.get("stream") is not True:
            return _json(whole)
        events: list[dict[str, Any]] = [
            {"type": "response.created", "response": {**whole, "status": "in_progress", "usage": None}},
            *(
                {
                    "type": "response.output_text.delta",
                    "item_id": message["id"],
                    "output_index": 0,
                    "content_index": 0,
                    "delta": word,
                }
                for word in _words(said)
            ),
            {"type": "response.completed", "response": whole},
        ]
        numbered = [{**event, "sequence_number": number} for number, event in enumerate(events)]
        return 200, _EVENTS, [_named_event(event) for event in numbered]

    def _moderation(self, request: dict[str, Any]) -> Answer:
        common = {"id": f"modr-echo-{self._answered}", "model": request.get("model")}
        result = {
            "flagged": False,
            "categories": {},
            "category_scores": {},
            "category_applied_input_types": {},
        }
        return _json({**common, "results": [result]})


def _text(content: object) -> str:
    """The text of a message's content, a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(_text(part.get("text") if isinstance(part, dict) else part) for part in content)
    return ""


def _words(text: str) -> Iterator[str]:
    """The words with the spaces before them, which add up to the text."""
    start = 0
    for position in range(1, len(text)):
        if text[position] == " ":
            yield text[start:position]
            start = position
    yield text[start:]


def _usage(prompt: str, completion: str) -> dict[str, Any]:
    read, written = len(prompt.split()), len(completion.split())
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def _embedding(text: str) -> list[float]:
    """A vector that is the same for the same text; it means nothing."""
    data = text.encode()
    return [sum(data[index::EMBEDDING_SIZE]) % 257 / 257 for index in range(EMBEDDING_SIZE)]


def _wants_usage(request: dict[str, Any]) -> bool:
    options = request.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _stream(common: dict[str, Any], choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> Answer:
    chunks = [{**common, "choices": [choice]} for choice in choices]
    if usage is not None:
        chunks.append({**common, "choices": [], "usage": usage})
    events = [b"data: " + msgspec.json.encode(chunk) + b"\n\n" for chunk in chunks]
    return 200, _EVENTS, [*events, b"data: [DONE]\n\n"]


def _named_event(event: dict[str, Any]) -> bytes:
    name: str = event["type"]
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(event) + b"\n\n"


def _json(answer: dict[str, Any]) -> Answer:
    return 200, _JSON, [msgspec.json.encode(answer)]


def _refusal(status: int, message: str) -> Answer:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": "invalid_request"}
    return status, _JSON, [msgspec.json.encode({"error": error})]
