"""OpenAI's routes, and the models."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from innoai import inference
from innoai.api import models
from innoai.api.operations.operation import MODEL, Body, Operation, json
from innoai.api.wire import JSON

MULTIPART = "multipart/form-data"
EVENTS = "text/event-stream"
AUDIO = "audio/*"

_MODEL = {"id": MODEL, "object": "model", "created": 1795558022, "owned_by": "innoai"}
_USED = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
_AUDIO_FILE = Annotated[str, Meta(extra_json_schema={"format": "binary", "contentEncoding": "binary"})]


def _form(shape: type[msgspec.Struct]) -> Any:
    """A form, whose fields have plain names: no two servers then read another name there."""
    plain = {"propertyNames": {"pattern": r"^[0-9A-Za-z_.\[\]-]{1,100}$"}}
    return Annotated[shape, Meta(extra_json_schema=plain)]


def _infer(path: str, id: str, summary: str, body: Body, answer: Body) -> Operation:  # noqa: A002
    return Operation(
        "POST",
        path,
        id,
        "inference",
        summary,
        answer,
        body=body,
        errors=(
            "insufficient_quota",
            "model_not_allowed",
            "model_not_found",
            "upstream_error",
            "upstream_timeout",
        ),
        relayed=True,
    )


INFERENCE: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/models",
        "list_models",
        "inference",
        "List the models that the credential may use",
        json(models.ModelList, {"object": "list", "data": [_MODEL]}),
    ),
    Operation(
        "GET",
        "/v1/models/{model}",
        "get_model",
        "inference",
        "Show one model",
        json(models.ShownModel, _MODEL),
        errors=("model_not_found",),
    ),
    _infer(
        "/v1/chat/completions",
        "create_chat_completion",
        "Go on with a conversation",
        json(inference.ChatRequest, {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}),
        Body(
            {JSON: inference.ChatCompletion, EVENTS: inference.StreamEvent},
            {
                "id": "chatcmpl-echo-1",
                "object": "chat.completion",
                "created": 1795558022,
                "model": MODEL,
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": "Hello"},
                        "finish_reason": "stop",
                    }
                ],
                "usage": _USED,
            },
        ),
    ),
    _infer(
        "/v1/completions",
        "create_completion",
        "Go on with a text",
        json(inference.CompletionRequest, {"model": MODEL, "prompt": "Hello"}),
        Body(
            {JSON: inference.Completion, EVENTS: inference.StreamEvent},
            {
                "id": "cmpl-echo-1",
                "object": "text_completion",
                "created": 1795558022,
                "model": MODEL,
                "choices": [{"index": 0, "text": "Hello", "finish_reason": "stop"}],
                "usage": _USED,
            },
        ),
    ),
    _infer(
        "/v1/embeddings",
        "create_embeddings",
        "Turn texts into vectors",
        json(inference.EmbeddingRequest, {"model": MODEL, "input": ["Hello"]}),
        json(
            inference.EmbeddingList,
            {
                "object": "list",
                "data": [{"object": "embedding", "index": 0, "embedding": [0.4, 0.39]}],
                "model": MODEL,
                "usage": {"prompt_tokens": 1, "total_tokens": 1},
            },
        ),
    ),
    _infer(
        "/v1/responses",
        "create_response",
        "Respond to a text or to messages",
        json(inference.ResponseRequest, {"model": MODEL, "input": "Hello"}),
        Body(
            {JSON: inference.ModelResponse, EVENTS: inference.StreamEvent},
            {
                "id": "resp-echo-1",
                "object": "response",
                "model": MODEL,
                "status": "completed",
                "output": [
                    {
                        "type": "message",
                        "id": "msg-echo-1",
                        "status": "completed",
                        "role": "assistant",
                        "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
                    }
                ],
            },
        ),
    ),
    _infer(
        "/v1/moderations",
        "create_moderation",
        "Ask whether a text should be flagged",
        json(inference.ModerationRequest, {"model": MODEL, "input": "Hello"}),
        json(
            inference.Moderation,
            {"id": "modr-echo-1", "model": MODEL, "results": [{"flagged": False, "categories": {}}]},
        ),
    ),
    _infer(
        "/v1/images/generations",
        "create_image",
        "Make an image",
        json(inference.ImageRequest, {"model": MODEL, "prompt": "A lighthouse"}),
        json(inference.Images, {"created": 1795558022, "data": [{"b64_json": "iVBORw0KGgo="}]}),
    ),
    _infer(
        "/v1/images/edits",
        "edit_image",
        "Change an image",
        Body({MULTIPART: _form(inference.ImageEdit)}, {"model": MODEL, "image": "PNG", "prompt": "At night"}),
        json(inference.Images, {"created": 1795558022, "data": [{"b64_json": "iVBORw0KGgo="}]}),
    ),
    _infer(
        "/v1/images/variations",
        "vary_image",
        "Vary an image",
        Body({MULTIPART: _form(inference.ImageVariation)}, {"model": MODEL, "image": "PNG"}),
        json(inference.Images, {"created": 1795558022, "data": [{"b64_json": "iVBORw0KGgo="}]}),
    ),
    _infer(
        "/v1/audio/speech",
        "create_speech",
        "Say a text",
        json(inference.SpeechRequest, {"model": MODEL, "input": "Hello", "voice": "alloy"}),
        Body({AUDIO: _AUDIO_FILE}, "RIFF"),
    ),
    _infer(
        "/v1/audio/transcriptions",
        "create_transcription",
        "Write a recording down",
        Body({MULTIPART: _form(inference.AudioUpload)}, {"model": MODEL, "file": "RIFF"}),
        json(inference.Transcript, {"text": "A recording of 4 bytes."}),
    ),
    _infer(
        "/v1/audio/translations",
        "create_translation",
        "Write a recording down in English",
        Body({MULTIPART: _form(inference.AudioUpload)}, {"model": MODEL, "file": "RIFF"}),
        json(inference.Transcript, {"text": "A recording of 4 bytes."}),
    ),
)
