from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import openai
import pytest

import innoai
from innoai import AsyncInnoAI, InnoAI
from tests.sdk.conftest import KEY, Either
from tests.sdk.peer import Answer, Peer, refusal
from tests.sdk.samples import COMPLETION

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = "m"
HELLO = [{"role": "user", "content": "Hello"}]
CHAT = "POST /v1/chat/completions"
EMBEDDINGS = "POST /v1/embeddings"
TOKEN = "POST /v1/auth/token"
PAIR = {"access_token": "a", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r"}

CALLS: dict[str, Callable[[Any], Any]] = {
    CHAT: lambda client: client.chat.completions.create(model=MODEL, messages=HELLO),
    EMBEDDINGS: lambda client: client.embeddings.create(model=MODEL, input="a"),
}


async def outcome(either: Either, call: Callable[[Any], Any]) -> Exception | None:
    try:
        await either.done(call(either.client))
    except openai.OpenAIError as problem:
        return problem
    return None


@pytest.fixture(params=CALLS)
def route(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.mark.parametrize("lost", [Answer(hang_up=True), Answer(COMPLETION, cut=True)])
async def test_inference_is_not_repeated_after_a_closed_connection(
    either: Either, peer: Peer, route: str, lost: Answer
) -> None:
    peer.on(route, lost, Answer(COMPLETION))
    assert isinstance(await outcome(either, CALLS[route]), openai.APIConnectionError)
    assert len(peer.received) == 1


async def test_inference_is_not_repeated_after_a_timeout(either: Either, peer: Peer, route: str) -> None:
    released = peer.hold(route)
    either.client = either.client.with_options(timeout=0.2)
    assert isinstance(await outcome(either, CALLS[route]), openai.APITimeoutError)
    released()
    assert len(peer.received) == 1


@pytest.mark.parametrize(("status", "code"), [(500, "internal_error"), (502, "upstream_error")])
async def test_inference_that_may_have_been_done_is_not_repeated(
    either: Either, peer: Peer, route: str, status: int, code: str
) -> None:
    peer.on(route, refusal(status, code), Answer(COMPLETION))
    assert isinstance(await outcome(either, CALLS[route]), innoai.InnoAIError)
    assert len(peer.received) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_inference_that_was_refused_is_repeated(either: Either, peer: Peer, status: int) -> None:
    peer.on(CHAT, refusal(status, "rate_limit_exceeded"), Answer(COMPLETION))
    assert await outcome(either, CALLS[CHAT]) is None
    assert len(peer.received) == 2


@pytest.mark.parametrize("lost", [Answer(hang_up=True), refusal(502, "upstream_error")])
async def test_inference_under_an_idempotency_key_is_repeated(
    either: Either, peer: Peer, lost: Answer
) -> None:
    peer.on(CHAT, lost, Answer(COMPLETION))
    headers = {"Idempotency-Key": "mine"}
    create = either.client.chat.completions.create
    await either.done(create(model=MODEL, messages=HELLO, extra_headers=headers))
    assert [r.headers["idempotency-key"] for r in peer.received] == ["mine", "mine"]


async def test_minting_creates_nothing_and_is_repeated(either: Either, peer: Peer) -> None:
    peer.on(TOKEN, Answer(hang_up=True), refusal(502, "upstream_error"), Answer(PAIR))
    assert (await either.done(either.client.auth.token())).access_token == "a"
    assert len(peer.received) == 3


@pytest.mark.parametrize("kind", [InnoAI, AsyncInnoAI])
async def test_a_request_that_never_left_is_tried_again(
    kind: type[InnoAI | AsyncInnoAI], monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = []

    def pause(self: Any, *_: object) -> float:
        pauses.append(0)
        return 0

    monkeypatch.setattr(kind, "_calculate_retry_timeout", pause)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    either = Either(kind, {"api_key": KEY, "base_url": f"http://127.0.0.1:{port}/v1"})
    assert isinstance(await outcome(either, CALLS[CHAT]), openai.APIConnectionError)
    await either.done(either.client.close())
    assert len(pauses) == 2


async def test_a_refusal_is_repeated_where_the_server_asks_for_it(either: Either, peer: Peer) -> None:
    asked = Answer({"error": {}}, 500, {"x-should-retry": "true", "retry-after-ms": "1"})
    peer.on(CHAT, asked, Answer(COMPLETION))
    assert await outcome(either, CALLS[CHAT]) is None
    assert len(peer.received) == 2
