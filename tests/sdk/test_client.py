from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import openai
import pytest

import innoai
from innoai import AsyncInnoAI, InnoAI, MissingApiKey
from tests.sdk.conftest import KEY, Either
from tests.sdk.peer import Answer, Peer, refusal
from tests.sdk.samples import COMPLETION, STREAM, VALIDATION

HELLO = [{"role": "user", "content": "Hello"}]
CHAT = "POST /v1/chat/completions"
MODEL = "inno-ai-boyong-4.5"


def test_the_seeds_client_with_a_key_is_made() -> None:
    with InnoAI(api_key="your-api-key") as client:
        assert client.api_key == "your-api-key"
        assert isinstance(client, openai.OpenAI)
        assert str(client.base_url) == "http://127.0.0.1:8080/v1/"


def test_the_seeds_client_with_the_environments_key_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INNOAI_API_KEY", KEY)
    with InnoAI(api_key=os.environ["INNOAI_API_KEY"]) as given, InnoAI() as found:
        assert given.api_key == found.api_key == KEY


@pytest.mark.parametrize("kind", [InnoAI, AsyncInnoAI])
def test_a_missing_key_names_what_to_set(
    kind: type[InnoAI | AsyncInnoAI], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-server")
    with pytest.raises(MissingApiKey, match=r"api_key=.*INNOAI_API_KEY"):
        kind()


def test_an_empty_key_is_a_missing_key() -> None:
    with pytest.raises(MissingApiKey):
        InnoAI(api_key=" \n")


async def test_a_key_read_from_a_file_is_sent_without_the_last_newline(either: Either, peer: Peer) -> None:
    peer.on("GET /v1/auth/validate", Answer(VALIDATION))
    client = either.client.with_options(api_key=f"{KEY}\n")
    await either.done(client.auth.validate())
    assert peer.received[0].bearer == KEY


@pytest.mark.parametrize("key", ["sk-inno-secret\nX: y", "sk-inno-secret more", "sk-inno-secrét"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match="API key contains") as caught:
        InnoAI(api_key=key)
    assert "secr" not in str(caught.value)


@pytest.mark.parametrize("kind", [InnoAI, AsyncInnoAI])
def test_a_key_that_is_no_text_is_refused(kind: Any) -> None:
    with pytest.raises(TypeError, match="api_key is a string, not int"):
        kind(api_key=5)


@pytest.mark.parametrize("kind", [InnoAI, AsyncInnoAI])
@pytest.mark.parametrize("base_url", ["127.0.0.1:8080/v1", "ai.example.com/v1", "ftp://ai.example.com/v1"])
def test_a_base_url_without_a_scheme_is_refused(
    kind: Any, base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"starts with http:// or https:// and ends in /v1"):
        kind(api_key=KEY, base_url=base_url)
    monkeypatch.setenv("INNOAI_BASE_URL", base_url)
    with pytest.raises(ValueError, match=r"starts with http:// or https:// and ends in /v1"):
        kind(api_key=KEY)


def test_the_base_url_comes_from_the_environment_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INNOAI_BASE_URL", "https://gateway.example/v1")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://another.example/v1")
    with InnoAI(api_key=KEY) as found, InnoAI(api_key=KEY, base_url="http://here.example/v1") as given:
        assert str(found.base_url) == "https://gateway.example/v1/"
        assert str(given.base_url) == "http://here.example/v1/"


async def test_nothing_of_openais_environment_is_sent(monkeypatch: pytest.MonkeyPatch, peer: Peer) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "foreign-key")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "foreign-admin")
    monkeypatch.setenv("OPENAI_ORG_ID", "foreign-org")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "foreign-project")
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", "foreign-secret")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer foreign\nX-Foreign: foreign")
    peer.on(CHAT, Answer(COMPLETION))
    with InnoAI(api_key=KEY, base_url=peer.url) as client:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hello"}])
        copied = client.with_options(timeout=5)
        copied.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hello"}])
        assert copied.admin_api_key is None
        assert copied.webhook_secret is None
    async with AsyncInnoAI(api_key=KEY, base_url=peer.url) as client_:
        await client_.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hello"}])
    assert [r.bearer for r in peer.received] == [KEY] * 3
    assert not any("foreign" in value for r in peer.received for value in r.headers.values())


