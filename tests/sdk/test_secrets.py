"""No secret is shown by the repr or str of anything that an application may log."""

from __future__ import annotations

import logging
from typing import Any

import openai
import pytest
from rich.pretty import pretty_repr

import innoai
from tests.sdk.conftest import KEY, Either
from tests.sdk.peer import Answer, Peer, refusal
from tests.sdk.samples import API_KEY, NEW_KEY, VALIDATION, tokens
from tests.support.samples import INVITED, NEW_ENDPOINT, SECRET

SECRETS = (KEY, "access-1", "refresh-1", "sk-inno-shown-once", SECRET, "only-once")


def shown(*things: Any) -> str:
    return " ".join(f"{thing!r} {thing!s} {pretty_repr(thing)}" for thing in things)


def assert_silent(text: str) -> None:
    assert [secret for secret in SECRETS if secret in text] == []


async def test_clients_and_their_parts_do_not_show_key_or_token(tenant: Either, peer: Peer) -> None:
    peer.on("POST /v1/auth/token", Answer(tokens()))
    peer.on("GET /v1/auth/validate", Answer(VALIDATION))
    await tenant.done(tenant.client.auth.validate())
    client = tenant.client
    keeper = client._keeper
    assert_silent(shown(client, client.auth, client.keys, keeper, keeper.grant, keeper._held))


async def test_tokens_do_not_show_themselves(either: Either, peer: Peer) -> None:
    peer.on("POST /v1/auth/token", Answer(tokens()))
    token = await either.done(either.client.auth.token())
    assert (token.access_token, token.refresh_token) == ("access-1", "refresh-1")
    assert_silent(shown(token, [token], {"token": token}))


async def test_a_new_keys_secret_is_not_shown(either: Either, peer: Peer) -> None:
    peer.on("POST /v1/keys", Answer(NEW_KEY, 201))
    peer.on("GET /v1/keys", Answer({"data": [NEW_KEY], "next_cursor": None}))
    key = await either.done(either.client.keys.create("V2"))
    page = await either.done(either.client.keys.list())
    text = shown(key, page)
    assert_silent(text)
    assert "wxyz" in text


async def test_an_endpoints_secret_and_an_invitation_are_not_shown(either: Either, peer: Peer) -> None:
    peer.on("POST /v1/webhooks", Answer(NEW_ENDPOINT, 201))
    peer.on("POST /v1/webhooks/whe_1/rotate-secret", Answer(NEW_ENDPOINT))
    peer.on("POST /v1/members", Answer(INVITED, 201))
    made = await either.done(either.client.webhooks.create("https://example.com/webhooks"))
    rotated = await either.done(either.client.webhooks.rotate_secret("whe_1"))
    member = await either.done(either.client.members.create("ana@example.com"))
    assert (made.secret, rotated.secret, member.invite_url) == (SECRET, SECRET, INVITED["invite_url"])
    assert_silent(shown(made, rotated, member))


@pytest.mark.parametrize("code", ["invalid_api_key", "token_expired"])
async def test_exceptions_do_not_show_what_was_sent(tenant: Either, peer: Peer, code: str) -> None:
    peer.on("POST /v1/auth/token", Answer(tokens()), refusal(401, code))
    peer.on("POST /v1/auth/refresh", refusal(401, code))
    peer.on("GET /v1/auth/validate", refusal(401, code))
    with pytest.raises(innoai.InnoAIError) as caught:
        await tenant.done(tenant.client.auth.validate())
    error: BaseException | None = caught.value
    while isinstance(error, innoai.InnoAIError):
        assert_silent(shown(error, error.request, error.request.headers, error.response, error.body))
        error = error.__context__


async def test_a_broken_connection_does_not_show_what_was_sent(either: Either, peer: Peer) -> None:
    peer.on("POST /v1/auth/refresh", Answer(hang_up=True))
    with pytest.raises(openai.APIConnectionError) as caught:
        await either.done(either.client.with_options(max_retries=0).auth.refresh("refresh-1"))
    assert_silent(shown(caught.value, caught.value.__cause__))


async def test_the_log_at_its_most_talkative_shows_no_secret(
    tenant: Either, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    peer.on("POST /v1/auth/token", Answer(tokens(1, expires_in=0)))
    peer.on("POST /v1/auth/refresh", Answer(tokens(2)))
    peer.on("POST /v1/keys", Answer(NEW_KEY, 201))
    peer.on("GET /v1/keys/key_1", Answer(API_KEY))
    await tenant.done(tenant.client.keys.create("V2"))
    await tenant.done(tenant.client.keys.get("key_1"))
    assert caplog.records
    assert_silent("\n".join(f"{record.getMessage()} {record.args}" for record in caplog.records))
