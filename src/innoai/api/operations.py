"""The operations: what each route takes and gives, as one table. The OpenAPI document is rendered from it.

Every row of access.routes.ROUTES has one operation here, and the tests hold the two together. The
few routes outside /v1 that programs call are here as well; the pages for people are not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from innoai import inference
from innoai.api import auth, credentials, customers, health, keys, minting, models, tiers
from innoai.api.wire import FORM, JSON, CustomerId

if TYPE_CHECKING:
    from collections.abc import Mapping

MULTIPART = "multipart/form-data"
EVENTS = "text/event-stream"
AUDIO = "audio/*"
TEXT = "text/plain"

KEY_ID = "key_0UySTdUK83VqVcDhBZJZlb"
CUSTOMER_ID = "customer_12345"
MODEL = "inno-ai-boyong-4.5"
SECRET = "sk-inno-2mVb3xQ0sYc8LrTgKpNwEfHjUaZd5R7t9WoXiBqG1MvSk0hJx"
TOKEN = "eyJhbGciOiJIUzI1NiIsImtpZCI6InNpZ18wIn0.eyJzdWIiOiJrZXlfMCJ9.c2lnbmF0dXJl"

KeyId = Annotated[str, Meta(pattern="^key_[0-9A-Za-z]{22}$", description="the id of a key")]
PATH_PARAMETERS: Mapping[str, tuple[Any, str]] = {
    "key_id": (KeyId, KEY_ID),
    "customer_id": (CustomerId, CUSTOMER_ID),
    "model": (inference.ModelName, MODEL),
}
"""Each parameter of a path template: its type and an example."""


@dataclass(frozen=True, slots=True)
class Body:
    """What a request or an answer holds: a shape by media type, and one example in the first of them."""

    shapes: Mapping[str, Any]
    example: Any
    required: bool = True

    @property
    def media_type(self) -> str:
        """The media type of the example."""
        return next(iter(self.shapes))


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method of one path takes and gives.

    `id`: what generated clients call it. `answer` None is a 204. `errors`: codes of errors.ERRORS that
    only this operation's own rules give, beside those that follow from what it takes. `idempotent`: it
    heeds Idempotency-Key. `relayed`: the answer may be the model server's. `also`: answers that are no
    refusals, by further statuses.
    """

    method: str
    path: str
    id: str
    tag: str
    summary: str
    answer: Body | None
    status: int = 200
    body: Body | None = None
    query: type[msgspec.Struct] | None = None
    query_example: Mapping[str, Any] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    idempotent: bool = False
    relayed: bool = False
    also: Mapping[int, Body] = field(default_factory=dict)


TAGS: Mapping[str, str] = {
    "inference": "OpenAI's routes. Members that are not named here go to the model server as they are.",
    "tokens": "Short-lived tokens: mint, refresh, validate, revoke, introspect, explain.",
    "keys": "API keys: create, change, rotate with overlap, revoke.",
    "customers": "The account's own end customers.",
    "access": "The access-control matrix.",
    "server": "Health, metrics and this document.",
}

_KEY: dict[str, Any] = {
    "id": KEY_ID,
    "object": "api_key",
    "name": "Production",
    "prefix": "sk-inno-",
    "last4": "0hJx",
    "scopes": ["inference:read", "inference:write"],
    "level": None,
    "allowed_ips": ["203.0.113.0/24"],
    "rate_limit": 1000,
    "models": None,
    "customer_id": None,
    "status": "active",
    "created_at": "2026-11-24T22:07:02Z",
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": None,
    "rotated_from": None,
}
_NEW_KEY = {**_KEY, "key": SECRET}
_SUCCESSOR = {**_NEW_KEY, "rotated_from": "key_0UySTbGq5kXuPn3WLe7o1R"}
_CUSTOMER = {
    "id": "cus_0UySTdUK9wD4TzX6GnRb2Y",
    "object": "customer",
    "customer_id": CUSTOMER_ID,
    "name": "Acme",
    "metadata": {"plan": "gold"},
    "disabled": False,
    "created_at": "2026-11-24T22:07:02Z",
    "updated_at": "2026-11-24T22:07:02Z",
}
_TOKENS = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600, "refresh_token": TOKEN}
_MODEL = {"id": MODEL, "object": "model", "created": 1795558022, "owned_by": "innoai"}
_USED = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
_AUDIO_FILE = Annotated[str, Meta(extra_json_schema={"format": "binary", "contentEncoding": "binary"})]