async def test_given_headers_organization_and_project_are_sent(either: Either, peer: Peer) -> None:
    peer.on("GET /v1/auth/validate", Answer(VALIDATION))
    client = either.client.with_options(default_headers={"X-Mine": "1"}, organization="o", project="p")
    await either.done(client.with_options(timeout=9).auth.validate())
    headers = peer.received[0].headers
    assert (headers["x-mine"], headers["openai-organization"], headers["openai-project"]) == ("1", "o", "p")


async def test_chat_comes_from_openai(either: Either, peer: Peer) -> None:
    peer.on(CHAT, Answer(COMPLETION))
    completion = await either.done(either.client.chat.completions.create(model=MODEL, messages=HELLO))
    assert completion.choices[0].message.content == "Hello"
    assert peer.received[0].bearer == KEY


def test_a_stream_is_read_event_by_event(client: InnoAI, peer: Peer) -> None:
    peer.on(CHAT, Answer(raw=STREAM, headers={"content-type": "text/event-stream"}))
    stream = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hello"}], stream=True
    )
    with stream:
        assert [chunk.choices[0].delta.content for chunk in stream] == ["Hel", "lo"]


async def test_an_async_stream_is_read_event_by_event(async_client: AsyncInnoAI, peer: Peer) -> None:
    peer.on(CHAT, Answer(raw=STREAM, headers={"content-type": "text/event-stream"}))
    stream = await async_client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hello"}], stream=True
    )
    async with stream:
        assert [chunk.choices[0].delta.content async for chunk in stream] == ["Hel", "lo"]


async def test_raw_responses_show_the_rate_limit_headers(either: Either, peer: Peer) -> None:
    peer.on(CHAT, Answer(COMPLETION, headers={"x-ratelimit-remaining-requests": "19"}))
    raw = await either.done(
        either.client.chat.completions.with_raw_response.create(model=MODEL, messages=HELLO)
    )
    assert raw.headers["x-ratelimit-remaining-requests"] == "19"
    assert raw.parse().choices[0].message.content == "Hello"


def test_streaming_responses_keep_working(client: InnoAI, peer: Peer) -> None:
    peer.on(CHAT, Answer(COMPLETION))
    create = client.chat.completions.with_streaming_response.create
    with create(model=MODEL, messages=[{"role": "user", "content": "Hello"}]) as response:
        assert b"Hello" in response.read()


async def test_a_refused_stream_raises_the_typed_error(either: Either, peer: Peer) -> None:
    peer.on(CHAT, refusal(403, "model_not_allowed"))
    with pytest.raises(innoai.ModelNotAllowed):
        await either.done(either.client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))


def test_a_copy_of_the_client_keeps_key_address_and_control_plane(client: InnoAI, peer: Peer) -> None:
    peer.on("GET /v1/auth/validate", Answer(VALIDATION))
    copied = client.copy(max_retries=0).with_options(timeout=3)
    assert isinstance(copied, InnoAI)
    assert (copied.max_retries, copied.timeout) == (0, 3)
    assert copied.auth.validate().key_id == "key_1"
    assert peer.received[0].bearer == KEY


def test_a_misspelled_option_is_an_error() -> None:
    with pytest.raises(TypeError, match="custmer_id"):
        InnoAI(api_key=KEY, custmer_id="customer-123")  # type: ignore[call-arg]


def python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_importing_innoai_imports_no_openai_until_a_name_is_used() -> None:
    code = "import sys, innoai; print('openai' in sys.modules); innoai.InnoAI; print('openai' in sys.modules)"
    assert python(code).split() == ["False", "True"]


def test_webhooks_are_verified_without_openai() -> None:
    code = (
        "import sys; sys.modules['openai'] = None\n"
        "from innoai import webhooks; print(webhooks.verify(b'', '', 'secret'))"
    )
    assert python(code) == "False"


def test_audit_logs_are_verified_without_openai() -> None:
    code = (
        "import sys; sys.modules['openai'] = None\n"
        "from innoai import audit; print(audit.verify([]).head.sequence)"
    )
    assert python(code) == "0"


def test_every_exported_name_can_be_had() -> None:
    exported = [name for name in dir(innoai) if not name.startswith("_")]
    assert {"InnoAI", "AsyncInnoAI", "audit", "webhooks", "InnoAIError", "RateLimitExceeded"} <= set(exported)
    assert all(getattr(innoai, name) is not None for name in exported)


def test_a_name_that_is_not_exported_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Innoai"):
        innoai.Innoai  # noqa: B018
