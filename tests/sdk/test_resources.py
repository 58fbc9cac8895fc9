from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from innoai.sdk import resources
from tests.sdk.calls import CALLS, EXPLANATION, Made
from tests.sdk.conftest import KEY, Either
from tests.sdk.peer import Answer, Peer, refusal
from tests.sdk.samples import API_KEY, CUSTOMER, MATRIX, NEW_KEY
from tests.support.samples import DELIVERY, INVITED, NEW_ENDPOINT

if TYPE_CHECKING:
    from innoai import AsyncInnoAI, InnoAI


@pytest.mark.parametrize(
    ("make", "route", "body", "answer"), [row[1:] for row in CALLS], ids=[row[0] for row in CALLS]
)
async def test_a_method_sends_what_the_contract_asks_for(
    either: Either, peer: Peer, make: Made, route: str, body: Any, answer: Answer
) -> None:
    peer.on(route, answer)
    result = await either.done(make(either.client))
    (sent,) = peer.requests(route)
    assert (sent.json if sent.body else None) == body
    assert (result is None) == (answer.status == 204 or answer.body == {})


@pytest.mark.parametrize("row", CALLS, ids=[row[0] for row in CALLS])
async def test_the_key_goes_where_it_proves_something(
    either: Either, peer: Peer, row: tuple[str, Made, str, Any, Answer]
) -> None:
    name, make, route, _, answer = row
    peer.on(route, answer)
    await either.done(make(either.client))
    assert peer.received[0].bearer == (None if name in ("auth.refresh", "auth.revoke") else KEY)


async def test_answers_are_models_with_times(either: Either, peer: Peer) -> None:
    peer.on("POST /v1/keys", Answer({**NEW_KEY, "expires_at": "2027-01-01T00:00:00Z"}, 201))
    key = await either.done(either.client.keys.create(name="Production V2"))
    assert (key.id, key.key, key.last4) == ("key_1", "sk-inno-shown-once", "wxyz")
    assert key.created_at == datetime(2026, 11, 24, 22, 7, 2, tzinfo=UTC)
    assert key.expires_at == datetime(2027, 1, 1, tzinfo=UTC)
    assert key.to_dict(mode="json")["created_at"] == "2026-11-24T22:07:02Z"


async def test_a_key_that_is_read_again_has_no_secret(either: Either, peer: Peer) -> None:
    peer.on("GET /v1/keys/key_1", Answer(API_KEY))
    assert (await either.done(either.client.keys.get("key_1"))).key is None


async def test_an_explanation_holds_its_checks(either: Either, peer: Peer) -> None:
    peer.on("POST /v1/auth/explain", Answer(EXPLANATION))
    explanation = await either.done(either.client.auth.explain(key="key_1", method="GET", path="/v1/models"))
    assert (explanation.allowed, explanation.checks[0].outcome) == (False, "refused")


async def test_the_matrix_holds_tiers_scopes_levels_and_routes(either: Either, peer: Peer) -> None:
    peer.on("GET /v1/tiers", Answer(MATRIX))
    matrix = await either.done(either.client.tiers())
    assert (matrix.data[0].name, matrix.data[0].max_keys) == ("startup", 100)
    assert (matrix.routes[0].scope, matrix.levels[0].scopes) == ("inference:read", ["inference:read"])
    assert matrix.scopes[0].name == "inference:read"


async def test_members_of_a_newer_server_are_kept(either: Either, peer: Peer) -> None:
    peer.on("GET /v1/keys/key_1", Answer({**API_KEY, "of_tomorrow": 1}))
    assert (await either.done(either.client.keys.get("key_1"))).of_tomorrow == 1


CREATORS: list[tuple[str, Made, str, dict[str, Any]]] = [
    ("keys.create", lambda c, **o: c.keys.create("V2", **o), "POST /v1/keys", NEW_KEY),
    ("keys.rotate", lambda c, **o: c.keys.rotate("key_1", **o), "POST /v1/keys/key_1/rotate", NEW_KEY),
    ("customers.create", lambda c, **o: c.customers.create("c", **o), "POST /v1/customers", CUSTOMER),
    (
        "webhooks.create",
        lambda c, **o: c.webhooks.create("https://x", **o),
        "POST /v1/webhooks",
        NEW_ENDPOINT,
    ),
    (
        "webhooks.rotate_secret",
        lambda c, **o: c.webhooks.rotate_secret("whe_1", **o),
        "POST /v1/webhooks/whe_1/rotate-secret",
        NEW_ENDPOINT,
    ),
    (
        "webhooks.test",
        lambda c, **o: c.webhooks.test("whe_1", **o),
        "POST /v1/webhooks/whe_1/test",
        DELIVERY,
    ),
    (
        "webhooks.replay",
        lambda c, **o: c.webhooks.replay("whe_1", "2026-11-01T00:00:00Z", **o),
        "POST /v1/webhooks/whe_1/replay",
        {"object": "replay", "count": 0},
    ),
    (
        "webhooks.replay_delivery",
        lambda c, **o: c.webhooks.replay_delivery("dlv_1", **o),
        "POST /v1/webhooks/deliveries/dlv_1/replay",
        DELIVERY,
    ),
    ("members.create", lambda c, **o: c.members.create("a@b.example", **o), "POST /v1/members", INVITED),
]
each_creator = pytest.mark.parametrize(
    ("create", "route", "body"), [row[1:] for row in CREATORS], ids=[row[0] for row in CREATORS]
)


