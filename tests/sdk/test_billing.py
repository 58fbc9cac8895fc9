from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import openai
import pytest

import innoai
from tests.sdk.peer import Answer, Peer, refusal
from tests.sdk.samples import API_KEY
from tests.support.samples import BUCKET, CSV, SETTINGS, STATEMENT, SUMMARY, USAGE_RECORD, WHOLE_STATEMENT

if TYPE_CHECKING:
    from innoai import AsyncInnoAI, InnoAI
    from tests.sdk.conftest import Either

PERIOD = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-25T00:00:00Z", "currency": "USD"}


def usage_page(item: dict[str, Any], next_cursor: str | None = None) -> Answer:
    return Answer({"object": "list", "data": [item], "next_cursor": next_cursor, **PERIOD})


async def test_amounts_are_exact_decimals_in_and_out(either: Either, peer: Peer) -> None:
    peer.on("GET /v1/billing/usage", usage_page(USAGE_RECORD))
    peer.on("GET /v1/billing/summary", Answer(SUMMARY))
    peer.on("GET /v1/billing/statements/2026-10/c", Answer(WHOLE_STATEMENT))
    record = (await either.done(either.client.billing.usage())).data[0]
    assert record.cost == Decimal("0.000000001")
    assert record.to_dict(mode="json") == USAGE_RECORD
    summary = await either.done(either.client.billing.summary())
    assert (summary.totals.cost, summary.budgets[0].remaining) == (Decimal("0.0125"), Decimal("-0.1"))
    assert summary.to_dict(mode="json") == SUMMARY
    statement = await either.done(either.client.billing.statement("2026-10", "c"))
    assert isinstance(statement.lines[0].cost, Decimal)


async def test_budgets_of_keys_and_settings_are_decimals(either: Either, peer: Peer) -> None:
    peer.on("GET /v1/billing/settings", Answer(SETTINGS))
    peer.on("GET /v1/keys/key_1", Answer({**API_KEY, "budgets": {"monthly": "20.50", "total": None}}))
    settings = await either.done(either.client.billing.settings())
    key = await either.done(either.client.keys.get("key_1"))
    assert (settings.budgets.monthly, settings.budgets.total) == (Decimal(20), None)
    assert key.budgets.monthly == Decimal("20.5")
    assert key.to_dict(mode="json")["budgets"] == {"monthly": "20.50", "total": None}


async def test_an_amount_of_tomorrow_is_kept_as_it_came(either: Either, peer: Peer) -> None:
    budgets = {"monthly": "unlimited", "total": None}
    peer.on("GET /v1/billing/settings", Answer({**SETTINGS, "budgets": budgets}))
    settings = await either.done(either.client.billing.settings())
    assert settings.to_dict(mode="json")["budgets"]["monthly"] == "unlimited"


@pytest.mark.parametrize(
    ("amount", "error"),
    [(0.1, TypeError), (True, TypeError), (Decimal("NaN"), ValueError), (Decimal("Infinity"), ValueError)],
)
async def test_an_amount_that_is_not_exact_is_refused(
    either: Either, peer: Peer, amount: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match="amount is a"):
        await either.done(either.client.billing.update_settings(budgets={"monthly": amount}))
    assert peer.received == []


async def test_usage_asks_for_its_time_and_says_which_it_is(either: Either, peer: Peer) -> None:
    peer.on("GET /v1/billing/usage", usage_page(USAGE_RECORD))
    page = await either.done(
        either.client.billing.usage(
            from_=date(2026, 11, 1), to=datetime(2026, 11, 25, tzinfo=UTC), model="m", key_id="key_1", limit=5
        )
    )
    assert peer.received[0].query == {
        "from": ["2026-11-01T00:00:00Z"],
        "to": ["2026-11-25T00:00:00Z"],
        "model": ["m"],
        "key_id": ["key_1"],
        "limit": ["5"],
    }
    assert (page.from_, page.to, page.currency) == (
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2026, 11, 25, tzinfo=UTC),
        "USD",
    )


