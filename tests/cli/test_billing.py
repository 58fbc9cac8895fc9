from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.answers import CUSTOMER, KEY, NEW_KEY, page
from tests.support.samples import BUCKET, CSV, SETTINGS, STATEMENT, SUMMARY, USAGE_RECORD, WHOLE_STATEMENT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run
    from tests.cli.peer import Peer

PERIOD = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-25T00:00:00Z", "currency": "USD"}
AS_CSV = {"content-type": "text/csv; charset=utf-8"}


def test_usage_is_a_table_of_requests_with_their_costs(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /billing/usage", 200, {**page(USAGE_RECORD, next_cursor="c2"), **PERIOD})
    ended = innoai("billing", "usage", "--from", "2026-11-01", "--key", "key_1", "--limit", "1")
    assert peer.last.path == "/v1/billing/usage?from=2026-11-01T00%3A00%3A00Z&key_id=key_1&limit=1"
    title, header, row = ended.out.splitlines()
    assert title == "2026-11-01T00:00:00Z to 2026-11-25T00:00:00Z, costs in USD"
    assert header.split()[:2] == ["at", "model"]
    assert row.endswith("0.000000001")
    assert ended.err.startswith("There is more: innoai billing usage ")
    assert ended.err.endswith(" --cursor c2\n")


def test_grouped_usage_has_a_column_for_each_group(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /billing/usage", 200, {**page(BUCKET), **PERIOD})
    ended = innoai("billing", "usage", "--group-by", "day,model", "--group-by", "key")
    assert "group_by=day%2Cmodel%2Ckey" in peer.last.path
    assert ended.out.splitlines()[1].split() == [
        *("day", "model", "requests", "failures"),
        *("prompt_tokens", "cached_tokens", "completion_tokens", "cost"),
    ]


def test_no_usage_is_an_empty_table(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /billing/usage", 200, {**page(), **PERIOD})
    ended = innoai("billing", "usage")
    assert (ended.code, len(ended.out.splitlines())) == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "route", "body"),
    [
        (("usage",), "/billing/usage", {**page(USAGE_RECORD), **PERIOD}),
        (("usage", "--group-by", "day"), "/billing/usage", {**page(BUCKET), **PERIOD}),
        (("summary",), "/billing/summary", SUMMARY),
        (("settings",), "/billing/settings", SETTINGS),
        (("statements",), "/billing/statements", page(STATEMENT)),
        (("statement", "2026-10", "c"), "/billing/statements/2026-10/c", WHOLE_STATEMENT),
    ],
)
def test_json_is_exactly_the_object_of_the_api(
    peer: Peer, innoai_here: Run, arguments: tuple[str, ...], route: str, body: dict[str, object]
) -> None:
    peer.answer(f"GET {route}", 200, {**body, "added_later": [1]})
    ended = innoai_here("billing", *arguments, "--json")
    assert json.loads(ended.out) == {**body, "added_later": [1]}
    assert (ended.code, ended.err) == (0, "")


DOWNLOADS = [
    (("usage", "--group-by", "day"), "/billing/usage"),
    (("statements", "--month", "2026-10"), "/billing/statements"),
    (("statement", "2026-10", "customer-123"), "/billing/statements/2026-10/customer-123"),
]


@pytest.mark.parametrize(("arguments", "route"), DOWNLOADS)
def test_csv_goes_to_stdout_byte_for_byte(
    peer: Peer, innoai_here: Run, arguments: tuple[str, ...], route: str
) -> None:
    peer.answer(f"GET {route}", 200, CSV, AS_CSV)
    ended = innoai_here("billing", *arguments, "--csv", "-")
    assert (ended.code, ended.out.encode(), ended.err) == (0, CSV, "")
    assert "format=csv" in peer.last.path


def test_csv_goes_to_a_file_byte_for_byte(peer: Peer, innoai: Run, tmp_path: Path) -> None:
    peer.answer("GET /billing/usage", 200, CSV, AS_CSV)
    assert innoai("billing", "usage", "--csv", "u.csv").out == f"wrote u.csv, {len(CSV)} bytes\n"
    assert (tmp_path / "u.csv").read_bytes() == CSV
    ended = innoai("billing", "usage", "--csv", "u.csv", "--json")
    assert json.loads(ended.out) == {"file": "u.csv", "bytes": len(CSV)}


def test_a_file_that_cannot_be_written_is_told(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /billing/usage", 200, CSV, AS_CSV)
    ended = innoai("billing", "usage", "--csv", "no/such/folder.csv")
    assert ended.code == 2
    assert ended.err.startswith("error: cannot write no/such/folder.csv: No such file")


def test_a_refused_download_leaves_the_file_alone(peer: Peer, innoai: Run, tmp_path: Path) -> None:
    (tmp_path / "u.csv").write_text("of yesterday")
    peer.refuse("GET /billing/usage", 403, "insufficient_permissions", "No.")
    assert innoai("billing", "usage", "--csv", "u.csv").code == 4
    assert (tmp_path / "u.csv").read_text() == "of yesterday"


@pytest.mark.parametrize("content_type", ["text/html", "application/json", ""])
def test_a_page_from_somebody_else_is_no_csv(peer: Peer, innoai: Run, content_type: str) -> None:
    peer.answer("GET /billing/usage", 200, b"<html>hello</html>", {"content-type": content_type})
    ended = innoai("billing", "usage", "--csv", "-")
    assert (ended.code, ended.out) == (8, "")
    assert "it is not text/csv" in ended.err


def test_a_download_that_is_cut_off_is_an_error(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /billing/usage", 200, CSV, {**AS_CSV, "content-length": "9999", "connection": "close"})
    ended = innoai("billing", "usage", "--csv", "-")
    assert ended.code == 8
    assert ended.err.startswith("error: ")


def test_the_summary_has_totals_models_and_budgets(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /billing/summary", 200, SUMMARY)
    ended = innoai("billing", "summary", "--month", "2026-11", "--customer", "customer-123")
    assert peer.last.path == "/v1/billing/summary?month=2026-11&customer_id=customer-123"
    assert "cost               0.0125\n" in ended.out
    assert "inno-ai-boyong-4.5" in ended.out
    assert "19.5" in ended.out
    assert "-0.1" in ended.out


def test_set_sends_what_was_given_and_nothing_else(peer: Peer, innoai: Run) -> None:
    peer.answer("PATCH /billing/settings", 200, SETTINGS)
    ended = innoai(
        *("billing", "set", "--currency", "USD", "--budget-monthly", "20", "--budget-total", "none"),
        *("--alert-threshold", "80", "--alert-threshold", "100"),
    )
    assert peer.last.body == {
        "currency": "USD",
        "budgets": {"monthly": "20", "total": None},
        "alert_thresholds": [80, 100],
    }
    assert "monthly=20, total=-" in ended.out
    innoai("billing", "set", "--budget-monthly", "0.000000001")
    assert peer.last.body == {"budgets": {"monthly": "0.000000001"}}
    innoai("billing", "set", "--alert-threshold", "80,90")
    assert peer.last.body == {"alert_thresholds": [80, 90]}
    innoai("billing", "set", "--no-alerts")
    assert peer.last.body == {"alert_thresholds": []}


def test_statements_are_listed_and_one_is_shown_with_its_lines(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /billing/statements", 200, page(STATEMENT))
    assert "2026-10  customer-123  closed" in innoai("billing", "statements").out
    peer.answer("GET /billing/statements/2026-10/a%2Fb", 200, WHOLE_STATEMENT)
    assert "2026-10-31  inno-ai-boyong-4.5" in innoai("billing", "statement", "2026-10", "a/b").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("billing", "set"), "nothing to change"),
        (("billing", "set", "--no-alerts", "--alert-threshold", "5"), "not both"),
        (("billing", "set", "--budget-monthly", "1e3"), "write 20 or 0.50"),
        (("billing", "set", "--budget-monthly", "-1"), "amount"),
        (("billing", "set", "--budget-total", "0.0000000001"), "write 20 or 0.50"),
        (("billing", "set", "--alert-threshold", "101"), "--alert-threshold"),
        (("billing", "set", "--alert-threshold", "80,0"), "write 1 to 100"),
        (("billing", "set", "--alert-threshold", ""), "--alert-threshold"),
        (("billing", "summary", "--month", "2026-13"), "write 2026-11"),
        (("billing", "statement", "november", "c"), "write 2026-11"),
        (("billing", "statement", "2026-11", ".."), "cannot be a customer's id"),
        (("billing", "usage", "--from", "yesterday"), "RFC 3339"),
        (("billing", "usage", "--csv", "-", "--limit", "5"), "all of it"),
        (("billing", "statements", "--csv", "-", "--cursor", "c"), "all of it"),
        (("billing", "usage", "--key", "sk-inno-secret"), "secret key"),
        (("keys", "create", "--name", "n", "--budget-monthly", "much"), "write 20 or 0.50"),
        (("keys", "update", "key_1"), "nothing to change"),
        (("customers", "update", "c", "--rate-limit", "0"), "write a number"),
        (("customers", "update", "c", "--rate-limit", "many"), "write a number"),
    ],
)
def test_a_slip_is_told_before_anything_is_sent(
    peer: Peer, innoai_here: Run, arguments: tuple[str, ...], said: str
) -> None:
    ended = innoai_here(*arguments)
    assert (ended.code, ended.out, peer.asked) == (2, "", [])
    assert said in ended.err


def test_keys_get_budgets_and_lose_them(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /keys", 201, NEW_KEY)
    innoai("keys", "create", "--name", "n", "--budget-monthly", "20")
    assert peer.last.body == {"name": "n", "budgets": {"monthly": "20"}}
    peer.answer("PATCH /keys/key_abc123", 200, {**KEY, "budgets": {"monthly": None, "total": "5.5"}})
    ended = innoai(
        *("keys", "update", "key_abc123", "--budget-monthly", "none", "--budget-total", "5.5"),
        *("--name", "New", "--scope", "billing:read", "--rate-limit", "5", "--model", "m"),
        *("--allow-ip", "10.0.0.0/8", "--expires-at", "2027-01-31"),
    )
    (changed,) = [asked for asked in peer.asked if asked.method == "PATCH"]
    assert changed.body == {
        "name": "New",
        "scopes": ["billing:read"],
        "allowed_ips": ["10.0.0.0/8"],
        "rate_limit": 5,
        "expires_at": "2027-01-31T00:00:00Z",
        "models": ["m"],
        "budgets": {"monthly": None, "total": "5.5"},
    }
    assert "monthly=-, total=5.5" in ended.out


def test_customers_get_bounds_and_lose_them(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /customers", 201, {**CUSTOMER, "rate_limit": 60})
    ended = innoai("customers", "create", "c", "--rate-limit", "60", "--budget-total", "5")
    assert peer.last.body == {"customer_id": "c", "rate_limit": 60, "budgets": {"total": "5"}}
    assert "rate_limit   60\n" in ended.out
    peer.answer("PATCH /customers/c", 200, CUSTOMER)
    innoai("customers", "update", "c", "--rate-limit", "none", "--budget-total", "none")
    assert peer.last.body == {"rate_limit": None, "budgets": {"total": None}}


def test_an_exhausted_budget_has_its_exit_code(peer: Peer, innoai: Run) -> None:
    peer.refuse("GET /billing/settings", 402, "insufficient_quota", "The budget is used up.")
    ended = innoai("billing", "settings")
    assert ended.code == 7
    assert "raise the budget" in ended.err
