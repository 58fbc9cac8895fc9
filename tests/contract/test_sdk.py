"""`from innoai import InnoAI` against the real server, as the page shows it."""

from __future__ import annotations

import asyncio
import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import openai
import pytest

import innoai
from innoai import AsyncInnoAI, InnoAI
from tests.contract.clients import HELLO, create_key
from tests.support.forger import claims_of
from tests.support.server import MODEL
from tests.support.upstream import marked

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.support.forger import Forger
    from tests.support.server import Server
    from tests.support.upstream import Upstream

WORDS = "word0 word1 word2 word3 word4 "


@pytest.fixture
def client(server: Server) -> Iterator[InnoAI]:
    with InnoAI(api_key=server.admin_key, base_url=server.base_url, max_retries=0) as client:
        yield client


def test_the_pages_two_ways_to_make_a_client(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INNOAI_BASE_URL", server.base_url)
    monkeypatch.setenv("INNOAI_API_KEY", server.admin_key)
    for client in (InnoAI(api_key=server.admin_key), InnoAI()):
        with client:
            assert client.chat.completions.create(**HELLO).choices[0].message.content == WORDS


def test_everything_of_openais_client_is_there(client: InnoAI) -> None:
    with client.chat.completions.create(**HELLO, stream=True) as stream:
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == WORDS
    assert len(client.embeddings.create(model=MODEL, input="a", encoding_format="float").data) == 1
    assert client.responses.create(model=MODEL, input="a").output_text == WORDS
    assert [model.id for model in client.models.list()] == [MODEL]


def test_keys_live_their_whole_life(client: InnoAI, server: Server) -> None:
    made = client.keys.create(
        name="SDK", scopes=["inference:read"], allowed_ips=["127.0.0.0/8"], rate_limit=500, models=[MODEL]
    )
    assert made.key is not None
    assert made.key not in repr(made)
    shown = client.keys.get(made.id)
    assert (shown.name, shown.allowed_ips, shown.rate_limit, shown.models) == (
        "SDK",
        ["127.0.0.0/8"],
        500,
        [MODEL],
    )
    assert client.keys.update(made.id, name="SDK 2", rate_limit=600).name == "SDK 2"
    successor = client.keys.rotate(made.id, overlap=0)
    assert successor.rotated_from == made.id
    assert client.keys.get(made.id).rotated_to == successor.id
    assert successor.key is not None
    with InnoAI(api_key=made.key, base_url=server.base_url) as old, pytest.raises(innoai.InvalidApiKey):
        old.auth.validate()
    with InnoAI(api_key=successor.key, base_url=server.base_url) as new:
        assert new.auth.validate().rate_limit == 600
        client.keys.revoke(successor.id)
        with pytest.raises(innoai.InvalidApiKey):
            new.auth.validate()
    assert client.keys.get(successor.id).status == "revoked"


def test_a_list_is_walked_through_all_its_pages(client: InnoAI) -> None:
    made = {client.keys.create(name=f"Paged {number}").id for number in range(7)}
    assert made <= {key.id for key in client.keys.list(limit=3)}
    assert len(client.keys.list(limit=3).data) == 3


def test_an_idempotency_key_makes_one_key_of_two_creates(client: InnoAI) -> None:
    first = client.keys.create(name="Once", idempotency_key="once-only")
    second = client.keys.create(name="Once", idempotency_key="once-only")
    assert (first.id, first.key) == (second.id, second.key)
    with pytest.raises(innoai.Conflict):
        client.keys.create(name="Another", idempotency_key="once-only")


def test_customers_live_their_whole_life(client: InnoAI) -> None:
    made = client.customers.create(customer_id="sdk-customer", name="One", metadata={"plan": "gold"})
    assert made.id.startswith("cus_")
    with pytest.raises(innoai.Conflict):
        client.customers.create(customer_id="sdk-customer")
    changed = client.customers.update("sdk-customer", name="Two", disabled=True)
    assert (changed.name, changed.disabled, changed.metadata) == ("Two", True, {"plan": "gold"})
    assert "sdk-customer" in {customer.customer_id for customer in client.customers.list(limit=2)}
    client.customers.delete("sdk-customer")
    with pytest.raises(innoai.NotFound):
        client.customers.get("sdk-customer")


def test_tokens_are_minted_refreshed_introspected_and_revoked(client: InnoAI) -> None:
    pair = client.auth.token(customer_id="sdk-tokens", scopes=["inference:read"], expires_in=60)
    assert (pair.token_type, pair.expires_in) == ("Bearer", 60)
    assert client.auth.refresh(pair.refresh_token).refresh_token == pair.refresh_token
    seen = client.auth.introspect(pair.access_token)
    assert (seen.active, seen.scope, seen.customer_id) == (True, "inference:read", "sdk-tokens")
    client.auth.revoke(pair.access_token)
    assert client.auth.introspect(pair.access_token).active is False


def test_explain_and_tiers(client: InnoAI) -> None:
    key = client.keys.create(name="Explained", scopes=["inference:read"], allowed_ips=["10.0.0.0/8"])
    refused = client.auth.explain(key=key.id, method="GET", path="/v1/models", ip="192.0.2.1")
    assert (refused.allowed, refused.code) == (False, "ip_not_allowed")
    assert [check.outcome for check in refused.checks][:4] == ["passed", "passed", "passed", "refused"]
    assert client.auth.explain(key=key.id, method="GET", path="/v1/models", ip="10.1.1.1").allowed is True
    assert {tier.name for tier in client.tiers().data} == {"free", "startup", "business", "enterprise"}


def test_refusals_are_typed_and_say_what_the_page_says(server: Server, client: InnoAI) -> None:
    reader = client.keys.create(name="Reader", scopes=["customers:read"], rate_limit=1)
    with InnoAI(api_key=reader.key, base_url=server.base_url, max_retries=0) as limited:
        with pytest.raises(innoai.InsufficientPermissions) as refusal:
            limited.customers.create(customer_id="never")
        assert refusal.value.required_scope == "customers:write"
        assert isinstance(refusal.value, openai.PermissionDeniedError)
        limited.customers.list()
        with pytest.raises(innoai.RateLimitExceeded) as exceeded:
            limited.customers.list()
        assert exceeded.value.retry_after is not None
        assert exceeded.value.request_id is not None


# Token auth.


def test_a_customers_client_sends_tokens_and_never_the_key(
    server: Server, client: InnoAI, upstream: Upstream
) -> None:
    acme = client.as_customer("sdk-acme", scopes=["inference:read", "inference:write"], expires_in=60)
    assert acme.auth.validate().scopes == ["inference:read", "inference:write"]
    marker, headers = marked()
    answer = acme.chat.completions.create(**HELLO, extra_headers=headers)
    assert answer.choices[0].message.content == WORDS
    assert server.admin_key not in str(upstream.request(marker))
    with pytest.raises(innoai.InsufficientPermissions):
        acme.customers.list()


def test_a_token_that_expired_meanwhile_is_replaced_once_for_all_threads(
    server: Server, admin: httpx.Client, forger: Forger
) -> None:
    key = create_key(admin)["key"]
    with InnoAI(
        api_key=key, base_url=server.base_url, customer_id="threads", token_lifetime=60, max_retries=0
    ) as client:
        client.models.list()
        before = _held(client)
        _hold(client, forger.expired(before))
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: client.chat.completions.create(**HELLO), range(16)))
        assert all(answer.choices[0].message.content == WORDS for answer in answers)
        after = _held(client)
        assert claims_of(after).sid == claims_of(before).sid
        assert claims_of(after).jti != claims_of(before).jti


