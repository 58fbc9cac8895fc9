"""What was used and what it cost, as callers of /v1/billing see it."""

from __future__ import annotations

import asyncio
import csv
import io
import itertools
import json
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from innoai.store import usage
from innoai.store.database import Database
from innoai.store.usage import UsageRecord
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

PATIENCE = 20.0
PRICES = f"""
[models."{MODEL}".price]
prompt = 0.3
completion = "1.7"
request = 0.000001
"""
SUMS = ("requests", "failures", "prompt_tokens", "cached_tokens", "completion_tokens", "cost")
_customers = itertools.count(1)


@pytest.fixture(scope="module")
def own(new_server: Callable[..., Server], upstream: Upstream) -> Server:
    models = {MODEL: [{"base_url": upstream.base_url()}], "unpriced": [{"base_url": "echo:"}]}
    sections: dict[str, dict[str, object]] = {
        "billing": {"currency": "USD", "rates": {"EUR": 0.5}},
        "tiers.plain": {"default_rate_limit": 1000, "max_rate_limit": 1000, "features": []},
    }
    return new_server(settings(models, sections) + PRICES)


class Tenant:
    """An account of its own, so that no other test's usage is among its own."""

    def __init__(self, server: Server, tier: str) -> None:
        made = server.cli("accounts", "create", "--name", "Tenant", "--tier", tier, "--json")
        assert made.returncode == 0, made.stderr
        shown = json.loads(made.stdout)
        self.server = server
        self.id: str = shown["id"]
        self.key: str = shown["api_key"]
        self.client = httpx.Client(base_url=server.base_url, headers=bearer(self.key), timeout=30)
        # Whoever enters the client has not used it before.
        validated = httpx.get(f"{server.base_url}/auth/validate", headers=bearer(self.key))
        self.key_id: str = validated.json()["key_id"]

    def get(self, path: str, **query: Any) -> Any:
        answer = self.client.get(f"/billing/{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def rows(self, path: str, **query: Any) -> list[dict[str, str]]:
        """A CSV file, as Python's csv reads it."""
        answer = self.client.get(f"/billing/{path}", params={**query, "format": "csv"})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"].startswith("attachment; filename=")
        return list(csv.DictReader(io.StringIO(answer.text, newline=""), strict=True))

    def ask(self, key: str | None = None, **changed: object) -> str:
        """One request; its id."""
        headers = {} if key is None else bearer(key)
        answer = self.client.post("/chat/completions", json={**HELLO, **changed}, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-request-id"]

    def customer_token(self, customer_id: str | None = None) -> tuple[str, str]:
        """A customer's id and a token of it."""
        name = customer_id or f"customer-{next(_customers)}"
        scopes = ["inference:write", "billing:read"]
        return name, mint(self.client, self.key, customer_id=name, scopes=scopes)["access_token"]

    def as_customer(self, token: str) -> httpx.Client:
        return httpx.Client(base_url=self.server.base_url, headers=bearer(token), timeout=30)

    def until_shipped(self, count: int) -> list[dict[str, Any]]:
        """The account's records, once there are as many as that."""
        deadline = time.monotonic() + PATIENCE
        while True:
            data: list[dict[str, Any]] = self.get("usage", limit=100)["data"]
            if len(data) >= count or time.monotonic() > deadline:
                assert len(data) == count
                return data
            time.sleep(0.05)

    def store(self, *records: UsageRecord) -> None:
        """Put records into the store, as a shipper does."""

        async def add() -> None:
            database = Database(f"sqlite:///{self.server.store}")
            try:
                async with database.write() as connection:
                    await usage.add(connection, records)
            finally:
                await database.close()

        asyncio.run(add())

    def customer(self, customer_id: str) -> dict[str, str]:
        """Of a record."""
        return {"customer_pk": f"cus_{self.id[4:20]}{len(customer_id)}", "customer_id": customer_id}

    def used(self, number: int, **changed: Any) -> UsageRecord:
        values: dict[str, Any] = {
            "request_id": f"req_{self.id[4:20]}_{number:06}",
            "account_id": self.id,
            "key_id": self.key_id,
            "route": "/v1/chat/completions",
            "status": 200,
            "outcome": "complete",
            "started_at": datetime(2026, 3, 31, 22, tzinfo=UTC).timestamp() + number * 600,
            "duration_ms": 10.4,
            "model": MODEL,
            "prompt_tokens": number,
            "cached_tokens": 1,
            "completion_tokens": 2,
            "cost": 1_000_000_001 + number,
        }
        return UsageRecord(**(values | changed))


@pytest.fixture(scope="module")
def new_tenant(own: Server) -> Iterator[Callable[..., Tenant]]:
    with ExitStack() as clients:

        def new(tier: str = "enterprise") -> Tenant:
            made = Tenant(own, tier)
            clients.enter_context(made.client)
            return made

        yield new


@pytest.fixture
def tenant(new_tenant: Callable[..., Tenant]) -> Tenant:
    return new_tenant()


@pytest.fixture(scope="module")
def bystander(new_tenant: Callable[..., Tenant]) -> Tenant:
    """A tenant for requests that change nothing."""
    return new_tenant()


def as_cells(row: dict[str, Any]) -> dict[str, str]:
    """A JSON object as its row of a CSV file."""
    rendered = {None: "", True: "true", False: "false"}
    return {
        name: rendered[value] if value is None or isinstance(value, bool) else str(value)
        for name, value in row.items()
        if name != "object"
    }


MARCH = {"from": "2026-03-01", "to": "2026-04-02"}


# Records and what they cost.


def test_a_request_is_there_with_its_tokens_and_its_exact_cost(tenant: Tenant) -> None:
    request_id = tenant.ask()
    [record] = tenant.until_shipped(1)
    cost = (2 * Decimal("0.3") + 5 * Decimal("1.7")) / 1_000_000 + Decimal("0.000001")
    assert Decimal(record["cost"]) == cost.quantize(Decimal("1e-9"))
    assert record["request_id"] == request_id
    assert (record["account_id"], record["key_id"], record["customer_id"]) == (tenant.id, tenant.key_id, None)
    assert (record["route"], record["model"]) == ("/v1/chat/completions", MODEL)
    assert (record["status"], record["outcome"], record["estimated"]) == (200, "complete", False)
    assert (record["prompt_tokens"], record["cached_tokens"], record["completion_tokens"]) == (2, 0, 5)
    assert record["upstream"].startswith("http://127.0.0.1")
    assert 0 <= record["time_to_first_token_ms"] <= record["duration_ms"]


def test_a_model_without_a_price_is_counted_and_costs_nothing_known(tenant: Tenant) -> None:
    tenant.ask(model="unpriced")
    [record] = tenant.until_shipped(1)
    assert (record["cost"], record["estimated"]) == (None, False)
    [bucket] = tenant.get("usage", group_by="model")["data"]
    assert (bucket["model"], bucket["requests"], bucket["cost"]) == ("unpriced", 1, "0")


def test_who_hangs_up_before_the_end_is_charged_an_estimate(tenant: Tenant) -> None:
    _, headers = marked(events=None, pace=0.001)
    with tenant.client.stream(
        "POST", "/chat/completions", json={**HELLO, "stream": True}, headers=headers
    ) as answer:
        lines = (line for line in answer.iter_lines() if line.startswith("data: "))
        for _ in range(40):
            next(lines)
    [record] = tenant.until_shipped(1)
    assert (record["outcome"], record["completion_tokens"], record["estimated"]) == ("cancelled", None, True)
    assert Decimal(record["cost"]) >= 40 * Decimal("0.0000017")


def test_an_account_is_charged_in_the_currency_that_it_chose(tenant: Tenant) -> None:
    changed = tenant.client.patch("/billing/settings", json={"currency": "EUR"})
    assert changed.json()["currency"] == "EUR"
    tenant.ask()
    [record] = tenant.until_shipped(1)
    assert Decimal(record["cost"]) == Decimal("0.00000505")
    assert tenant.get("usage")["currency"] == tenant.get("summary")["currency"] == "EUR"


# Lists, groups, pages and files.


def test_pages_hold_every_record_once_newest_first(tenant: Tenant) -> None:
    tenant.store(*(tenant.used(number, started_at=1_774_000_000.0 + number // 3) for number in range(25)))
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {**MARCH, "limit": 7}
    while True:
        page = tenant.get("usage", **query)
        found += page["data"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert [record["request_id"] for record in found] == [
        tenant.used(number).request_id for number in reversed(range(25))
    ]


@pytest.mark.parametrize(
    "group_by", ["day", "hour", "model", "key", "customer", "day,model,customer", "customer,hour,key"]
)
def test_groups_add_up_to_the_records_and_pages_of_them_to_the_whole(tenant: Tenant, group_by: str) -> None:
    customers: list[dict[str, Any]] = [{}, tenant.customer("acme")]
    tenant.store(
        *(
            tenant.used(
                number, **customers[number % 2], model=f"model-{number % 3}", status=200 + number % 2 * 300
            )
            for number in range(40)
        )
    )
    whole = tenant.get("usage", **MARCH, group_by=group_by, limit=100)
    assert whole["next_cursor"] is None
    data = whole["data"]
    assert sum(bucket["requests"] for bucket in data) == 40
    assert sum(bucket["failures"] for bucket in data) == 20
    assert sum(bucket["prompt_tokens"] for bucket in data) == sum(range(40))
    cost = sum(Decimal(1_000_000_001 + number) / 10**9 for number in range(40))
    assert sum(Decimal(bucket["cost"]) for bucket in data) == cost
    paged: list[dict[str, Any]] = []
    query: dict[str, Any] = {**MARCH, "group_by": group_by, "limit": 3}
    while True:
        page = tenant.get("usage", **query)
        paged += page["data"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert paged == data


def test_groups_count_by_whole_hours_and_say_which(tenant: Tenant) -> None:
    tenant.store(tenant.used(0), tenant.used(5), tenant.used(6))
    shown = tenant.get(
        "usage", **{"from": "2026-03-31T22:30:00Z", "to": "2026-04-01T00:40:00+02:00"}, group_by="hour"
    )
    assert (shown["from"], shown["to"]) == ("2026-03-31T22:00:00Z", "2026-03-31T23:00:00Z")
    assert [(bucket["hour"], bucket["requests"]) for bucket in shown["data"]] == [("2026-03-31T22:00:00Z", 2)]
    exact = tenant.get("usage", **{"from": "2026-03-31T22:30:00Z", "to": "2026-03-31T22:50:00.5Z"})
    assert (exact["from"], exact["to"]) == ("2026-03-31T22:30:00Z", "2026-03-31T22:50:00.500000Z")
    assert [record["prompt_tokens"] for record in exact["data"]] == [5]


def test_a_csv_file_says_what_json_says(tenant: Tenant) -> None:
    strange = tenant.customer("=HYPERLINK|x")
    tenant.store(
        *(tenant.used(number, started_at=1_774_000_000.0 + number) for number in range(30)),
        tenant.used(30, model='a, "quoted"\r\nmodel é', cost=None, first_byte_ms=0.4, upstream="-x"),
        tenant.used(31, **strange, status=499, outcome="cancelled", prompt_tokens=None, estimated=True),
    )
    records = tenant.get("usage", **MARCH, limit=100)["data"]
    rows = tenant.rows("usage", **MARCH)
    assert len(rows) == 32
    guarded = [
        {**record, **{name: f"'{record[name]}" for name in ("customer_id", "upstream") if record[name]}}
        for record in records
    ]
    assert rows == [as_cells(record) for record in guarded]
    buckets = tenant.get("usage", **MARCH, group_by="day,model,key", limit=100)["data"]
    assert tenant.rows("usage", **MARCH, group_by="day,model,key") == [as_cells(bucket) for bucket in buckets]


def test_an_empty_csv_file_still_has_its_names(bystander: Tenant) -> None:
    answer = bystander.client.get("/billing/usage", params={**MARCH, "format": "csv", "group_by": "day,key"})
    assert answer.text == f"day,key_id,{','.join(SUMS)},mean_duration_ms\r\n"


def test_a_long_csv_file_comes_whole_and_may_be_left_in_the_middle(tenant: Tenant) -> None:
    count = 5_500
    tenant.store(*(tenant.used(number, started_at=1_774_000_000.0 + number) for number in range(count)))
    rows = tenant.rows("usage", **MARCH)
    assert [row["prompt_tokens"] for row in rows] == [str(number) for number in reversed(range(count))]
    by_hour = tenant.rows("usage", **MARCH, group_by="hour,model")
    assert sum(int(row["requests"]) for row in by_hour) == count
    for _ in range(5):
        query = {**MARCH, "format": "csv"}
        with tenant.client.stream("GET", "/billing/usage", params=query) as answer:
            next(answer.iter_bytes(100))
    assert len(tenant.get("usage", **MARCH, limit=1)["data"]) == 1


@pytest.mark.parametrize(
    ("path", "query", "param"),
    [
        ("usage", {"from": "2026-11-02", "to": "2026-11-01"}, "from"),
        ("usage", {"from": "2026-11-01", "to": "2026-11-01"}, "from"),
        ("usage", {"from": "2999-01-01"}, "from"),
        ("usage", {"from": "yesterday"}, "from"),
        ("usage", {"from": "2026-13-01"}, "from"),
        ("usage", {"from": "2026-02-30"}, "from"),
        ("usage", {"to": "2026-11-24T22:07:02"}, "to"),
        ("usage", {"to": "1795000000"}, "to"),
        ("usage", {"group_by": "week"}, "group_by"),
        ("usage", {"group_by": "day,,model"}, "group_by"),
        ("usage", {"group_by": ""}, "group_by"),
        ("usage", {"limit": "0"}, "limit"),
        ("usage", {"limit": "101"}, "limit"),
        ("usage", {"format": "xml"}, "format"),
        ("usage", {"cursor": "nonsense"}, "cursor"),
        ("usage", {"cursor": "WzFd"}, "cursor"),
        ("usage", {"cursor": "WzEsImEiXQ", "group_by": "day"}, "cursor"),
        ("usage", {"key_id": "sk-inno-x"}, "key_id"),
        ("usage", {"model": ""}, "model"),
        ("summary", {"month": "2026-13"}, "month"),
        ("summary", {"month": "2026-1"}, "month"),
        ("statements", {"month": "11-2026"}, "month"),
        ("statements", {"cursor": "2026-11"}, "cursor"),
        ("statements/2026-13/acme", {}, "month"),
        ("statements/last/acme", {}, "month"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    bystander: Tenant, path: str, query: dict[str, str], param: str
) -> None:
    refusal = refused(bystander.client.get(f"/billing/{path}", params=query), "invalid_request")
    assert refusal["param"] == param


def test_instants_of_any_year_are_taken(bystander: Tenant) -> None:
    for since, until in [
        ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"),
        ("1969-01-01", "9999-12-31"),
    ]:
        for group_by in ({}, {"group_by": "day"}):
            query = {"from": since, "to": until, **group_by}
            assert bystander.get("usage", **query)["data"] == []
            assert bystander.rows("usage", **query) == []


# Who sees what.


def test_a_customers_token_sees_its_own_usage_alone(tenant: Tenant) -> None:
    mine, token = tenant.customer_token()
    other, other_token = tenant.customer_token()
    for credential in (token, token, other_token, None):
        tenant.ask(credential)
    tenant.until_shipped(4)
    month = datetime.now(UTC).strftime("%Y-%m")
    with tenant.as_customer(token) as customer:
        records = customer.get("/billing/usage").json()["data"]
        assert [(record["customer_id"], record["upstream"]) for record in records] == [(mine, None)] * 2
        assert customer.get("/billing/usage", params={"customer_id": mine}).json()["data"] == records
        assert customer.get("/billing/usage", params={"customer_id": other}).json()["data"] == []
        [bucket] = customer.get("/billing/usage", params={"group_by": "customer"}).json()["data"]
        assert (bucket["customer_id"], bucket["requests"]) == (mine, 2)
        assert customer.get("/billing/summary").json()["totals"]["requests"] == 2
        blind = customer.get("/billing/summary", params={"customer_id": other}).json()
        assert (blind["totals"]["requests"], blind["models"]) == (0, [])
        [statement] = customer.get("/billing/statements").json()["data"]
        assert (statement["customer_id"], statement["requests"]) == (mine, 2)
        assert customer.get("/billing/statements", params={"customer_id": other}).json()["data"] == []
        assert customer.get(f"/billing/statements/{month}/{mine}").json()["requests"] == 2
        refused(customer.get(f"/billing/statements/{month}/{other}"), "not_found")
        refused(customer.get("/billing/settings"), "insufficient_permissions")
    assert [record["customer_id"] for record in tenant.get("usage", customer_id=other)["data"]] == [other]
    assert tenant.get("usage", customer_id="nobody")["data"] == []
    assert len(tenant.get("usage", key_id=tenant.key_id)["data"]) == 4


def test_an_account_sees_nothing_of_anothers(tenant: Tenant, bystander: Tenant) -> None:
    customer_id, token = tenant.customer_token()
    tenant.ask(token)
    tenant.until_shipped(1)
    month = datetime.now(UTC).strftime("%Y-%m")
    for query in ({}, {"customer_id": customer_id}, {"key_id": tenant.key_id}, {"group_by": "key"}):
        assert bystander.get("usage", **query)["data"] == []
    summary = bystander.get("summary", customer_id=customer_id, key_id=tenant.key_id)
    assert (summary["totals"]["requests"], summary["budgets"]) == (0, [])
    assert bystander.get("statements")["data"] == []
    refused(bystander.client.get(f"/billing/statements/{month}/{customer_id}"), "not_found")


def test_billing_asks_for_its_scopes(tenant: Tenant) -> None:
    reader = create_key(tenant.client, scopes=["billing:read"])["key"]
    blind = create_key(tenant.client, scopes=["billing:write"])["key"]
    for path in ("usage", "summary", "settings", "statements"):
        assert tenant.client.get(f"/billing/{path}", headers=bearer(reader)).status_code == 200
        refusal = tenant.client.get(f"/billing/{path}", headers=bearer(blind))
        assert refused(refusal, "insufficient_permissions")["required_scope"] == "billing:read"
    change = tenant.client.patch("/billing/settings", json={}, headers=bearer(reader))
    assert refused(change, "insufficient_permissions")["required_scope"] == "billing:write"


# Summaries and settings.


def test_a_summary_adds_up_a_month_by_model(tenant: Tenant) -> None:
    tenant.store(tenant.used(1), tenant.used(2, model="b", status=500), tenant.used(20))
    march = tenant.get("summary", month="2026-03")
    assert march["totals"] == {
        "requests": 2,
        "failures": 1,
        "prompt_tokens": 3,
        "cached_tokens": 2,
        "completion_tokens": 4,
        "cost": "2.000000005",
    }
    assert [(line["model"], line["requests"]) for line in march["models"]] == [("b", 1), (MODEL, 1)]
    assert tenant.get("summary", month="2026-04")["totals"]["requests"] == 1
    assert tenant.get("summary")["month"] == datetime.now(UTC).strftime("%Y-%m")


def test_a_summary_tells_how_budgets_stand(tenant: Tenant) -> None:
    key = create_key(tenant.client, budgets={"total": "0.5"})
    tenant.client.post("/customers", json={"customer_id": "acme", "budgets": {"monthly": 3}})
    tenant.client.patch("/billing/settings", json={"budgets": {"monthly": "20", "total": 100}})
    tenant.ask()
    tenant.until_shipped(1)
    month, total = tenant.get("summary")["budgets"]
    spent = Decimal("0.0000101")
    assert (month["subject_id"], month["period"], month["budget"]) == (
        tenant.id,
        datetime.now(UTC).strftime("%Y-%m"),
        "20",
    )
    assert (total["period"], total["budget"]) == ("total", "100")
    for use in (month, total):
        assert Decimal(use["spent"]) == spent
        parts = [Decimal(use[part]) for part in ("spent", "held", "remaining")]
        assert sum(parts) == Decimal(use["budget"])
    [of_key] = tenant.get("summary", key_id=key["id"])["budgets"]
    assert (of_key["subject_id"], of_key["key_id"], of_key["budget"]) == (key["id"], key["id"], "0.5")
    [of_customer] = tenant.get("summary", customer_id="acme")["budgets"]
    assert (of_customer["customer_id"], of_customer["budget"], of_customer["spent"]) == ("acme", "3", "0")
    _, token = tenant.customer_token("acme")
    with tenant.as_customer(token) as customer:
        assert customer.get("/billing/summary").json()["budgets"] == [of_customer]


def test_settings_are_replaced_as_a_whole_by_what_a_get_gives(tenant: Tenant) -> None:
    fresh = tenant.get("settings")
    changed = {**fresh, "budgets": {"monthly": "7", "total": None}, "alert_thresholds": [10]}
    assert tenant.client.put("/billing/settings", json=changed).json() == changed == tenant.get("settings")
    assert tenant.client.put("/billing/settings", json={"currency": "USD"}).json() == fresh
    entries = tenant.client.get("/audit", params={"action": "billing.settings_updated"}).json()["data"]
    assert len(entries) == 2
    reader = create_key(tenant.client, scopes=["billing:read"])["key"]
    refused(
        tenant.client.put("/billing/settings", json=fresh, headers=bearer(reader)), "insufficient_permissions"
    )


def test_settings_are_changed_member_by_member_and_on_record(tenant: Tenant) -> None:
    assert tenant.get("settings") == {
        "object": "billing_settings",
        "currency": "USD",
        "currencies": ["USD", "EUR"],
        "budgets": {"monthly": None, "total": None},
        "alert_thresholds": [80, 100],
    }
    steps: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"budgets": {"monthly": "12.50"}}, {"budgets": {"monthly": "12.5", "total": None}}),
        ({"budgets": {"total": 3}}, {"budgets": {"monthly": "12.5", "total": "3"}}),
        ({"alert_thresholds": [90, 50, 90]}, {"alert_thresholds": [50, 90]}),
        ({"budgets": {"monthly": None}}, {"budgets": {"monthly": None, "total": "3"}}),
        ({"currency": "EUR", "alert_thresholds": []}, {"currency": "EUR", "alert_thresholds": []}),
        ({"alert_thresholds": None}, {"alert_thresholds": [80, 100]}),
        ({}, {}),
    ]
    before = tenant.get("settings")
    for wanted, expected in steps:
        answer = tenant.client.patch("/billing/settings", json=wanted)
        assert answer.status_code == 200, answer.text
        after = answer.json()
        assert after == {**before, **expected} == tenant.get("settings")
        entry = tenant.client.get("/audit", params={"action": "billing.*", "limit": 1}).json()["data"][0]
        if wanted:
            assert (entry["before"], entry["after"]) == (before, after)
            assert entry["action"] == "billing.settings_updated"
            assert (entry["target_id"], entry["actor"]["id"]) == (tenant.id, tenant.key_id)
        before = after


@pytest.mark.parametrize(
    ("wanted", "param"),
    [
        ({"currency": "GBP"}, "currency"),
        ({"currency": "usd"}, "currency"),
        ({"budgets": {"monthly": 0.1}}, "budgets.monthly"),
        ({"budgets": {"monthly": "0.0000000001"}}, "budgets.monthly"),
        ({"budgets": {"total": -1}}, "budgets.total"),
        ({"budgets": {"total": "1000000000.000000001"}}, "budgets.total"),
        ({"budgets": {"weekly": "1"}}, "budgets.weekly"),
        ({"alert_thresholds": [0]}, "alert_thresholds[0]"),
        ({"alert_thresholds": [50, 101]}, "alert_thresholds[1]"),
        ({"alert_thresholds": list(range(1, 12))}, "alert_thresholds"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(
    bystander: Tenant, wanted: dict[str, Any], param: str
) -> None:
    refusal = refused(bystander.client.patch("/billing/settings", json=wanted), "invalid_request")
    assert refusal["param"] == param


def test_an_amount_that_is_no_decimal_text_is_refused_with_what_to_write(bystander: Tenant) -> None:
    answer = bystander.client.patch("/billing/settings", json={"budgets": {"monthly": 12.5}})
    assert "as text" in refused(answer, "invalid_request")["message"]


def test_settings_that_are_sent_again_are_no_change(own: Server, tenant: Tenant) -> None:
    def changes() -> list[tuple[Any, ...]]:
        return rows_of(own, "SELECT sequence FROM changes WHERE subject = ?", tenant.id)

    wanted = {"currency": "EUR", "alert_thresholds": [90, 50, 90], "budgets": {"monthly": "10"}}
    first = tenant.client.patch("/billing/settings", json=wanted).json()
    before = changes()
    for _ in range(2):
        assert tenant.client.patch("/billing/settings", json=wanted).json() == first
    assert changes() == before


def test_what_was_asked_just_before_the_currency_was_chosen_costs_as_much_in_that(tenant: Tenant) -> None:
    for _ in range(3):
        tenant.ask()
    changed = tenant.client.patch("/billing/settings", json={"currency": "EUR"})
    assert changed.status_code in (200, 409)
    tenant.ask()
    costs = {record["cost"] for record in tenant.until_shipped(4)}
    assert len(costs) == 1


def test_the_currency_is_final_once_something_was_charged(tenant: Tenant) -> None:
    tenant.store(tenant.used(1, cost=0))
    assert tenant.client.patch("/billing/settings", json={"currency": "EUR"}).status_code == 200
    tenant.store(tenant.used(2, cost=1))
    refusal = tenant.client.patch("/billing/settings", json={"currency": "USD"})
    assert refused(refusal, "conflict")["param"] == "currency"
    assert tenant.client.patch("/billing/settings", json={"currency": "EUR"}).status_code == 200


# Statements.


def test_statements_come_by_month_and_customer_with_lines_that_add_up(tenant: Tenant) -> None:
    acme = tenant.customer("acme")
    tenant.store(
        *(tenant.used(number, **acme, model="ab"[number % 2]) for number in range(24)),
        tenant.used(30, **tenant.customer("zenith")),
        tenant.used(31),
    )
    listed = tenant.get("statements")["data"]
    assert [(one["month"], one["customer_id"], one["requests"]) for one in listed] == [
        ("2026-04", "acme", 12),
        ("2026-04", "zenith", 1),
        ("2026-03", "acme", 12),
    ]
    assert {one["status"] for one in listed} == {"closed"}
    assert tenant.rows("statements") == [as_cells(one) for one in listed]
    paged, cursor = [], None
    while True:
        page = tenant.get("statements", limit=1, **({} if cursor is None else {"cursor": cursor}))
        paged += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert paged == listed
    assert tenant.get("statements", month="2026-03")["data"] == listed[2:]
    assert tenant.get("statements", customer_id="zenith")["data"] == listed[1:2]

    whole = tenant.get("statements/2026-04/acme")
    lines = whole.pop("lines")
    assert whole == listed[0]
    assert [(line["day"], line["model"]) for line in lines] == [("2026-04-01", "a"), ("2026-04-01", "b")]
    for name in ("requests", "prompt_tokens", "cached_tokens", "completion_tokens"):
        assert sum(line[name] for line in lines) == whole[name]
    assert sum(Decimal(line["cost"]) for line in lines) == Decimal(whole["cost"])
    assert [as_cells(line) for line in lines] == [
        {name: row[name] for name in as_cells(lines[0])} for row in tenant.rows("statements/2026-04/acme")
    ]


def test_a_statement_is_open_while_its_month_lasts_and_empty_before_any_usage(tenant: Tenant) -> None:
    month = datetime.now(UTC).strftime("%Y-%m")
    tenant.client.post("/customers", json={"customer_id": "quiet"})
    empty = tenant.get(f"statements/{month}/quiet")
    assert (empty["status"], empty["requests"], empty["cost"], empty["lines"]) == ("open", 0, "0", [])
    assert tenant.get("statements/2026-03/quiet")["status"] == "closed"
    refused(tenant.client.get(f"/billing/statements/{month}/nobody"), "not_found")
    refused(tenant.client.get("/billing/statements/2999-01/quiet"), "not_found")


def test_the_usage_of_a_deleted_customer_stays_under_its_id(tenant: Tenant) -> None:
    customer_id, token = tenant.customer_token()
    tenant.ask(token)
    tenant.until_shipped(1)
    assert tenant.client.delete(f"/customers/{customer_id}").status_code == 204
    month = datetime.now(UTC).strftime("%Y-%m")
    assert len(tenant.get("usage", customer_id=customer_id)["data"]) == 1
    assert tenant.get(f"statements/{month}/{customer_id}")["requests"] == 1
    _, successor = tenant.customer_token(customer_id)
    with tenant.as_customer(successor) as customer:
        assert customer.get("/billing/usage").json()["data"] == []
        assert customer.get("/billing/statements").json()["data"] == []
    assert tenant.get(f"statements/{month}/{customer_id}")["requests"] == 1


def test_a_tier_may_leave_statements_out(new_tenant: Callable[..., Tenant]) -> None:
    plain = new_tenant("plain")
    refused(plain.client.get("/billing/statements"), "insufficient_permissions")
    refused(plain.client.get("/billing/statements/2026-11/acme"), "insufficient_permissions")
    assert plain.get("usage")["data"] == []


# The start.


def test_a_currency_that_accounts_use_must_stay_in_the_settings(
    new_server: Callable[..., Server],
) -> None:
    models = {MODEL: [{"base_url": "echo:"}]}
    server = new_server(settings(models, {"billing": {"rates": {"EUR": 0.5}}}))
    with httpx.Client(base_url=server.base_url, headers=bearer(server.admin_key)) as client:
        assert client.patch("/billing/settings", json={"currency": "EUR"}).status_code == 200
    assert server.stop() == 0
    (server.directory / "innoai.toml").write_text(settings(models))
    ended = server.operator("serve")
    assert ended.returncode != 0
    assert "EUR" in ended.stderr
    assert "billing.rates" in ended.stderr
