"""Money, signals, records and people through `from innoai import InnoAI`, against a real server."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

import innoai
from innoai import AsyncInnoAI, InnoAI, audit, webhooks
from tests.contract.clients import HELLO
from tests.contract.test_cli_account import PRICED
from tests.support.receiver import Receiver
from tests.support.server import MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import Server

COST = Decimal("0.006")


@pytest.fixture(scope="module")
def own(new_server: Callable[..., Server]) -> Server:
    return new_server(PRICED)


@pytest.fixture(scope="module")
def client(own: Server) -> Iterator[InnoAI]:
    with InnoAI(api_key=own.admin_key, base_url=own.base_url, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def spent(client: InnoAI) -> str:
    """A customer that made three requests, whose records are in the store."""
    tenant = client.as_customer("sdk-spender", scopes=["inference:write", "inference:read"])
    for _ in range(3):
        tenant.chat.completions.create(**HELLO)
    while len(client.billing.usage(customer_id="sdk-spender").data) < 3:
        pass
    return "sdk-spender"


def test_costs_are_decimals_however_they_are_asked_for(client: InnoAI, spent: str) -> None:
    records = list(client.billing.usage(customer_id=spent, limit=1))
    assert [(record.cost, record.model) for record in records] == [(COST, MODEL)] * 3
    page = client.billing.usage(group_by=["day", "model", "customer"], customer_id=spent)
    assert [(bucket.requests, bucket.cost) for bucket in page] == [(3, 3 * COST)]
    assert (page.currency, page.from_ < page.to) == ("USD", True)
    summary = client.billing.summary(customer_id=spent)
    assert (summary.totals.cost, summary.models[0].model) == (3 * COST, MODEL)
    (statement,) = client.billing.statements(month=summary.month, customer_id=spent)
    whole = client.billing.statement(summary.month, spent)
    assert statement.cost == whole.cost == sum(line.cost for line in whole.lines or ())


def test_csv_is_the_same_in_one_file(client: InnoAI, spent: str) -> None:
    month = client.billing.summary().month
    records = list(client.billing.usage(customer_id=spent))
    rows = client.billing.usage_csv(customer_id=spent).read().decode().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == [record.request_id for record in records]
    assert b"0.018" in client.billing.statement_csv(month, spent).read()
    assert spent.encode() in client.billing.statements_csv(month=month).read()


def test_settings_and_budgets(client: InnoAI) -> None:
    changed = client.billing.update_settings(
        budgets={"monthly": Decimal("1000.5"), "total": 5000}, alert_thresholds=[50, 90]
    )
    assert (changed.budgets.monthly, changed.budgets.total) == (Decimal("1000.5"), Decimal(5000))
    assert client.billing.summary().budgets[0].remaining > 0
    changed = client.billing.update_settings(budgets={"monthly": None, "total": None}, alert_thresholds=None)
    assert (changed.budgets.monthly, changed.alert_thresholds) == (None, [80, 100])
    customer = client.customers.create("sdk-bound", rate_limit=60, budgets={"monthly": "5"})
    assert (customer.rate_limit, customer.budgets and customer.budgets.monthly) == (60, Decimal(5))
    assert client.customers.update("sdk-bound", rate_limit=None).rate_limit is None


def test_a_key_whose_budget_is_used_up_gets_a_typed_error(client: InnoAI, own: Server) -> None:
    key = client.keys.create("Poor", budgets={"total": "0.000000001"})
    with InnoAI(api_key=key.key, base_url=own.base_url) as poor:
        with pytest.raises(innoai.InsufficientQuota) as refusal:
            poor.chat.completions.create(**HELLO)
        client.keys.update(key.id, budgets={"total": None})
        poor.chat.completions.create(**HELLO)
    assert (refusal.value.status_code, refusal.value.code) == (402, "insufficient_quota")


def test_webhooks_live_their_whole_life(client: InnoAI) -> None:
    with Receiver().running() as receiver:
        made = client.webhooks.create(receiver.url("/signed"), event_types=["key.*"], headers={"x-a": "b"})
        assert made.secret is not None
        assert made.secret not in repr(made)
        receiver.secret = made.secret
        key = client.keys.create("Told")
        (told,) = receiver.wait_for("/signed", bool)
        assert webhooks.verify(told.body, told.headers["x-innoai-signature"], made.secret)
        assert (key.id in told.body.decode(), told.headers["x-a"]) == (True, "b")
        tested = client.webhooks.test(made.id)
        receiver.wait_for("/signed", lambda found: len(found) == 2)
        while (delivery := client.webhooks.delivery(tested.id)).state == "pending":
            pass
        assert delivery.log is not None
        assert delivery.event is not None
        assert (delivery.event.type, delivery.log[0].status) == ("webhook.test", 200)
        assert client.webhooks.replay_delivery(tested.id).event_id == tested.event_id
        receiver.wait_for("/signed", lambda found: len(found) == 3)
        assert client.webhooks.replay(made.id, "2026-01-01T00:00:00Z").count == 0
        assert {each.endpoint_id for each in client.webhooks.deliveries(endpoint_id=made.id)} == {made.id}
        assert client.webhooks.rotate_secret(made.id, overlap=60).previous_secret_expires_at is not None
        assert client.webhooks.update(made.id, disabled=True, description="Off").disabled is True
        assert made.id in {each.id for each in client.webhooks.list(limit=1)}
        client.webhooks.delete(made.id)
        with pytest.raises(innoai.NotFound):
            client.webhooks.get(made.id)
    assert "key.created" in {each.type for each in client.webhooks.event_types()}


def test_a_stream_of_events_goes_on_over_a_restart_and_repeats_none(client: InnoAI, own: Server) -> None:
    lost = threading.Event()
    stream = client.webhooks.stream(event_types=["customer.*"], lost=lambda _: lost.set())
    heard: dict[str, list[str]] = defaultdict(list)

    def hear() -> None:
        for event in stream:
            heard[event.data["customer_id"]].append(event.id)
            if event.data["customer_id"] == "sdk-last":
                break

    listener = threading.Thread(target=hear)
    listener.start()
    for number in itertools.count():
        client.customers.create(f"sdk-heard-{number}")
        if heard:
            break
    own.stop()
    assert lost.wait(30)
    own.start()
    client.customers.create("sdk-last")
    listener.join(60)
    assert [len(heard[each]) for each in (f"sdk-heard-{number}", "sdk-last")] == [1, 1]
    ids = list(itertools.chain.from_iterable(heard.values()))
    assert len(set(ids)) == len(ids)


def test_the_audit_log_is_whole_and_tells_who_did_what(client: InnoAI) -> None:
    key = client.keys.create("On record")
    (entry,) = client.audit.list(target_id=key.id)
    assert (entry.action, entry.actor.kind) == ("key.created", "key")
    verdict = client.audit.verify()
    assert isinstance(verdict, audit.Verified)
    entries = list(client.audit.export())
    assert audit.verify(entries, heads=[verdict.head]) == verdict
    assert client.audit.verify(heads=[verdict.head]) == verdict
    del entries[1]
    assert audit.verify(entries) == audit.BrokenLink(2, None, audit.Why.ENTRY_MISSING)


def test_members_live_their_whole_life(client: InnoAI) -> None:
    made = client.members.create("sdk@example.com", role="viewer")
    assert made.invite_url is not None
    assert made.invite_url not in repr(made)
    assert client.members.update(made.id, role="admin", name="S").role == "admin"
    assert made.id in {each.id for each in client.members.list(limit=1)}
    client.members.delete(made.id)
    with pytest.raises(innoai.NotFound):
        client.members.get(made.id)


def test_a_customers_client_sees_its_own_usage_alone(client: InnoAI, spent: str) -> None:
    tenant = client.as_customer(spent, scopes=["billing:read", "webhooks:read"])
    assert {record.customer_id for record in tenant.billing.usage()} == {spent}
    with pytest.raises(innoai.InsufficientPermissions):
        tenant.billing.settings()
    with pytest.raises(innoai.InsufficientPermissions):
        tenant.webhooks.list()
    with pytest.raises(innoai.InsufficientPermissions):
        next(iter(tenant.webhooks.stream()))


async def test_the_async_client_does_all_the_same(own: Server, client: InnoAI, spent: str) -> None:
    async with AsyncInnoAI(api_key=own.admin_key, base_url=own.base_url, max_retries=0) as other:
        assert [record.cost async for record in other.billing.usage(customer_id=spent, limit=2)] == [COST] * 3
        assert await (await other.billing.usage_csv(customer_id=spent)).read()
        assert isinstance(await other.audit.verify(), audit.Verified)
        assert (await other.billing.summary(customer_id=spent)).totals.requests == 3
        heard = asyncio.ensure_future(_first_event(other))
        while not heard.done():
            await other.members.list()
            name = f"async-{asyncio.get_running_loop().time()}"
            await other.customers.create(name)
        assert (await heard).type == "customer.created"


async def _first_event(client: AsyncInnoAI) -> Any:
    async for event in client.webhooks.stream(event_types=["customer.*"]):
        return event
    raise AssertionError("the stream ended")