@each_creator
async def test_a_retry_repeats_the_idempotency_key_and_another_call_does_not(
    either: Either, peer: Peer, create: Any, route: str, body: dict[str, Any]
) -> None:
    peer.on(route, refusal(503, "service_unavailable"), Answer(body, 201))
    await either.done(create(either.client))
    await either.done(create(either.client))
    first, retry, second = (r.headers["idempotency-key"] for r in peer.requests(route))
    assert first == retry != second


@each_creator
async def test_a_given_idempotency_key_is_sent(
    either: Either, peer: Peer, create: Any, route: str, body: dict[str, Any]
) -> None:
    peer.on(route, Answer(body, 201))
    await either.done(create(either.client, idempotency_key="order-17"))
    assert peer.received[0].headers["idempotency-key"] == "order-17"


async def test_an_update_of_nothing_sends_an_empty_change(either: Either, peer: Peer) -> None:
    peer.on("PATCH /v1/keys/key_1", Answer(API_KEY))
    await either.done(either.client.keys.update("key_1"))
    assert peer.received[0].json == {}


async def test_a_datetime_is_sent_in_utc(either: Either, peer: Peer) -> None:
    peer.on("POST /v1/keys", Answer(NEW_KEY, 201))
    manila = timezone(timedelta(hours=8))
    await either.done(either.client.keys.create("V2", expires_at=datetime(2027, 1, 1, 8, tzinfo=manila)))
    assert peer.received[0].json["expires_at"] == "2027-01-01T00:00:00Z"


async def test_a_datetime_without_a_zone_is_refused(either: Either, peer: Peer) -> None:
    with pytest.raises(ValueError, match="time zone"):
        await either.done(either.client.keys.create("V2", expires_at=datetime(2027, 1, 1)))  # noqa: DTZ001
    assert peer.received == []


async def test_one_string_is_not_a_list_of_scopes(either: Either, peer: Peer) -> None:
    with pytest.raises(TypeError, match="scopes is a list"):
        await either.done(either.client.keys.create("V2", scopes="inference:read"))
    assert peer.received == []


async def test_a_keys_secret_never_enters_a_url(either: Either, peer: Peer) -> None:
    with pytest.raises(ValueError, match=r"auth\.revoke") as caught:
        await either.done(either.client.keys.revoke("sk-oldkey"))
    assert "oldkey" not in str(caught.value)
    assert peer.received == []


@pytest.mark.parametrize("customer_id", ["", ".", ".."])
async def test_an_id_that_would_name_another_path_is_refused(
    either: Either, peer: Peer, customer_id: str
) -> None:
    with pytest.raises(ValueError, match="customer_id"):
        await either.done(either.client.customers.delete(customer_id))
    assert peer.received == []


async def test_an_id_stays_one_segment_of_the_path(either: Either, peer: Peer) -> None:
    peer.on("GET /v1/customers/a%2Fb%3Fc%20%C3%A9", Answer(CUSTOMER))
    await either.done(either.client.customers.get("a/b?c é"))
    assert len(peer.received) == 1


def page(number: int, next_cursor: str | None) -> Answer:
    return Answer(
        {"object": "list", "data": [{**API_KEY, "id": f"key_{number}"}], "next_cursor": next_cursor}
    )


def test_iterating_a_page_walks_all_pages(client: InnoAI, peer: Peer) -> None:
    nothing_here = Answer({"object": "list", "data": [], "next_cursor": "c3"})
    peer.on("GET /v1/keys", page(1, "c2"), nothing_here, page(2, None))
    first = client.keys.list(limit=1, status="active", customer_id="customer-123")
    assert ([key.id for key in first.data], first.next_cursor) == (["key_1"], "c2")
    assert [key.id for key in first] == ["key_1", "key_2"]
    asked = {"limit": ["1"], "status": ["active"], "customer_id": ["customer-123"]}
    assert [r.query for r in peer.received] == [
        asked,
        {**asked, "cursor": ["c2"]},
        {**asked, "cursor": ["c3"]},
    ]


async def test_iterating_an_async_page_walks_all_pages(async_client: AsyncInnoAI, peer: Peer) -> None:
    peer.on(
        "GET /v1/customers", *(Answer({"data": [CUSTOMER], "next_cursor": c}) for c in ("c2", None, None))
    )
    assert [c.id async for c in async_client.customers.list(limit=1)] == ["cus_1", "cus_1"]
    first = await async_client.customers.list(cursor="c9")
    assert ([c.id for c in first.data], first.next_cursor) == (["cus_1"], None)
    assert [r.query.get("cursor") for r in peer.received] == [None, ["c2"], ["c9"]]


@pytest.mark.parametrize("name", ["Auth", "Keys", "Customers", "Members", "Billing", "Webhooks", "Audit"])
def test_the_async_twin_has_the_same_methods_parameters_and_documentation(name: str) -> None:
    def surface(kind: type) -> dict[str, tuple[Any, str | None]]:
        return {
            method: (inspect.signature(value).parameters, value.__doc__)
            for method, value in vars(kind).items()
            if not method.startswith("_")
        }

    assert surface(getattr(resources, name)) == surface(getattr(resources, f"Async{name}")) != {}


def test_a_methods_signature_can_be_inspected(client: InnoAI) -> None:
    assert list(inspect.signature(client.keys.rotate).parameters) == [
        "key_id",
        "overlap",
        "name",
        "idempotency_key",
    ]
    assert "successor" in str(client.keys.rotate.__doc__)