def _json(shape: Any, example: Any, *, required: bool = True) -> Body:
    return Body({JSON: shape}, example, required)


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
        errors=("model_not_allowed", "model_not_found", "upstream_error", "upstream_timeout"),
        relayed=True,
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/models",
        "list_models",
        "inference",
        "List the models that the credential may use",
        _json(models.ModelList, {"object": "list", "data": [_MODEL]}),
    ),
    Operation(
        "GET",
        "/v1/models/{model}",
        "get_model",
        "inference",
        "Show one model",
        _json(models.ShownModel, _MODEL),
        errors=("model_not_found",),
    ),
    _infer(
        "/v1/chat/completions",
        "create_chat_completion",
        "Go on with a conversation",
        _json(inference.ChatRequest, {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}),
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
        _json(inference.CompletionRequest, {"model": MODEL, "prompt": "Hello"}),
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
        _json(inference.EmbeddingRequest, {"model": MODEL, "input": ["Hello"]}),
        _json(
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
        _json(inference.ResponseRequest, {"model": MODEL, "input": "Hello"}),
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
        _json(inference.ModerationRequest, {"model": MODEL, "input": "Hello"}),
        _json(
            inference.Moderation,
            {"id": "modr-echo-1", "model": MODEL, "results": [{"flagged": False, "categories": {}}]},
        ),
    ),
    _infer(
        "/v1/images/generations",
        "create_image",
        "Make an image",
        _json(inference.ImageRequest, {"model": MODEL, "prompt": "A lighthouse"}),
        _json(inference.Images, {"created": 1795558022, "data": [{"b64_json": "iVBORw0KGgo="}]}),
    ),
    _infer(
        "/v1/images/edits",
        "edit_image",
        "Change an image",
        Body({MULTIPART: _form(inference.ImageEdit)}, {"model": MODEL, "image": "PNG", "prompt": "At night"}),
        _json(inference.Images, {"created": 1795558022, "data": [{"b64_json": "iVBORw0KGgo="}]}),
    ),
    _infer(
        "/v1/images/variations",
        "vary_image",
        "Vary an image",
        Body({MULTIPART: _form(inference.ImageVariation)}, {"model": MODEL, "image": "PNG"}),
        _json(inference.Images, {"created": 1795558022, "data": [{"b64_json": "iVBORw0KGgo="}]}),
    ),
    _infer(
        "/v1/audio/speech",
        "create_speech",
        "Say a text",
        _json(inference.SpeechRequest, {"model": MODEL, "input": "Hello", "voice": "alloy"}),
        Body({AUDIO: _AUDIO_FILE}, "RIFF"),
    ),
    _infer(
        "/v1/audio/transcriptions",
        "create_transcription",
        "Write a recording down",
        Body({MULTIPART: _form(inference.AudioUpload)}, {"model": MODEL, "file": "RIFF"}),
        _json(inference.Transcript, {"text": "A recording of 4 bytes."}),
    ),
    _infer(
        "/v1/audio/translations",
        "create_translation",
        "Write a recording down in English",
        Body({MULTIPART: _form(inference.AudioUpload)}, {"model": MODEL, "file": "RIFF"}),
        _json(inference.Transcript, {"text": "A recording of 4 bytes."}),
    ),
    Operation(
        "POST",
        "/v1/auth/token",
        "issue_token",
        "tokens",
        "Mint an access token and a refresh token from an API key",
        _json(minting.TokenAnswer, _TOKENS),
        body=_json(
            auth.TokenRequest,
            {"customer_id": CUSTOMER_ID, "scopes": ["inference:write"], "expires_in": 3600},
        ),
        errors=("insufficient_permissions", "not_found", "conflict"),
    ),
    Operation(
        "POST",
        "/v1/auth/refresh",
        "refresh_token",
        "tokens",
        "Get a new access token for a refresh token",
        _json(minting.TokenAnswer, _TOKENS),
        body=_json(auth.RefreshRequest, {"refresh_token": TOKEN}),
    ),
    Operation(
        "GET",
        "/v1/auth/validate",
        "validate_credential",
        "tokens",
        "Say what the presented credential stands for",
        _json(
            auth.Validation,
            {
                "valid": True,
                "key_id": KEY_ID,
                "scopes": ["inference:read", "inference:write"],
                "rate_limit": 1000,
                "tier": "startup",
            },
        ),
    ),
    Operation(
        "POST",
        "/v1/auth/revoke",
        "revoke_token",
        "tokens",
        "Revoke a token or an API key that one holds (RFC 7009)",
        _json(credentials.Nothing, {}),
        body=Body({JSON: credentials.TokenBody, FORM: credentials.TokenBody}, {"token": TOKEN}),
    ),
    Operation(
        "POST",
        "/v1/auth/introspect",
        "introspect_token",
        "tokens",
        "Say what a token of the account stands for (RFC 7662)",
        _json(
            credentials.Introspection,
            {
                "active": True,
                "scope": "inference:write",
                "client_id": KEY_ID,
                "sub": "cus_0UySTdUK9wD4TzX6GnRb2Y",
                "customer_id": CUSTOMER_ID,
                "token_type": "Bearer",
                "token_use": "access",
                "aud": "innoai",
                "iss": "innoai",
                "iat": 1795558022,
                "exp": 1795561622,
                "jti": "jti_0UySTdUKA1fM8QyJxWvC4Z",
            },
        ),
        body=Body({JSON: credentials.TokenBody, FORM: credentials.TokenBody}, {"token": TOKEN}),
    ),
    Operation(
        "POST",
        "/v1/auth/explain",
        "explain_decision",
        "tokens",
        "Decide about a request without making it, and say which check refuses",
        _json(
            credentials.Explanation,
            {
                "allowed": False,
                "code": "ip_not_allowed",
                "message": "This credential may not be used from your address.",
                "checks": [
                    {
                        "name": "credential",
                        "outcome": "passed",
                        "detail": "the credential is well-formed",
                    },
                    {"name": "network", "outcome": "refused", "detail": "198.51.100.7 is in none"},
                    {"name": "scope", "outcome": "not_reached", "detail": ""},
                ],
            },
        ),
        body=_json(
            credentials.ExplainRequest,
            {"key": KEY_ID, "method": "POST", "path": "/v1/chat/completions", "ip": "198.51.100.7"},
        ),
        errors=("not_found",),
    ),
    Operation(
        "POST",
        "/v1/keys",
        "create_key",
        "keys",
        "Create an API key; the answer alone shows it",
        _json(keys.NewKey, _NEW_KEY),
        status=201,
        body=_json(
            keys.CreateKey,
            {
                "name": "Production",
                "scopes": ["inference:read", "inference:write"],
                "allowed_ips": ["203.0.113.0/24"],
                "rate_limit": 1000,
            },
        ),
        errors=("conflict", "not_found"),
        idempotent=True,
    ),
    Operation(
        "GET",
        "/v1/keys",
        "list_keys",
        "keys",
        "List the account's keys, newest first",
        _json(keys.KeyPage, {"object": "list", "data": [_KEY], "next_cursor": None}),
        query=keys.KeyQuery,
        query_example={"limit": 20, "status": "active"},
    ),
    Operation("GET", "/v1/keys/{key_id}", "get_key", "keys", "Show one key", _json(keys.Key, _KEY)),
    Operation(
        "PATCH",
        "/v1/keys/{key_id}",
        "change_key",
        "keys",
        "Change a key, and with it every token minted from it",
        _json(keys.Key, {**_KEY, "rate_limit": 500}),
        body=_json(keys.ChangeKey, {"rate_limit": 500, "allowed_ips": ["203.0.113.0/24"]}),
        errors=("conflict",),
    ),
    Operation(
        "DELETE",
        "/v1/keys/{key_id}",
        "revoke_key",
        "keys",
        "Revoke a key for good; it stays listed as revoked",
        None,
        status=204,
    ),
    Operation(
        "POST",
        "/v1/keys/{key_id}/rotate",
        "rotate_key",
        "keys",
        "Make a successor with the same rights; the old key expires after the overlap",
        _json(keys.NewKey, _SUCCESSOR),
        status=201,
        body=_json(keys.RotateKey, {"overlap": 86400}, required=False),
        errors=("conflict",),
        idempotent=True,
    ),
    Operation(
        "POST",
        "/v1/customers",
        "create_customer",
        "customers",
        "Create a customer",
        _json(customers.Customer, _CUSTOMER),
        status=201,
        body=_json(
            customers.CreateCustomer,
            {"customer_id": CUSTOMER_ID, "name": "Acme", "metadata": {"plan": "gold"}},
        ),
        errors=("conflict",),
        idempotent=True,
    ),
    Operation(
        "GET",
        "/v1/customers",
        "list_customers",
        "customers",
        "List customers, newest first",
        _json(customers.CustomerPage, {"object": "list", "data": [_CUSTOMER], "next_cursor": None}),
        query=customers.CustomerQuery,
        query_example={"limit": 20},
    ),
    Operation(
        "GET",
        "/v1/customers/{customer_id}",
        "get_customer",
        "customers",
        "Show one customer",
        _json(customers.Customer, _CUSTOMER),
    ),
    Operation(
        "PATCH",
        "/v1/customers/{customer_id}",
        "change_customer",
        "customers",
        "Change a customer; once disabled, its keys and tokens are refused",
        _json(customers.Customer, {**_CUSTOMER, "name": "Acme Ltd"}),
        body=_json(customers.ChangeCustomer, {"name": "Acme Ltd"}),
    ),
    Operation(
        "DELETE",
        "/v1/customers/{customer_id}",
        "delete_customer",
        "customers",
        "Delete a customer; its keys and tokens end with it",
        None,
        status=204,
    ),
    Operation(
        "GET",
        "/v1/tiers",
        "show_matrix",
        "access",
        "Show the tiers, scopes, levels and routes",
        _json(
            tiers.Matrix,
            {
                "object": "list",
                "data": [
                    {
                        "name": "startup",
                        "default_rate_limit": 1000,
                        "max_rate_limit": 10000,
                        "max_keys": 50,
                        "max_customers": 1000,
                        "max_token_lifetime": 86400,
                        "models": None,
                    }
                ],
                "scopes": [{"name": "inference:read", "description": "Access inference endpoints"}],
                "levels": [{"name": "admin", "scopes": ["admin:full"]}],
                "routes": [{"method": "GET", "path": "/v1/models", "scope": "inference:read"}],
            },
        ),
    ),
    Operation(
        "GET",
        "/healthz",
        "check_alive",
        "server",
        "Answer whenever the process can",
        _json(health.Health, {"status": "ok"}),
    ),
    Operation(
        "GET",
        "/readyz",
        "check_ready",
        "server",
        "Say whether the store answers",
        _json(health.Health, {"status": "ready"}),
        also={503: _json(health.Health, {"status": "the store does not answer"})},
    ),
    Operation(
        "GET",
        "/metrics",
        "show_metrics",
        "server",
        "Show counters in the Prometheus text format",
        Body({TEXT: str}, 'innoai_decisions_total{code="allowed"} 1.0\n'),
    ),
    Operation(
        "GET",
        "/.well-known/jwks.json",
        "show_public_keys",
        "server",
        "Show the public keys of the tokens (RFC 7517); with HS256 there are none",
        _json(health.PublicKeys, {"keys": []}),
    ),
    Operation(
        "GET",
        "/openapi.json",
        "show_document",
        "server",
        "Show this document",
        _json(dict[str, Any], {"openapi": "3.1.0"}),
    ),
)