async def test_grouped_usage_comes_in_buckets(either: Either, peer: Peer) -> None:
    peer.on("GET /v1/billing/usage", usage_page(BUCKET))
    bucket = (await either.done(either.client.billing.usage(group_by=["day", "model"]))).data[0]
    assert peer.received[0].query == {"group_by": ["day,model"]}
    assert (bucket.day, bucket.requests, bucket.cost, bucket.customer_id) == (
        "2026-11-24",
        2,
        Decimal("0.0125"),
        None,
    )


async def test_one_string_is_no_list_of_groups(either: Either, peer: Peer) -> None:
    with pytest.raises(TypeError, match="group_by is a list"):
        await either.done(either.client.billing.usage(group_by="day"))
    assert peer.received == []


def test_usage_is_walked_through_all_its_pages(client: InnoAI, peer: Peer) -> None:
    peer.on("GET /v1/billing/usage", usage_page(USAGE_RECORD, "c2"), usage_page(USAGE_RECORD))
    assert [record.request_id for record in client.billing.usage(customer_id="c")] == ["req_1", "req_1"]
    assert [r.query.get("cursor") for r in peer.received] == [None, ["c2"]]


async def test_async_usage_is_walked_through_all_its_pages(async_client: AsyncInnoAI, peer: Peer) -> None:
    peer.on("GET /v1/billing/usage", usage_page(BUCKET, "c2"), usage_page(BUCKET))
    buckets = async_client.billing.usage(group_by=["hour"])
    assert [bucket.requests async for bucket in buckets] == [2, 2]
    peer.on("GET /v1/billing/statements", Answer({"data": [STATEMENT], "next_cursor": None}))
    statements = async_client.billing.statements(month="2026-10")
    assert [statement.status async for statement in statements] == ["closed"]


DOWNLOADS = [
    (lambda c: c.billing.usage_csv(group_by=["day"]), "/v1/billing/usage", {"group_by": ["day"]}),
    (lambda c: c.billing.statements_csv(month="2026-10"), "/v1/billing/statements", {"month": ["2026-10"]}),
    (lambda c: c.billing.statement_csv("2026-10", "c"), "/v1/billing/statements/2026-10/c", {}),
]


@pytest.mark.parametrize(("make", "path", "query"), DOWNLOADS)
async def test_csv_comes_byte_for_byte(
    either: Either, peer: Peer, make: Any, path: str, query: dict[str, Any]
) -> None:
    peer.on(f"GET {path}", Answer(raw=CSV, headers={"content-type": "text/csv"}))
    download = await either.done(make(either.client))
    assert await either.done(download.read()) == CSV
    assert peer.received[0].query == {**query, "format": ["csv"]}
    assert peer.received[0].headers["accept"] == "text/csv"


async def test_a_refused_download_is_a_typed_error_at_once(either: Either, peer: Peer) -> None:
    peer.on("GET /v1/billing/usage", refusal(403, "insufficient_permissions", required_scope="billing:read"))
    with pytest.raises(innoai.InsufficientPermissions) as caught:
        await either.done(either.client.billing.usage_csv())
    assert caught.value.required_scope == "billing:read"


async def test_a_download_that_is_cut_off_is_an_error_and_no_short_file(either: Either, peer: Peer) -> None:
    peer.on("GET /v1/billing/usage", Answer(raw=CSV, headers={"content-type": "text/csv"}, cut=True))
    download = await either.done(either.client.billing.usage_csv())
    with pytest.raises(openai.APIConnectionError):
        await either.done(download.read())


async def test_an_exhausted_budget_is_a_typed_error(either: Either, peer: Peer) -> None:
    peer.on("POST /v1/chat/completions", refusal(402, "insufficient_quota"))
    with pytest.raises(innoai.InsufficientQuota) as caught:
        await either.done(either.client.chat.completions.create(model="m", messages=[]))
    assert (caught.value.status_code, len(peer.received)) == (402, 1)
