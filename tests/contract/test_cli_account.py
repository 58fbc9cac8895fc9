"""The commands of money, signals, records and people, by the installed command, against a real server."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest

from innoai import webhooks
from tests.contract.clients import HELLO, bearer
from tests.contract.test_cli import fails, run
from tests.support.receiver import Receiver
from tests.support.server import INNOAI, MODEL, clean_environment
from tests.support.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.server import Server

PRICED = (
    settings({MODEL: [{"base_url": "echo:"}]}, {"webhooks": {"allowed_networks": ["127.0.0.0/8"]}})
    + f'[models."{MODEL}".price]\nprompt = "1000"\ncompletion = "2000"\n'
)
COST = "0.006"
"""Of HELLO: two tokens in and out, in dollars a million."""


@pytest.fixture(scope="module")
def own(new_server: Callable[..., Server]) -> Server:
    return new_server(PRICED)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver().running() as running:
        yield running


@pytest.fixture(scope="module")
def spent(own: Server) -> str:
    """A customer that made one request, whose record is in the store."""
    token = run(own, "tokens", "create", "--customer", "cli-spender")["access_token"]
    with httpx.Client(base_url=own.base_url, headers=bearer(token)) as client:
        assert client.post("/chat/completions", json=HELLO).status_code == 200
    while not run(own, "billing", "usage", "--customer", "cli-spender")["data"]:
        pass
    return "cli-spender"


def test_usage_is_shown_by_request_and_in_sums(own: Server, spent: str, tmp_path: Path) -> None:
    (record,) = run(own, "billing", "usage", "--customer", spent)["data"]
    assert (record["cost"], record["customer_id"], record["model"]) == (COST, spent, MODEL)
    grouped = run(own, "billing", "usage", "--customer", spent, "--group-by", "day,model")
    assert [(bucket["requests"], bucket["cost"]) for bucket in grouped["data"]] == [(1, COST)]
    assert record["request_id"] in own.cli("billing", "usage", "--customer", spent, "--csv", "-").stdout
    file = tmp_path / "usage.csv"
    written = run(own, "billing", "usage", "--group-by", "hour", "--csv", str(file))
    assert written == {"file": str(file), "bytes": len(file.read_bytes())}
    assert COST in own.cli("billing", "usage").stdout


def test_summary_and_statements_come_to_the_same(own: Server, spent: str) -> None:
    summary = run(own, "billing", "summary", "--customer", spent)
    assert summary["totals"]["cost"] == COST
    month = summary["month"]
    (statement,) = run(own, "billing", "statements", "--month", month, "--customer", spent)["data"]
    assert (statement["cost"], statement["status"]) == (COST, "open")
    whole = run(own, "billing", "statement", month, spent)
    assert [line["cost"] for line in whole["lines"]] == [COST]
    for arguments in (("statements",), ("statement", month, spent)):
        assert COST in own.cli("billing", *arguments).stdout
        assert COST in own.cli("billing", *arguments, "--csv", "-").stdout


def test_budgets_are_set_and_removed_and_hold(own: Server) -> None:
    settings_before = run(own, "billing", "settings")
    changed = run(own, "billing", "set", "--budget-monthly", "1000", "--alert-threshold", "50")
    assert changed == {
        **settings_before,
        "budgets": {"monthly": "1000", "total": None},
        "alert_thresholds": [50],
    }
    assert run(own, "billing", "set", "--budget-monthly", "none")["budgets"]["monthly"] is None
    key = run(own, "keys", "create", "--name", "Poor", "--budget-total", "0.000000001")
    with httpx.Client(base_url=own.base_url, headers=bearer(key["key"])) as client:
        assert client.post("/chat/completions", json=HELLO).status_code == 402
    changed = run(own, "keys", "update", key["id"], "--budget-total", "none", "--name", "Rich")
    assert (changed["budgets"], changed["name"]) == ({"monthly": None, "total": None}, "Rich")
    customer = run(own, "customers", "create", "cli-bound", "--rate-limit", "60", "--budget-monthly", "5.50")
    assert (customer["rate_limit"], customer["budgets"]["monthly"]) == (60, "5.5")
    freed = run(own, "customers", "update", "cli-bound", "--rate-limit", "none", "--budget-monthly", "none")
    assert (freed["rate_limit"], freed["budgets"]["monthly"]) == (None, None)


def test_endpoints_live_their_whole_life(own: Server, receiver: Receiver) -> None:
    made = run(
        own,
        *("webhooks", "create", receiver.url("/signed"), "--event-type", "key.*", "--header", "x-token=-"),
        stdin="a-token",
    )
    receiver.secret = made["secret"]
    assert made["headers"] == {"x-token": "[hidden]"}
    tested = own.cli("webhooks", "test", made["id"])
    assert tested.returncode == 0, tested.stdout
    assert tested.stdout.startswith("succeeded: 200 after ")
    (delivery,) = run(own, "webhooks", "deliveries", "--endpoint", made["id"])["data"]
    shown = run(own, "webhooks", "delivery", delivery["id"])
    assert (shown["state"], shown["event"]["type"], shown["log"][0]["status"]) == (
        "succeeded",
        "webhook.test",
        200,
    )
    assert "webhook.test" in own.cli("webhooks", "delivery", delivery["id"]).stdout
    again = run(own, "webhooks", "replay", delivery["id"])
    assert (again["event_id"], again["id"] != delivery["id"]) == (delivery["event_id"], True)
    rotated = run(own, "webhooks", "rotate-secret", made["id"], "--overlap", "0")
    assert rotated["secret"] != made["secret"]
    failed = own.cli("webhooks", "test", made["id"])
    assert (failed.returncode, failed.stdout.startswith("failed: 401 after ")) == (1, True)
    assert run(own, "webhooks", "replay", made["id"], "--since", "2026-01-01")["count"] >= 0
    changed = run(own, "webhooks", "update", made["id"], "--disable", "--no-headers", "--event-type", "*")
    assert (changed["disabled"], changed["headers"], changed["event_types"]) == (True, {}, ["*"])
    assert made["id"] in own.cli("webhooks", "list").stdout
    assert run(own, "webhooks", "delete", made["id"]) == {}
    fails(own.cli("webhooks", "show", made["id"]), 5, "not_found")


def test_every_event_type_has_its_schema_and_example(own: Server) -> None:
    types = run(own, "webhooks", "event-types")["data"]
    assert {"key.created", "tier.changed"} <= {each["type"] for each in types}
    assert all(each["schema"]["type"] == "object" and each["example"]["id"] for each in types)
    assert "key.created" in own.cli("webhooks", "event-types").stdout


def test_listen_forwards_what_happens_signed_over_a_restart_of_the_server(
    own: Server, receiver: Receiver
) -> None:
    environment = clean_environment(INNOAI_BASE_URL=own.base_url, INNOAI_API_KEY=own.admin_key)
    command = [INNOAI, "webhooks", "listen", "--forward-to", receiver.url("/ok-listen"), "--json"]
    with subprocess.Popen(
        [*command, "--event-type", "customer.*"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        secret = json.loads(process.stdout.readline())["secret"]
        _create_until_heard(own, receiver)
        own.stop()
        assert "the connection is lost" in process.stderr.readline()
        own.start()
        run(own, "customers", "create", "cli-after-the-restart")
        found = receiver.wait_for("/ok-listen", lambda found: b"after-the-restart" in found[-1].body)
        lines = [json.loads(process.stdout.readline()) for _ in found]
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    # A resumed stream goes a little back, to what another test did before.
    assert {line["status"] for line in lines} == {200}
    assert "customer.created" in {line["type"] for line in lines} <= {"customer.created", "customer.updated"}
    assert len({line["id"] for line in lines}) == len(lines) > 1
    for received in receiver.at("/ok-listen"):
        assert webhooks.verify(received.body, received.headers["x-innoai-signature"], secret)
        assert webhooks.verify_standard(received.body, received.headers, secret)


def _create_until_heard(own: Server, receiver: Receiver) -> None:
    """Create customers until one is forwarded: the listener prints its secret before it is connected."""
    for number in itertools.count():
        run(own, "customers", "create", f"cli-heard-{number}")
        if receiver.at("/ok-listen"):
            return


def test_the_audit_log_is_shown_exported_and_verified(own: Server, tmp_path: Path) -> None:
    key = run(own, "keys", "create", "--name", "On record")
    (entry,) = run(own, "audit", "list", "--action", "key.*", "--target", key["id"])["data"]
    assert (entry["action"], entry["target_id"]) == ("key.created", key["id"])
    file = tmp_path / "log.jsonl"
    run(own, "audit", "export", str(file))
    verdict = run(own, "audit", "verify", str(file))
    assert verdict["verified"] is True
    head = f"{verdict['head']['sequence']}:{verdict['head']['hash']}"
    assert run(own, "audit", "verify", "--head", head)["verified"] is True
    forged = tmp_path / "forged.jsonl"
    forged.write_bytes(file.read_bytes().replace(b"On record", b"No record"))
    broken = own.cli("audit", "verify", str(forged), key="")
    assert broken.returncode == 1
    assert broken.stdout.startswith(f"broken at entry {entry['sequence']} ({entry['id']})\ncontent changed")


def test_members_are_invited_changed_and_removed(own: Server) -> None:
    invited = run(own, "members", "invite", "ana@example.com", "--role", "viewer", "--name", "Ana")
    assert invited["invite_url"].startswith("http")
    assert "ana@example.com" in own.cli("members", "list").stdout
    assert "invite_url" not in run(own, "members", "show", invited["id"])
    assert run(own, "members", "set-role", invited["id"], "admin")["role"] == "admin"
    assert run(own, "members", "rename", invited["id"], "Ana María")["name"] == "Ana María"
    fails(own.cli("members", "invite", "Ana@example.com"), 6, "email")
    assert run(own, "members", "remove", invited["id"]) == {}
    owners = [each for each in run(own, "members", "list")["data"] if each["role"] == "owner"]
    fails(own.cli("members", "remove", owners[0]["id"], "--yes"), 6, "last owner")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("webhooks", "create", "http://169.254.169.254/"), 9, "url"),
        (("webhooks", "create", "https://example.com/", "--event-type", "nothing.*"), 9, "event_types"),
        (("webhooks", "show", "whe_" + "0" * 22), 5, "not_found"),
        (("webhooks", "delivery", "dlv_" + "0" * 22), 5, "not_found"),
        (("billing", "set", "--currency", "XXX"), 9, "currency"),
        (("billing", "usage", "--group-by", "week"), 9, "group_by"),
        (("audit", "list", "--action", "Nothing"), 9, "action"),
        (("members", "show", "mem_" + "0" * 22), 5, "not_found"),
        (("members", "invite", "nobody"), 9, "email"),
    ],
)
def test_what_is_wrong_is_said_with_its_own_exit_code(
    own: Server, arguments: tuple[str, ...], code: int, said: str
) -> None:
    fails(own.cli(*arguments), code, said)


def test_a_customers_token_sees_its_own_money_and_nothing_of_the_account(own: Server, spent: str) -> None:
    scopes = [word for scope in ("billing:read", "webhooks:read") for word in ("--scope", scope)]
    token = run(own, "tokens", "create", "--customer", spent, *scopes)["access_token"]
    assert {r["customer_id"] for r in run(own, "billing", "usage", key=token)["data"]} == {spent}
    assert run(own, "billing", "summary", key=token)["totals"]["cost"] == COST
    for arguments in (("billing", "settings"), ("webhooks", "list"), ("audit", "list"), ("members", "list")):
        fails(own.cli(*arguments, key=token), 4)
