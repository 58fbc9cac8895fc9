"""Budgets against a real server and a real model server: spending ends at or under what was allowed."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest

from innoai.metering.spool import waiting_in
from innoai.money import NANO, show
from tests.contract.clients import HELLO, bearer, create_key, mint
from tests.support.envelope import refused
from tests.support.server import MODEL
from tests.support.settings import settings
from tests.support.store import rows_of
from tests.support.upstream import marked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import Server
    from tests.support.upstream import Upstream

FLAT, BY_TOKEN, FREE = "flat", "by-token", "free"
AT_ONCE = 200
customers = itertools.count()

PRICES = f"""
[models.{FLAT}.price]
request = 1
[models.{BY_TOKEN}.price]
prompt = 100
completion = "250.5"
"""


@pytest.fixture(scope="module")
def priced(upstream: Upstream) -> str:
    """Settings of one model with a flat price, one with prices by token, and one without a price."""
    served: list[dict[str, object]] = [{"base_url": upstream.base_url()}]
    return settings({FLAT: served, BY_TOKEN: served, FREE: served, MODEL: served}) + PRICES


@pytest.fixture(scope="module")
def own(new_server: Callable[..., Server], priced: str) -> Server:
    return new_server(priced)


@pytest.fixture
def admin(own: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=60) as client:
        yield client


def asking(model: str, **members: object) -> dict[str, Any]:
    return {**HELLO, "model": model, **members}


def spent(server: Server, subject: str) -> int:
    """What the store says once every record has arrived there, in billionths."""
    deadline = time.monotonic() + 20
    while waiting_in(server.directory / "innoai-spool") and time.monotonic() < deadline:
        time.sleep(0.05)
    query = "SELECT COALESCE(SUM(cost), 0) FROM spending WHERE subject = ?"
    ((cost,),) = rows_of(server, query, subject)
    return int(cost)


async def all_at_once(
    servers: list[Server], key: str, bodies: list[dict[str, Any]], headers: dict[str, str] | None = None
) -> list[int]:
    """The statuses of as many requests as there are bodies, in turn to each server."""
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def ask(number: int, body: dict[str, Any]) -> int:
            url = f"{servers[number % len(servers)].base_url}/chat/completions"
            answer = await client.post(url, json=body, headers={**bearer(key), **(headers or {})})
            return answer.status_code

        return await asyncio.gather(*(ask(*numbered) for numbered in enumerate(bodies)))


@pytest.mark.parametrize("period", ["monthly", "total"])
async def test_of_two_hundred_at_once_exactly_as_many_pass_as_the_budget_is_worth(
    own: Server, admin: httpx.Client, period: str
) -> None:
    key = create_key(admin, budgets={period: 20}, rate_limit=100_000)
    statuses = await all_at_once([own], key["key"], [asking(FLAT)] * AT_ONCE)
    assert sorted(set(statuses)) == [200, 402]
    assert statuses.count(200) == 20
    assert spent(own, key["id"]) == 20 * NANO


async def test_two_servers_streams_and_callers_that_leave_stay_within_the_budget(
    own: Server, new_replica: Callable[[Server], Server], admin: httpx.Client
) -> None:
    servers = [own, new_replica(own)]
    key = create_key(admin, budgets={"monthly": "0.05"}, rate_limit=100_000)
    bodies = [
        asking(BY_TOKEN, stream=number % 2 == 0, **({"max_tokens": 30} if number % 3 else {}))
        for number in range(AT_ONCE)
    ]
    leaving = [leave_midway(server, key["key"]) for server in servers for _ in range(2)]
    left = asyncio.gather(*leaving)
    statuses = await all_at_once(servers, key["key"], bodies)
    await left
    assert set(statuses) <= {200, 402}
    assert 0 < spent(own, key["id"]) <= NANO // 20
    while 200 in await all_at_once(servers, key["key"], [asking(BY_TOKEN, max_tokens=20)] * 20):
        pass
    # What is left does not cover another request, and a little of it may be on the way back to the store.
    assert NANO // 20 * 0.7 < spent(own, key["id"]) <= NANO // 20


async def leave_midway(server: Server, key: str) -> None:
    """Read the beginning of a stream, and go."""
    _, headers = marked(events=50, pace=0.02)
    body = asking(BY_TOKEN, stream=True, max_tokens=60)
    async with httpx.AsyncClient(timeout=60) as client:
        url = f"{server.base_url}/chat/completions"
        async with client.stream("POST", url, json=body, headers={**bearer(key), **headers}) as answer:
            async for _ in answer.aiter_raw():
                break


async def test_a_server_that_is_killed_again_and_again_spends_no_more(
    new_server: Callable[..., Server], priced: str
) -> None:
    own = new_server(priced)
    with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=60) as client:
        key = create_key(client, budgets={"total": 100}, rate_limit=100_000)
    passed = 0
    for _ in range(4):
        asked = asyncio.create_task(count_passed(own, key["key"]))
        await asyncio.sleep(0.4)
        own.kill()
        passed += await asked
        own.start()
    # What the killed ones held comes back once their spools have been shipped.
    deadline = time.monotonic() + 60
    while spent(own, key["id"]) < 100 * NANO and time.monotonic() < deadline:
        statuses = await all_at_once([own], key["key"], [asking(FLAT)] * 50)
        passed += statuses.count(200)
    assert passed <= 100
    assert spent(own, key["id"]) == 100 * NANO
    assert set(await all_at_once([own], key["key"], [asking(FLAT)] * 50)) == {402}


async def count_passed(server: Server, key: str) -> int:
    """Ask until the server is gone; how many answers came."""
    passed = 0
    url = f"{server.base_url}/chat/completions"
    async with httpx.AsyncClient(timeout=60) as client:
        while True:
            try:
                answer = await client.post(url, json=asking(FLAT), headers=bearer(key))
            except httpx.HTTPError:
                return passed
            passed += answer.status_code == 200


def test_the_refusal_is_one_that_openais_client_knows(own: Server, admin: httpx.Client) -> None:
    key = create_key(admin, budgets={"monthly": 0})
    client = openai.OpenAI(base_url=own.base_url, api_key=key["key"], max_retries=0)
    with client, pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(model=FLAT, messages=[{"role": "user", "content": "Hello"}])
    assert (raised.value.status_code, raised.value.code, raised.value.type) == (
        402,
        "insufficient_quota",
        "insufficient_quota",
    )


def test_a_budget_refuses_before_the_rate_is_taken_and_the_other_way_nothing_is_set_aside(
    admin: httpx.Client,
) -> None:
    key = create_key(admin, budgets={"total": 1}, rate_limit=1)
    headers = bearer(key["key"])
    assert admin.post("/chat/completions", json=asking(FLAT, n=1), headers=headers).status_code == 200
    # The budget is used up, too: that is said first.
    refused(admin.post("/chat/completions", json=asking(FLAT), headers=headers), "insufficient_quota")
    assert admin.patch(f"/keys/{key['id']}", json={"budgets": {"total": 2}}).status_code == 200
    refused(admin.post("/chat/completions", json=asking(FLAT), headers=headers), "rate_limit_exceeded")
    assert admin.patch(f"/keys/{key['id']}", json={"rate_limit": 6000}).status_code == 200
    assert admin.post("/chat/completions", json=asking(FLAT), headers=headers).status_code == 200


@pytest.mark.parametrize("failing", [{"status": 500}, {"status": 401}])
def test_what_fails_costs_nothing(own: Server, admin: httpx.Client, failing: dict[str, Any]) -> None:
    key = create_key(admin, budgets={"total": 1})
    for _ in range(3):
        _, headers = marked(**failing)
        answer = admin.post("/chat/completions", json=asking(FLAT), headers={**bearer(key["key"]), **headers})
        refused(answer, "upstream_error")
    assert admin.post("/chat/completions", json=asking(FLAT), headers=bearer(key["key"])).status_code == 200
    assert spent(own, key["id"]) == NANO


def test_budgets_of_account_and_customer_bound_every_key_and_token(own: Server, admin: httpx.Client) -> None:
    customer_id = f"customer-{next(customers)}"
    made = admin.post("/customers", json={"customer_id": customer_id, "budgets": {"total": 2}}).json()
    key = create_key(admin)["key"]
    for _ in range(2):
        token = mint(admin, key, customer_id=customer_id)["access_token"]
        answer = admin.post("/chat/completions", json=asking(FLAT), headers=bearer(token))
        assert answer.status_code == 200
    bound = create_key(admin, customer_id=customer_id)["key"]
    for credential in (bound, mint(admin, key, customer_id=customer_id)["access_token"]):
        answer = admin.post("/chat/completions", json=asking(FLAT), headers=bearer(credential))
        assert "of this customer" in refused(answer, "insufficient_quota")["message"]
    assert admin.post("/chat/completions", json=asking(FLAT), headers=bearer(key)).status_code == 200
    assert spent(own, made["id"]) == 2 * NANO


def test_a_model_without_a_price_needs_no_budget(admin: httpx.Client) -> None:
    key = create_key(admin, budgets={"total": 0})
    assert admin.post("/chat/completions", json=asking(FREE), headers=bearer(key["key"])).status_code == 200
    assert admin.get("/models", headers=bearer(key["key"])).status_code == 200


def test_an_answer_without_a_cap_gets_one_that_the_budget_covers(
    admin: httpx.Client, upstream: Upstream
) -> None:
    key = create_key(admin, budgets={"total": "0.1"})

    def sent(**members: object) -> dict[str, Any]:
        marker, headers = marked()
        answer = admin.post(
            "/chat/completions", json=asking(BY_TOKEN, **members), headers={**bearer(key["key"]), **headers}
        )
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = upstream.request(marker).json()
        return body

    # 0.1 is 399 tokens at 250.5 a million, less what the prompt may cost.
    assert 350 < sent()["max_tokens"] < 399
    assert sent(max_tokens=7)["max_tokens"] == 7
    assert "max_tokens" not in sent(max_completion_tokens=9)
    refused(
        admin.post("/chat/completions", json=asking(BY_TOKEN, max_tokens=1000), headers=bearer(key["key"])),
        "insufficient_quota",
    )
    key = create_key(admin)
    assert "max_tokens" not in sent()


def test_an_explanation_says_what_is_left(admin: httpx.Client) -> None:
    key = create_key(admin, budgets={"total": "2.5"})
    asked = {"key": key["id"], "method": "POST", "path": "/v1/chat/completions", "model": FLAT}

    def check() -> dict[str, str]:
        checks = admin.post("/auth/explain", json=asked).json()["checks"]
        found: dict[str, str] = next(check for check in checks if check["name"] == "budget")
        return found

    assert check() == {
        "name": "budget",
        "outcome": "passed",
        "detail": f"left are {show(5 * NANO // 2)} of the key's total 2.5 USD",
    }
    admin.patch(f"/keys/{key['id']}", json={"budgets": {"total": 0}})
    assert check()["outcome"] == "refused"


@pytest.mark.parametrize(
    ("method", "path", "model"),
    [
        ("GET", "/v1/models", None),
        ("GET", "/v1/auth/validate", None),
        ("POST", "/v1/chat/completions", FREE),
        ("POST", "/v1/chat/completions", FLAT),
        ("POST", "/v1/chat/completions", BY_TOKEN),
    ],
)
def test_a_used_up_budget_is_explained_as_it_is_applied(
    own: Server, admin: httpx.Client, method: str, path: str, model: str | None
) -> None:
    key = create_key(admin, budgets={"monthly": "0"}, scopes=["inference:read", "inference:write"])
    asked = {"key": key["id"], "method": method, "path": path, **({"model": model} if model else {})}
    said = admin.post("/auth/explain", json=asked).json()
    answer = httpx.request(
        method,
        f"{own.base_url.removesuffix('/v1')}{path}",
        json=asking(model) if model else None,
        headers=bearer(key["key"]),
    )
    code = None if answer.is_success else answer.json()["error"]["code"]
    assert (said["allowed"], said["code"]) == (answer.is_success, code)
    assert code == ("insufficient_quota" if model in (FLAT, BY_TOKEN) else None)


def test_a_customers_own_limit_holds_over_all_its_credentials(admin: httpx.Client) -> None:
    customer_id = f"customer-{next(customers)}"
    created = admin.post("/customers", json={"customer_id": customer_id, "rate_limit": 3})
    assert created.status_code == 201, created.text
    key = create_key(admin)["key"]
    answers = [
        admin.get("/models", headers=bearer(mint(admin, key, customer_id=customer_id)["access_token"]))
        for _ in range(4)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["x-ratelimit-limit-requests"] for answer in answers] == ["3"] * 4
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["2", "1", "0", "0"]
    bound = create_key(admin, customer_id=customer_id)["key"]
    refused(admin.get("/models", headers=bearer(bound)), "rate_limit_exceeded")
    assert admin.get("/models", headers=bearer(key)).status_code == 200
    assert admin.patch(f"/customers/{customer_id}", json={"rate_limit": None}).status_code == 200
    assert admin.get("/models", headers=bearer(bound)).status_code == 200


@pytest.mark.parametrize(
    ("path", "members"),
    [
        ("/chat/completions", b'"max_tokens":"9999"'),
        ("/chat/completions", b'"max_tokens":5,"max_tokens":99999'),
        ("/chat/completions", b'"max_tok\\u0065ns":99999'),
        ("/chat/completions", b'"max_tokens":5,"Max_Tokens":99999'),
        ("/chat/completions", b'"max_tokens":5,"n_predict":99999'),
        ("/chat/completions", b'"max_tokens":1e6'),
        ("/chat/completions", b'"max_tokens":5,"n":"5000"'),
        ("/chat/completions", b'"max_tokens":5,"n":5e3'),
        ("/chat/completions", b'"max_tokens":5,"x":[1e999]'),
        ("/completions", b'"max_tokens":5,"best_of":5000'),
        ("/completions", b'"max_tokens":90,"prompt":["a","b","c","d","e","f","g"]'),
        ("/completions", b'"max_tokens":5,"prompt":{"id":"pmpt_1"}'),
        ("/chat/completions", b'"max_tokens":5,"tools":[{"type":"web_search"}]'),
        (
            "/chat/completions",
            b'"max_tokens":5,"messages":[{"content":[{"type":"video","video":["http://x"]}]}]',
        ),
        ("/chat/completions", b'"max_tokens":5,"messages":[{"content":[{"image":"http://x/1.jpg"}]}]'),
    ],
)
def test_no_spelling_asks_for_more_than_the_budget_covers(
    admin: httpx.Client, upstream: Upstream, path: str, members: bytes
) -> None:
    key = create_key(admin, budgets={"total": "0.1"})
    marker, headers = marked()
    body = b'{"model":"%b","messages":[],%b}' % (BY_TOKEN.encode(), members)
    answer = admin.post(
        path, content=body, headers={**bearer(key["key"]), **headers, "content-type": "application/json"}
    )
    assert answer.status_code in {400, 402}, answer.text
    assert upstream.requests(marker) == []


def test_a_negative_cap_is_replaced_by_one_that_the_budget_covers(
    admin: httpx.Client, upstream: Upstream
) -> None:
    key = create_key(admin, budgets={"total": "0.1"})
    marker, headers = marked()
    odd = asking(BY_TOKEN, max_tokens=5, max_completion_tokens=-1, n_predict=-1)
    assert (
        admin.post("/chat/completions", json=odd, headers={**bearer(key["key"]), **headers}).status_code
        == 200
    )
    sent = upstream.request(marker).json()
    assert 256 <= sent["max_tokens"] < 399
    assert not {"max_completion_tokens", "n_predict"} & sent.keys()
