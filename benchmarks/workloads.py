"""What is asked and what the model server answers, canned so that only the gateway's own work differs."""

from __future__ import annotations

import json
from dataclasses import dataclass

MODEL = "upstream-model"
PLAIN_BYTES = 572
STREAM_EVENTS = 60


@dataclass(frozen=True, slots=True)
class Workload:
    """The model server gives `answer` under `path`; a gateway offers it as the model `model`.

    A `paced` answer comes event by event, from a model server of its own. `connections` post at once.
    """

    name: str
    title: str
    stream: bool
    answer_file: str
    answer: bytes
    paced: bool = False
    connections: int = 32

    @property
    def model(self) -> str:
        """The public model name that leads to this answer."""
        return f"bench-{self.name}"

    @property
    def path(self) -> str:
        """The path at which the upstream gives this answer."""
        return f"/{self.name}/v1"

    @property
    def request(self) -> str:
        """The body that each request posts."""
        return json.dumps(
            {"model": self.model, "messages": [{"role": "user", "content": "Hello"}], "stream": self.stream},
            separators=(",", ":"),
        )


def _completion() -> bytes:
    """A chat completion of exactly PLAIN_BYTES bytes."""

    def encode(content: str) -> bytes:
        choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
        return json.dumps(
            {
                "id": "chatcmpl-bench",
                "object": "chat.completion",
                "created": 1_700_000_000,
                "model": MODEL,
                "choices": [choice],
                "usage": {"prompt_tokens": 9, "completion_tokens": 58, "total_tokens": 67},
            },
            separators=(",", ":"),
        ).encode()

    return encode("x" * (PLAIN_BYTES - len(encode(""))))


def stream_events() -> list[bytes]:
    """STREAM_EVENTS events: a role, words, a finish, the usage; and the `[DONE]` that closes a stream."""

    def event(choices: list[dict[str, object]], **more: object) -> str:
        chunk = {
            "id": "chatcmpl-bench",
            "object": "chat.completion.chunk",
            "created": 1_700_000_000,
            "model": MODEL,
            "choices": choices,
        }
        return f"data: {json.dumps(chunk | more, separators=(',', ':'))}\n\n"

    def choice(delta: dict[str, str], finish_reason: str | None = None) -> list[dict[str, object]]:
        return [{"index": 0, "delta": delta, "finish_reason": finish_reason}]

    first = event(choice({"role": "assistant", "content": ""}))
    words = [event(choice({"content": f" word{number}"})) for number in range(STREAM_EVENTS - 3)]
    last = event(choice({}, "stop"))
    usage = event([], usage={"prompt_tokens": 9, "completion_tokens": 57, "total_tokens": 66})
    return [event.encode() for event in (first, *words, last, usage, "data: [DONE]\n\n")]


_STREAM = b"".join(stream_events())

PLAIN = Workload("plain", f"plain, {PLAIN_BYTES} bytes", False, "plain.json", _completion())
BURST = Workload("stream", f"SSE, {STREAM_EVENTS} events at once", True, "stream.sse", _STREAM)
PACED = Workload("paced", f"SSE, {STREAM_EVENTS} events 2 ms apart", True, "stream.sse", _STREAM, paced=True)
CROWD = Workload("crowd", "plain, 512 connections", False, "plain.json", _completion(), connections=512)
QUICK_WORKLOADS = (PLAIN, BURST, PACED)
WORKLOADS = (*QUICK_WORKLOADS, CROWD)
