"""Token auth through the clients, over the wire."""

from __future__ import annotations

import asyncio
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

import innoai
from innoai import AsyncInnoAI, InnoAI
from tests.sdk.conftest import KEY, Either
from tests.sdk.peer import Answer, Peer, Received, refusal
from tests.sdk.samples import COMPLETION, STREAM, VALIDATION, tokens

MINT = "POST /v1/auth/token"
REFRESH = "POST /v1/auth/refresh"
CHAT = "POST /v1/chat/completions"
VALIDATE = "GET /v1/auth/validate"
HELLO = [{"role": "user", "content": "Hello"}]
CALLERS = 12


def only(*living: str) -> Any:
    """A chat route that honours these access tokens and no other."""

    def answer(request: Received) -> Answer:
        return Answer(COMPLETION) if request.bearer in living else refusal(401, "token_expired")

    return answer


async def chat(either: Either, **options: Any) -> Any:
    return await either.done(either.client.chat.completions.create(model="m", messages=HELLO, **options))


def bearers(peer: Peer, route: str) -> list[str | None]:
    return [r.bearer for r in peer.requests(route)]


async def test_tokens_are_minted_when_first_needed_and_narrowed(tenant: Either, peer: Peer) -> None:
    peer.on(MINT, Answer(tokens()))
    peer.on(CHAT, only("access-1"))
    assert peer.received == []
    await chat(tenant)
    await chat(tenant)
    (minted,) = peer.requests(MINT)
    assert minted.json == {
        "customer_id": "customer-123",
        "scopes": ["inference:read", "inference:write"],
        "expires_in": 3600,
    }
    assert bearers(peer, CHAT) == ["access-1", "access-1"]


async def test_the_key_is_sent_to_the_token_route_alone(tenant: Either, peer: Peer) -> None:
    peer.on(MINT, Answer(tokens(1, 0)), Answer(tokens(9)))
    peer.on(REFRESH, refusal(401, "invalid_api_key"))
    peer.on(CHAT, only("access-1"))
    peer.on(VALIDATE, Answer(VALIDATION))
    peer.on("POST /v1/auth/revoke", Answer({}))
    await chat(tenant)
    await tenant.done(tenant.client.auth.validate())
    await tenant.done(tenant.client.auth.revoke("access-1"))
    with_key = {r.path for r in peer.received if KEY in str(r)}
    assert with_key == {"/v1/auth/token"}
    assert len(peer.requests(REFRESH)) == 1


async def test_an_aging_token_is_refreshed_before_the_request(tenant: Either, peer: Peer) -> None:
    peer.on(MINT, Answer(tokens(1, expires_in=0)))
    peer.on(REFRESH, Answer(tokens(2)))
    peer.on(CHAT, only("access-1", "access-2"))
    for _ in range(3):
        await chat(tenant)
    assert bearers(peer, CHAT) == ["access-1", "access-2", "access-2"]
    (refreshed,) = peer.requests(REFRESH)
    assert (refreshed.json, refreshed.bearer) == ({"refresh_token": "refresh-1"}, None)


@pytest.mark.parametrize("code", ["token_expired", "invalid_api_key"])
async def test_a_refused_token_is_refreshed_and_the_request_sent_again(
    tenant: Either, peer: Peer, code: str
) -> None:
    peer.on(MINT, Answer(tokens(1)))
    peer.on(REFRESH, Answer(tokens(2)))
    peer.on(CHAT, refusal(401, code), only("access-2"))
    assert (await chat(tenant)).choices[0].message.content == "Hello"
    assert bearers(peer, CHAT) == ["access-1", "access-2"]
    first, second = peer.requests(CHAT)
    assert first.body == second.body != b""


async def test_it_also_works_without_retries_and_for_streams_and_raw_responses(
    tenant: Either, peer: Peer
) -> None:
    events = Answer(raw=STREAM, headers={"content-type": "text/event-stream"})
    peer.on(MINT, Answer(tokens(1)))
    peer.on(REFRESH, Answer(tokens(2)), Answer(tokens(3)))
    peer.on(CHAT, refusal(401, "token_expired"), events, refusal(401, "token_expired"), Answer(COMPLETION))
    completions = tenant.client.with_options(max_retries=0).chat.completions
    stream = await tenant.done(completions.create(model="m", messages=HELLO, stream=True))
    words = [c async for c in stream] if isinstance(tenant.client, AsyncInnoAI) else list(stream)
    assert [c.choices[0].delta.content for c in words] == ["Hel", "lo"]
    raw = await tenant.done(completions.with_raw_response.create(model="m", messages=HELLO))
    assert raw.status_code == 200
    assert bearers(peer, CHAT) == ["access-1", "access-2", "access-2", "access-3"]


