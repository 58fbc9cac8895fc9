"""The openai package for Python, unchanged, against the gateway and a model server behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest

from tests.contract.clients import HELLO, create_key, mint
from tests.support.server import MODEL
from tests.support.upstream import marked

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.support.server import Server
    from tests.support.upstream import Upstream

WORDS = "word0 word1 word2 word3 word4 "


@pytest.fixture
def client(server: Server, admin: httpx.Client) -> Iterator[openai.OpenAI]:
    key = create_key(admin)["key"]
    with openai.OpenAI(base_url=server.base_url, api_key=key, max_retries=0) as client:
        yield client


def test_a_chat_completion(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(**HELLO)
    assert answer.choices[0].message.content == WORDS
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 5)
    assert answer._request_id is not None
    assert answer._request_id.startswith("req_")


def test_a_streamed_chat_completion_shows_no_usage_that_was_not_asked_for(client: openai.OpenAI) -> None:
    with client.chat.completions.create(**HELLO, stream=True) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == WORDS
    assert all(chunk.usage is None for chunk in chunks)


def test_a_streamed_chat_completion_ends_with_the_usage_that_was_asked_for(client: openai.OpenAI) -> None:
    with client.chat.completions.create(
        **HELLO, stream=True, stream_options={"include_usage": True}
    ) as stream:
        *_, last = list(stream)
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == 5


def test_a_completion_and_a_streamed_one(client: openai.OpenAI) -> None:
    whole = client.completions.create(model=MODEL, prompt="Say five words")
    with client.completions.create(model=MODEL, prompt="Say five words", stream=True) as stream:
        streamed = "".join(chunk.choices[0].text for chunk in stream)
    assert whole.choices[0].text == streamed == WORDS


def test_embeddings(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model=MODEL, input=["one", "two words"], encoding_format="float")
    assert [item.embedding for item in answer.data] == [[0.0, 0.5, -1.0], [1.0, 0.5, -1.0]]
    assert answer.usage.prompt_tokens == 3


def test_a_response_and_a_streamed_one(client: openai.OpenAI) -> None:
    whole = client.responses.create(model=MODEL, input="Say five words")
    with client.responses.create(model=MODEL, input="Say five words", stream=True) as stream:
        kinds = [event.type for event in stream]
    assert whole.output_text == WORDS
    assert kinds == ["response.created", *["response.output_text.delta"] * 5, "response.completed"]


def test_a_transcription_is_a_form_with_the_file_untouched(client: openai.OpenAI, upstream: Upstream) -> None:
    marker, headers = marked()
    sound = bytes(range(256)) * 2000
    answer = client.audio.transcriptions.create(
        model=MODEL, file=("speech.wav", sound, "audio/wav"), extra_headers=headers
    )
    assert answer.text == "what was said"
    asked = upstream.request(marker)
    assert sound in asked.body
    assert b"upstream-model" in asked.body
    assert MODEL.encode() not in asked.body


def test_the_models_are_listed_and_shown(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).object == "model"
    with pytest.raises(openai.NotFoundError) as refusal:
        client.models.retrieve("no-such-model")
    assert refusal.value.code == "model_not_found"


def test_the_rate_limits_headers_are_those_that_openais_clients_read(
    server: Server, admin: httpx.Client
) -> None:
    key = create_key(admin, rate_limit=60)["key"]
    with openai.OpenAI(base_url=server.base_url, api_key=key) as client:
        raw = client.chat.completions.with_raw_response.create(**HELLO)
    assert raw.headers["x-ratelimit-limit-requests"] == "60"
    assert raw.headers["x-ratelimit-remaining-requests"] == "59"
    assert raw.headers["x-ratelimit-reset-requests"] in ("1s", "999ms")


def test_refusals_are_openais_own_exceptions(server: Server, admin: httpx.Client) -> None:
    reader = create_key(admin, scopes=["inference:read"])["key"]
    with openai.OpenAI(base_url=server.base_url, api_key=reader, max_retries=0) as client:
        with pytest.raises(openai.PermissionDeniedError) as refusal:
            client.chat.completions.create(**HELLO)
        assert refusal.value.code == "insufficient_permissions"
        with pytest.raises(openai.AuthenticationError):
            client.with_options(api_key="sk-inno-wrong").models.list()


def test_openais_client_waits_out_a_rate_limit(server: Server, admin: httpx.Client) -> None:
    """With 60 a minute one more request is free after a second, and Retry-After says so."""
    key = create_key(admin, rate_limit=60)["key"]
    with openai.OpenAI(base_url=server.base_url, api_key=key, max_retries=3) as client:
        for _ in range(61):
            client.models.list()


async def test_the_async_client_streams_and_answers(server: Server, admin: httpx.Client) -> None:
    token = mint(admin, create_key(admin)["key"], customer_id="async-customer")["access_token"]
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key=token, max_retries=0) as client:
        whole = await client.chat.completions.create(**HELLO)
        async with await client.chat.completions.create(**HELLO, stream=True) as stream:
            streamed = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        assert whole.choices[0].message.content == streamed == WORDS


async def test_a_stream_arrives_event_by_event(
    server: Server, admin: httpx.Client, upstream: Upstream
) -> None:
    """The first event is here while the model server still holds the others back."""
    marker, headers = marked(hold="events")
    options: dict[str, Any] = {**HELLO, "stream": True, "extra_headers": headers}
    key = create_key(admin)["key"]
    async with (
        openai.AsyncOpenAI(base_url=server.base_url, api_key=key, max_retries=0) as client,
        await client.chat.completions.create(**options) as stream,
    ):
        first = await anext(aiter(stream))
        assert first.choices[0].delta.role == "assistant"
        assert upstream.request(marker).outcome == "under way"
        upstream.release(marker)
        assert len([chunk async for chunk in stream]) == 6
