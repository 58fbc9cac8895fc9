"""The built-in upstream `echo:`: answers like a model server, with what it was told.

It lets a new installation answer its first request without an account elsewhere, and it counts a
token a word, so that metering has something true to read.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING, Any

import msgspec

from innoai import json_shapes
from innoai.gateway.upstream import AnswerHead
from innoai.inference import (
    AudioUpload,
    ChatRequest,
    CompletionRequest,
    ContentPart,
    EmbeddingRequest,
    File,
    ImageEdit,
    ImageRequest,
    ImageVariation,
    ModerationRequest,
    ResponseRequest,
    SpeechRequest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from innoai.gateway.upstream import Listener, RequestHead
    from innoai.inference import StreamOptions

Answer = tuple[int, list[tuple[bytes, bytes]], list[bytes]]
"""Status, headers, and the pieces of the body."""

EMBEDDING_SIZE = 8
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
"""The smallest picture, a PNG in base64."""
SILENCE = b64decode("UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=")
"""The shortest recording, a WAV file without samples."""
_JSON = [(b"content-type", b"application/json")]
_WAVE = [(b"content-type", b"audio/wav")]
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
        self._listener.on_head(AnswerHead(status, headers))
        for piece in pieces:
            self._listener.on_body(piece)
        self._listener.on_end()


class Echo:
    """A transport without a wire."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._answered = 0

    def prepare(self, head: RequestHead) -> RequestHead:
        """There is no wire, and so no form for it."""
        return head

    def send_prepared(self, head: RequestHead, body: bytes, listener: Listener) -> EchoCall:
        """Answer from the event loop's next turn."""
        call = EchoCall(listener)
        asyncio.get_running_loop().call_soon(call.answer, *self._answer(head, body))
        return call

    async def close(self) -> None:
        """There is nothing to close."""

    def _answer(self, head: RequestHead, body: bytes) -> Answer:
        path = head.target.partition(b"?")[0]
        answers: dict[bytes, tuple[type[msgspec.Struct], Callable[[Any], Answer]]] = {
            b"/chat/completions": (ChatRequest, self._chat),
            b"/completions": (CompletionRequest, self._completion),
            b"/embeddings": (EmbeddingRequest, self._embeddings),
            b"/responses": (ResponseRequest, self._response),
            b"/moderations": (ModerationRequest, self._moderation),
            b"/images/generations": (ImageRequest, self._image),
            b"/images/edits": (ImageEdit, self._image),
            b"/images/variations": (ImageVariation, self._image),
            b"/audio/speech": (SpeechRequest, self._speech),
            b"/audio/transcriptions": (AudioUpload, self._transcript),
            b"/audio/translations": (AudioUpload, self._transcript),
        }
        shape, answer = answers[path]
        content_type = dict(head.headers).get(b"content-type", b"")
        try:
            if content_type.lower().startswith(b"multipart/"):
                request = msgspec.convert(_form(content_type, body, shape), shape, builtin_types=(bytes,))
            else:
                request = json_shapes.decode(body, shape)
        except msgspec.DecodeError as error:
            return _refusal(f"The echo upstream cannot read the body: {error}.")
        self._answered += 1
        return answer(request)

    def _common(self, kind: str, object_name: str, model: str) -> dict[str, Any]:
        return {
            "id": f"{kind}-echo-{self._answered}",
            "object": object_name,
            "created": int(self._clock()),
            "model": model,
        }

    def _chat(self, request: ChatRequest) -> Answer:
        said = _text(request.messages[-1].content)
        usage = _usage(" ".join(_text(message.content) for message in request.messages), said)
        if request.stream:
            common = self._common("chatcmpl", "chat.completion.chunk", request.model)
            deltas: list[dict[str, Any]] = [
                {"role": "assistant", "content": ""},
                *({"content": word} for word in _words(said)),
            ]
            choices: list[dict[str, Any]] = [
                {"index": 0, "delta": delta, "finish_reason": None} for delta in deltas
            ]
            choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
            return _stream(common, choices, usage if _wants_usage(request.stream_options) else None)
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": said, "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
        common = self._common("chatcmpl", "chat.completion", request.model)
        return _json({**common, "choices": [choice], "usage": usage})

    def _completion(self, request: CompletionRequest) -> Answer:
        said = " ".join(_texts(request.prompt))
        common = self._common("cmpl", "text_completion", request.model)
        usage = _usage(said, said)
        if request.stream:
            choices = [
                {"index": 0, "text": word, "logprobs": None, "finish_reason": None} for word in _words(said)
            ]
            choices.append({"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"})
            return _stream(common, choices, usage if _wants_usage(request.stream_options) else None)
        choice = {"index": 0, "text": said, "logprobs": None, "finish_reason": "stop"}
        return _json({**common, "choices": [choice], "usage": usage})

    def _embeddings(self, request: EmbeddingRequest) -> Answer:
        texts = _texts(request.input)
        data = [
            {"object": "embedding", "index": index, "embedding": _embedding(text)}
            for index, text in enumerate(texts)
        ]
        tokens = sum(len(text.split()) for text in texts)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return _json({"object": "list", "data": data, "model": request.model, "usage": usage})

    def _response(self, request: ResponseRequest) -> Answer:
        given = request.input
        said = given if isinstance(given, str) else _text(given[-1].content) if given else ""
        words = len(said.split())
        content = [{"type": "output_text", "text": said, "annotations": []}]
        message = {
            "type": "message",
            "id": f"msg-echo-{self._answered}",
            "status": "completed",
            "role": "assistant",
            "content": content,
        }
        common = self._common("resp", "response", request.model)
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
        if not request.stream:
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

    def _moderation(self, request: ModerationRequest) -> Answer:
        common = {"id": f"modr-echo-{self._answered}", "model": request.model}
        result = {
            "flagged": False,
            "categories": {},
            "category_scores": {},
            "category_applied_input_types": {},
        }
        return _json({**common, "results": [result]})

    def _image(self, _request: object) -> Answer:
        return _json({"created": int(self._clock()), "data": [{"b64_json": PIXEL}]})

    def _speech(self, _request: SpeechRequest) -> Answer:
        return 200, _WAVE, [SILENCE]

    def _transcript(self, request: AudioUpload) -> Answer:
        return _json({"text": f"A recording of {len(request.file)} bytes."})


def _form(content_type: bytes, body: bytes, shape: type[msgspec.Struct]) -> dict[str, str | bytes]:
    """The fields of a form: bytes where the shape wants a file, text otherwise."""
    files = {field.name for field in msgspec.structs.fields(shape) if field.type is File}
    message = BytesParser(policy=HTTP).parsebytes(b"content-type: " + content_type + b"\r\n\r\n" + body)
    fields: dict[str, str | bytes] = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            fields[name] = content if name in files else content.decode("utf-8", "replace")
    return fields


def _text(content: str | list[ContentPart] | None) -> str:
    """The text of a message's content."""
    if isinstance(content, list):
        return " ".join(part.text or "" for part in content)
    return content or ""


def _texts(given: str | list[Any]) -> list[str]:
    """The texts of a prompt; of tokens there is nothing to say."""
    return [given] if isinstance(given, str) else [item if isinstance(item, str) else "" for item in given]


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


def _wants_usage(options: StreamOptions | None) -> bool:
    return options is not None and options.include_usage


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


def _refusal(message: str) -> Answer:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": "invalid_request"}
    return 400, _JSON, [msgspec.json.encode({"error": error})]