async def test_a_dead_refresh_token_is_followed_by_minting(tenant: Either, peer: Peer) -> None:
    peer.on(MINT, Answer(tokens(1)), Answer(tokens(2)))
    peer.on(REFRESH, refusal(401, "token_expired"))
    peer.on(CHAT, only("access-2"))
    await chat(tenant)
    assert bearers(peer, MINT) == [KEY, KEY]
    assert len(peer.requests(REFRESH)) == 1


async def test_a_second_refusal_is_final(tenant: Either, peer: Peer) -> None:
    peer.on(MINT, Answer(tokens(1)))
    peer.on(REFRESH, Answer(tokens(2)))
    peer.on(CHAT, refusal(401, "token_expired"))
    with pytest.raises(innoai.TokenExpired):
        await chat(tenant)
    assert bearers(peer, CHAT) == ["access-1", "access-2"]
    assert len(peer.requests(REFRESH)) == len(peer.requests(MINT)) == 1


async def test_a_revoked_key_is_told_at_once(tenant: Either, peer: Peer) -> None:
    peer.on(MINT, refusal(401, "invalid_api_key"))
    with pytest.raises(innoai.InvalidApiKey):
        await chat(tenant)
    assert [r.path for r in peer.received] == ["/v1/auth/token"]


async def test_a_key_revoked_under_a_token_is_told_after_one_round(tenant: Either, peer: Peer) -> None:
    peer.on(MINT, Answer(tokens(1)), refusal(401, "invalid_api_key"))
    peer.on(REFRESH, refusal(401, "invalid_api_key"))
    peer.on(CHAT, refusal(401, "invalid_api_key"))
    with pytest.raises(innoai.InvalidApiKey):
        await chat(tenant)
    assert [r.path.rsplit("/", 1)[1] for r in peer.received] == ["token", "completions", "refresh", "token"]


async def test_other_refusals_are_not_answered_with_a_new_token(tenant: Either, peer: Peer) -> None:
    peer.on(MINT, Answer(tokens()))
    peer.on(CHAT, refusal(403, "insufficient_permissions"))
    with pytest.raises(innoai.InsufficientPermissions):
        await chat(tenant)
    assert len(peer.received) == 2


async def test_a_callers_own_authorization_is_left_alone(tenant: Either, peer: Peer) -> None:
    peer.on(MINT, Answer(tokens()))
    peer.on(CHAT, refusal(401, "invalid_api_key"))
    with pytest.raises(innoai.InvalidApiKey):
        await chat(tenant, extra_headers={"Authorization": "Bearer mine"})
    assert bearers(peer, CHAT) == ["mine"]
    assert peer.requests(REFRESH) == []


async def test_a_form_of_bytes_is_sent_again(tenant: Either, peer: Peer) -> None:
    peer.on(MINT, Answer(tokens(1)))
    peer.on(REFRESH, Answer(tokens(2)))
    peer.on("POST /v1/audio/transcriptions", refusal(401, "token_expired"), Answer({"text": "Hello"}))
    create = tenant.client.audio.transcriptions.create
    assert (await tenant.done(create(model="m", file=("a.wav", b"RIFF")))).text == "Hello"
    assert all(b"RIFF" in r.body for r in peer.requests("POST /v1/audio/transcriptions"))


async def test_a_body_that_can_be_read_only_once_is_not_sent_half(tenant: Either, peer: Peer) -> None:
    peer.on(MINT, Answer(tokens(1)))
    peer.on("POST /v1/audio/transcriptions", refusal(401, "token_expired"))
    create = tenant.client.audio.transcriptions.create
    with pytest.raises(innoai.TokenExpired):
        await tenant.done(create(model="m", file=("a.wav", io.BytesIO(b"RIFF"))))
    assert len(peer.requests("POST /v1/audio/transcriptions")) == 1


def one_at_a_time(second: threading.Event) -> Any:
    """Minting that waits a moment for a second flight, which would be the fault."""
    flights: list[Received] = []

    def answer(request: Received) -> Answer:
        flights.append(request)
        if len(flights) > 1:
            second.set()
        second.wait(0.2)
        return Answer(tokens(len(flights)))

    return answer


def test_many_threads_mint_once_and_refresh_once(peer: Peer) -> None:
    peer.on(MINT, one_at_a_time(threading.Event()))
    peer.on(REFRESH, Answer(tokens(2)))
    peer.on(CHAT, only("access-2"))
    start = threading.Barrier(CALLERS)

    def call(client: InnoAI) -> str | None:
        start.wait(timeout=30)
        answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello"}])
        return answer.choices[0].message.content

    with (
        InnoAI(api_key=KEY, base_url=peer.url, customer_id="customer-123") as client,
        ThreadPoolExecutor(CALLERS) as pool,
    ):
        assert list(pool.map(call, [client] * CALLERS)) == ["Hello"] * CALLERS
    assert (len(peer.requests(MINT)), len(peer.requests(REFRESH))) == (1, 1)