def test_a_revoked_family_is_replaced_by_a_new_token(server: Server, admin: httpx.Client) -> None:
    key = create_key(admin)["key"]
    with InnoAI(api_key=key, base_url=server.base_url, scopes=["inference:read"], max_retries=0) as client:
        client.models.list()
        before = _held(client)
        keeper: Any = client._keeper
        assert admin.post("/auth/revoke", json={"token": keeper._held.refresh_token}).status_code == 200
        client.models.list()
        assert claims_of(_held(client)).sid != claims_of(before).sid


def test_a_revoked_key_ends_its_clients(server: Server, admin: httpx.Client) -> None:
    made = create_key(admin)
    with InnoAI(api_key=made["key"], base_url=server.base_url, customer_id="ended", max_retries=0) as client:
        client.models.list()
        assert admin.delete(f"/keys/{made['id']}").status_code == 204
        with pytest.raises(innoai.InvalidApiKey):
            client.models.list()


async def test_the_async_client_does_all_the_same(server: Server, forger: Forger) -> None:
    async with AsyncInnoAI(api_key=server.admin_key, base_url=server.base_url, max_retries=0) as client:
        made = await client.keys.create(name="Async")
        assert made.id in {key.id async for key in await client.keys.list(limit=2)}
        assert (await client.auth.validate()).valid is True
        acme = client.as_customer("async-acme", expires_in=60)
        await acme.models.list()
        _hold(acme, forger.expired(_held(acme)))
        answers = await asyncio.gather(*(acme.chat.completions.create(**HELLO) for _ in range(16)))
        assert all(answer.choices[0].message.content == WORDS for answer in answers)
        async with await acme.chat.completions.create(**HELLO, stream=True) as stream:
            said = [chunk.choices[0].delta.content or "" async for chunk in stream]
        assert "".join(said) == WORDS
        await client.keys.revoke(made.id)
        assert (await client.keys.get(made.id)).status == "revoked"


def _held(client: InnoAI | AsyncInnoAI) -> str:
    """The access token that the client uses."""
    keeper: Any = client._keeper
    token: str = keeper._held.access_token
    return token


def _hold(client: InnoAI | AsyncInnoAI, token: str) -> None:
    """Let time pass for its access token, which the client does not notice."""
    keeper: Any = client._keeper
    keeper._held = dataclasses.replace(keeper._held, access_token=token)
    keeper._issued = (*keeper._issued, token)
