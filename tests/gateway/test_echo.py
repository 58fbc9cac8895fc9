from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from innoai.access.routes import INFERENCE_POSTS
from innoai.gateway.echo import Echo
from innoai.gateway.upstream import AnswerHead, RequestHead
from innoai.metering.usage import Usage, usage_in_tail, usage_of

if TYPE_CHECKING:
    from innoai.gateway.upstream import Failure

NOW = 1_795_000_000.75
JSON = b"application/json"
FORM = b"multipart/form-data; boundary=b"


class Heard:
    """A listener, and what it heard."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.chunks: list[bytes] = []
        self.ended = asyncio.Event()

    def on_head(self, head: AnswerHead) -> None:
        self.status, self.headers = head.status, dict(head.headers)

    def on_body(self, chunk: bytes) -> None:
        self.chunks.append(chunk)

    def on_whole(self, head: AnswerHead, body: bytes) -> None:
        raise AssertionError("the echo tells every head anew")

    def on_turn(self) -> None:
        pass

    def on_end(self) -> None:
        self.ended.set()

    def on_failure(self, failure: Failure) -> None:
        raise AssertionError(failure)

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def json(self) -> dict[str, Any]:
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded

    def events(self) -> list[dict[str, Any]]:
        lines = [line for line in self.body.split(b"\n") if line.startswith(b"data: {")]
        return [json.loads(line.removeprefix(b"data: ")) for line in lines]


async def ask(path: str, body: dict[str, Any] | bytes, content_type: bytes = JSON) -> Heard:
    echo, heard = Echo(lambda: NOW), Heard()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = RequestHead(path.encode(), [(b"content-type", content_type)])
    echo.send_prepared(echo.prepare(head), content, heard)
    assert heard.status == 0, "a listener is never told from inside the call"
    async with asyncio.timeout(10):
        await heard.ended.wait()
    await echo.close()
    return heard


def message(content: object, role: str = "user") -> dict[str, object]:
    return {"role": role, "content": content}


async def test_a_chat_echoes_its_last_message_and_counts_a_token_a_word() -> None:
    heard = await ask(
        "/chat/completions",
        {"model": "m", "messages": [message("be brief", "system"), message("one two three")]},
    )
    answer = heard.json()
    assert (heard.status, heard.headers[b"content-type"]) == (200, JSON)
    assert (answer["object"], answer["created"], answer["model"]) == ("chat.completion", int(NOW), "m")
    assert answer["choices"][0]["message"]["content"] == "one two three"
    assert usage_of(heard.body) == Usage(5, 0, 3)


async def test_the_parts_of_a_message_are_one_text() -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "image_url"}, {"type": "text", "text": "two"}]
    heard = await ask("/chat/completions", {"model": "m", "messages": [message(parts)]})
    assert heard.json()["choices"][0]["message"]["content"] == "one  two"


@pytest.mark.parametrize("content", ["one two  three ", "", " ", "word", "ünï 早上"])
async def test_a_streams_words_add_up_to_the_whole(content: str) -> None:
    heard = await ask("/chat/completions", {"model": "m", "messages": [message(content)], "stream": True})
    assert heard.headers[b"content-type"] == b"text/event-stream"
    deltas = [event["choices"][0]["delta"].get("content", "") for event in heard.events()]
    assert "".join(deltas) == content
    assert heard.events()[-1]["choices"][0]["finish_reason"] == "stop"
    assert heard.body.endswith(b"data: [DONE]\n\n")
    assert usage_in_tail(heard.body) is None


async def test_a_stream_tells_its_usage_when_it_is_asked_to() -> None:
    asked = {"model": "m", "messages": [message("one two")], "stream": True}
    heard = await ask("/chat/completions", asked | {"stream_options": {"include_usage": True}})
    assert heard.events()[-1]["choices"] == []
    assert usage_in_tail(heard.body) == Usage(2, 0, 2)


@pytest.mark.parametrize(
    ("prompt", "said"), [("one two", "one two"), (["one", "two"], "one two"), ([1, 2], " ")]
)
async def test_a_completion_echoes_its_prompt(prompt: object, said: str) -> None:
    heard = await ask("/completions", {"model": "m", "prompt": prompt})
    assert heard.json()["choices"][0]["text"] == said
    streamed = await ask("/completions", {"model": "m", "prompt": prompt, "stream": True})
    assert "".join(event["choices"][0]["text"] for event in streamed.events()) == said


async def test_the_same_text_has_the_same_vector() -> None:
    heard = await ask("/embeddings", {"model": "m", "input": ["one two", "three", "one two"]})
    first, second, third = (item["embedding"] for item in heard.json()["data"])
    assert first == third != second
    assert usage_of(heard.body) == Usage(5, 0, 0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("one two", "one two"),
        ([message("one"), message("two three")], "two three"),
        ([message([{"type": "input_text", "text": "one"}])], "one"),
        ([{"type": "reasoning"}], ""),
        ([], ""),
    ],
)
async def test_a_response_echoes_its_last_input(given: object, said: str) -> None:
    heard = await ask("/responses", {"model": "m", "input": given})
    assert heard.json()["output"][0]["content"][0]["text"] == said
    assert usage_of(heard.body) == Usage(len(said.split()), 0, len(said.split()))
    streamed = await ask("/responses", {"model": "m", "input": given, "stream": True})
    events = streamed.events()
    assert "".join(event.get("delta", "") for event in events) == said
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert (events[0]["type"], events[-1]["type"]) == ("response.created", "response.completed")
    assert usage_in_tail(streamed.body) == usage_of(heard.body)


async def test_moderation_flags_nothing() -> None:
    heard = await ask("/moderations", {"model": "m", "input": "one"})
    assert heard.json()["results"][0]["flagged"] is False


async def test_a_form_is_read_as_a_form() -> None:
    content = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.wav"\r\n\r\n\x00\xff\r\n\x00\r\n'
        b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--b--\r\n'
    )
    heard = await ask("/audio/transcriptions", content, FORM)
    assert (heard.status, heard.json()) == (200, {"text": "A recording of 5 bytes."})


BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [message("hi")]},
    "/v1/completions": {"prompt": "hi"},
    "/v1/embeddings": {"input": "hi"},
    "/v1/responses": {"input": "hi"},
    "/v1/moderations": {"input": "hi"},
    "/v1/images/generations": {"prompt": "hi"},
    "/v1/audio/speech": {"input": "hi", "voice": "alloy"},
}


@pytest.mark.parametrize("path", INFERENCE_POSTS)
async def test_every_inference_route_is_answered_and_a_body_it_cannot_read_is_refused(path: str) -> None:
    target = path.removeprefix("/v1") + "?api-version=1"
    if path in BODIES:
        assert (await ask(target, {"model": "m", **BODIES[path]})).status == 200
    deep = b'{"model":"m","messages":%b}' % (b"[" * 900 + b"]" * 900)
    for body in (b"", b"[]", b'{"model":"m","messages":1,"prompt":{},"input":{}}', b"\xff", deep):
        heard = await ask(target, body)
        assert heard.status == 400
        assert heard.json()["error"]["type"] == "invalid_request_error"


async def test_a_cancelled_request_hears_nothing() -> None:
    echo, heard = Echo(lambda: NOW), Heard()
    head = RequestHead(b"/embeddings", [])
    call = echo.send_prepared(head, b'{"model":"m","input":"hi"}', heard)
    call.pause()
    call.resume()
    call.cancel()
    await asyncio.sleep(0)
    assert (heard.status, heard.ended.is_set()) == (0, False)