async def test_many_tasks_mint_once_and_refresh_once(peer: Peer) -> None:
    peer.on(MINT, one_at_a_time(threading.Event()))
    peer.on(REFRESH, Answer(tokens(2)))
    peer.on(CHAT, only("access-2"))
    async with AsyncInnoAI(api_key=KEY, base_url=peer.url, customer_id="customer-123") as client:
        create = client.chat.completions.create
        calls = [create(model="m", messages=[{"role": "user", "content": "Hello"}]) for _ in range(CALLERS)]
        assert len(await asyncio.gather(*calls)) == CALLERS
    assert (len(peer.requests(MINT)), len(peer.requests(REFRESH))) == (1, 1)


async def test_a_key_client_makes_a_clients_for_its_customers(either: Either, peer: Peer) -> None:
    peer.on(MINT, lambda r: Answer({**tokens(), "access_token": f"for {r.json['customer_id']}"}))
    peer.on(VALIDATE, Answer(VALIDATION))
    first = either.client.as_customer("customer-1", scopes=["inference:read"], expires_in=600)
    second = first.as_customer("customer-2")
    for client in (first, second, either.client):
        await either.done(client.auth.validate())
    assert bearers(peer, VALIDATE) == ["for customer-1", "for customer-2", KEY]
    assert [r.json for r in peer.requests(MINT)] == [
        {"customer_id": "customer-1", "scopes": ["inference:read"], "expires_in": 600},
        {"customer_id": "customer-2", "expires_in": 3600},
    ]
    assert bearers(peer, MINT) == [KEY, KEY]


async def test_a_copy_shares_the_token(tenant: Either, peer: Peer) -> None:
    peer.on(MINT, Answer(tokens()))
    peer.on(VALIDATE, Answer(VALIDATION))
    await tenant.done(tenant.client.auth.validate())
    await tenant.done(tenant.client.with_options(timeout=3).auth.validate())
    assert len(peer.requests(MINT)) == 1


async def test_a_copy_with_another_key_stays_the_customers_and_mints_its_own(
    tenant: Either, peer: Peer
) -> None:
    peer.on(MINT, Answer(tokens()))
    peer.on(VALIDATE, Answer(VALIDATION))
    other = tenant.client.with_options(api_key="sk-inno-another").with_options(timeout=3)
    await tenant.done(other.auth.validate())
    (minted,) = peer.requests(MINT)
    assert (minted.bearer, minted.json["customer_id"]) == ("sk-inno-another", "customer-123")
    assert bearers(peer, VALIDATE) == ["access-1"]


async def test_a_copy_for_another_address_takes_no_token_along(tenant: Either, peer: Peer) -> None:
    elsewhere = Peer()
    try:
        for server, number in ((peer, 1), (elsewhere, 2)):
            server.on(MINT, Answer(tokens(number)))
            server.on(VALIDATE, Answer(VALIDATION))
        await tenant.done(tenant.client.auth.validate())
        await tenant.done(tenant.client.with_options(base_url=elsewhere.url).auth.validate())
        assert bearers(elsewhere, MINT) == [KEY]
        assert bearers(elsewhere, VALIDATE) == ["access-2"]
    finally:
        elsewhere.close()


async def test_a_token_answer_is_not_fetched_through_a_redirect(tenant: Either, peer: Peer) -> None:
    peer.on(MINT, Answer(tokens(1, expires_in=0)))
    elsewhere = {"location": f"{peer.url}/elsewhere"}
    peer.on(REFRESH, Answer({}, 308, elsewhere))
    peer.on(VALIDATE, Answer(VALIDATION))
    await tenant.done(tenant.client.auth.validate())
    with pytest.raises(openai.APIStatusError):
        await tenant.done(tenant.client.auth.validate())
    assert peer.requests("POST /v1/elsewhere") == []


def test_one_string_is_not_a_list_of_scopes() -> None:
    with pytest.raises(TypeError, match="scopes is a list"):
        InnoAI(api_key=KEY, scopes="inference:read")


@pytest.mark.parametrize("nobody", ["", None])
def test_a_client_of_no_customer_is_refused_instead_of_acting_with_the_whole_key(nobody: Any) -> None:
    with (
        InnoAI(api_key="k", base_url="http://127.0.0.1:9/v1") as client,
        pytest.raises(ValueError, match="id"),
    ):
        client.as_customer(nobody)
