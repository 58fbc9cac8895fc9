"""The shapes of OpenAI's inference API, as far as innoai speaks of them.

The gateway relays whatever else a body holds, so none of these forbids further members. They are
what the OpenAPI document shows and what the built-in echo upstream reads.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

MAX_MODEL_NAME = 200

ModelName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_MODEL_NAME,
        description="the public name of a model; GET /v1/models lists them",
        examples=["inno-ai-boyong-4.5"],
    ),
]
File = Annotated[
    bytes,
    Meta(description="the file's bytes", extra_json_schema={"format": "binary", "contentEncoding": "binary"}),
]
Stream = Annotated[
    bool | None, Meta(description="whether to answer with server-sent events, where the model can")
]
Tokens = list[int]
Prompt = Annotated[
    str | list[str | int | Tokens], Meta(description="a text, several texts, tokens or lists of tokens")
]


class StreamOptions(msgspec.Struct, frozen=True):
    """What a stream tells beside its deltas."""

    include_usage: Annotated[bool, Meta(description="whether the last event says what was used")] = False


class JsonRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway itself reads of every JSON body."""

    model: ModelName
    stream: Stream = None
    stream_options: StreamOptions | None = None


class ContentPart(msgspec.Struct, frozen=True):
    """A part of a message: a text, or what its `type` says."""

    type: str
    text: str | None = None


class ChatMessage(msgspec.Struct, frozen=True):
    """A message of a conversation."""

    role: Annotated[str, Meta(description="system, developer, user, assistant or tool")]
    content: str | list[ContentPart] | None = None


class ChatRequest(JsonRequest, frozen=True, kw_only=True):
    """A conversation to go on with."""

    messages: Annotated[list[ChatMessage], Meta(min_length=1)]


class CompletionRequest(JsonRequest, frozen=True, kw_only=True):
    """A text to go on with."""

    prompt: Prompt


class EmbeddingRequest(JsonRequest, frozen=True, kw_only=True):
    """Texts to turn into vectors."""

    input: Prompt


class InputItem(msgspec.Struct, frozen=True):
    """An item of a response's input: a message, or what its `type` says."""

    type: str | None = None
    role: str | None = None
    content: str | list[ContentPart] | None = None


class ResponseRequest(JsonRequest, frozen=True, kw_only=True):
    """What to respond to."""

    input: str | list[InputItem]


class ModerationRequest(JsonRequest, frozen=True, kw_only=True):
    """What to moderate."""

    input: str | list[str | ContentPart]


class ImageRequest(JsonRequest, frozen=True, kw_only=True):
    """An image to make."""

    prompt: str


class ImageEdit(msgspec.Struct, frozen=True):
    """An image to change, as a form."""

    model: ModelName
    image: File
    prompt: str


class ImageVariation(msgspec.Struct, frozen=True):
    """An image to vary, as a form."""

    model: ModelName
    image: File


class SpeechRequest(JsonRequest, frozen=True, kw_only=True):
    """A text to say."""

    input: str
    voice: str


class AudioUpload(msgspec.Struct, frozen=True):
    """A recording to write down, as a form."""

    model: ModelName
    file: File


class AnsweredMessage(msgspec.Struct, frozen=True):
    """What the model says."""

    role: str
    content: str | None


class ChatChoice(msgspec.Struct, frozen=True):
    """One continuation of a conversation."""

    index: int
    message: AnsweredMessage
    finish_reason: str | None


class TokensUsed(msgspec.Struct, frozen=True):
    """Tokens read, and read and written together."""

    prompt_tokens: int
    total_tokens: int


class ChatCompletion(msgspec.Struct, frozen=True, omit_defaults=True):
    """The conversation's continuation, as the model server gives it."""

    id: str
    object: str
    created: int
    model: str
    choices: list[ChatChoice]
    usage: TokensUsed | None = None


class TextChoice(msgspec.Struct, frozen=True):
    """One continuation of a text."""

    index: int
    text: str
    finish_reason: str | None


class Completion(msgspec.Struct, frozen=True, omit_defaults=True):
    """The text's continuation, as the model server gives it."""

    id: str
    object: str
    created: int
    model: str
    choices: list[TextChoice]
    usage: TokensUsed | None = None


class Embedding(msgspec.Struct, frozen=True):
    """One vector: numbers, or their bytes in base64 where `encoding_format` asked for that."""

    object: str
    index: int
    embedding: list[float] | str


class EmbeddingList(msgspec.Struct, frozen=True, omit_defaults=True):
    """The vectors, as the model server gives them."""

    object: str
    data: list[Embedding]
    model: str
    usage: TokensUsed | None = None


class ModelResponse(msgspec.Struct, frozen=True):
    """A response, as the model server gives it."""

    id: str
    object: str
    model: str
    status: str
    output: list[dict[str, Any]]


class Moderation(msgspec.Struct, frozen=True):
    """Whether something was flagged, as the model server says."""

    id: str
    model: str
    results: list[dict[str, Any]]


class Images(msgspec.Struct, frozen=True):
    """Images by address or as base64, as the model server gives them."""

    created: int
    data: list[dict[str, Any]]


class StreamEvent(msgspec.Struct, frozen=True):
    """An event of a stream: `data` is JSON, and at the end of completions [DONE]."""

    data: str


class Transcript(msgspec.Struct, frozen=True):
    """What was said, as the model server heard it."""

    text: str


class UpstreamRefusal(msgspec.Struct, frozen=True):
    """A refusal of the model server, relayed as it is."""

    error: dict[str, Any]
