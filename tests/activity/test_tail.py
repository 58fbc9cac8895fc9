from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from innoai.access.decide import Decision, Request, decide
from innoai.access.principal import Account, Member, Principal
from innoai.access.routes import route_for
from innoai.activity import tail as tail_module
from innoai.activity.tail import MOST_QUEUED, REMEMBERED, Decided, Finished, Tail, Watcher
from innoai.errors import refusal
from innoai.store.usage import UsageRecord
from tests.access.facts import ACCOUNT, CUSTOMER, KEY, KEY_PRINCIPAL, NOW

if TYPE_CHECKING:
    from innoai.access.budgets import Quote

CHAT = route_for("POST", "/v1/chat/completions")
KEYS = route_for("GET", "/v1/keys")


@pytest.fixture
def tail() -> Tail:
    return Tail(lambda: float(NOW))


def allowed(number: int = 0) -> Decision:
    return decide(KEY_PRINCIPAL, Request(CHAT, None, request_id=f"req_{number}"), NOW)


def refused(number: int = 0, account: Account = ACCOUNT) -> Decision:
    return decide(Principal(account, KEY, None), Request(KEYS, None, request_id=f"req_{number}"), NOW)


def record(key_id: str = KEY.id, account_id: str = ACCOUNT.id) -> UsageRecord:
    return UsageRecord("req_1", account_id, key_id, "/v1/chat/completions", 200, "complete", NOW, 5.0)


def watching(tail: Tail, key_id: str | None = None, *, only_refused: bool = False) -> Watcher:
    watcher = Watcher(ACCOUNT.id, key_id, only_refused=only_refused)
    tail.watch(watcher)
    return watcher


def named(watcher: Watcher) -> list[str | None]:
    told, _ = watcher.take()
    return [
        item.decision.request.request_id if isinstance(item, Decided) else item.record.request_id
        for item in told
    ]


async def test_a_watcher_is_told_what_is_decided_and_what_is_finished(tail: Tail) -> None:
    watcher = watching(tail)
    tail.decided(allowed(), NOW)
    tail.finished(record())
    told, lost = watcher.take()
    assert [type(item) for item in told] == [Decided, Finished]
    assert (lost, watcher.take()) == (0, ([], 0))


async def test_nobody_is_told_of_another_account(tail: Tail) -> None:
    watcher = watching(tail)
    tail.decided(refused(account=Account("acc_2", "startup", disabled=False)), NOW)
    tail.finished(record(account_id="acc_2"))
    tail.decided(Decision(Request(CHAT, None), None, "credential", refusal("invalid_api_key")), NOW)
    assert watcher.take() == ([], 0)


async def test_a_watcher_of_one_key_is_told_of_that_key(tail: Tail) -> None:
    this, other = watching(tail, KEY.id), watching(tail, "key_2")
    tail.decided(allowed(), NOW)
    tail.finished(record())
    assert (len(this.take()[0]), len(other.take()[0])) == (2, 0)


async def test_who_wants_refusals_alone_gets_them_alone(tail: Tail) -> None:
    watcher = watching(tail, only_refused=True)
    tail.decided(allowed(1), NOW)
    tail.decided(refused(2), NOW)
    tail.finished(record())
    assert named(watcher) == ["req_2"]


async def test_who_left_is_told_no_more(tail: Tail) -> None:
    assert not tail.is_watched
    one, other = watching(tail), watching(tail)
    assert (tail.is_watched, tail.watchers_of(ACCOUNT.id)) == (True, 2)
    tail.leave(one)
    tail.leave(one)
    tail.decided(allowed(), NOW)
    assert (len(one.take()[0]), len(other.take()[0]), tail.is_watched) == (0, 1, True)
    tail.leave(other)
    assert (tail.is_watched, tail.watchers_of(ACCOUNT.id)) == (False, 0)


async def test_a_slow_reader_loses_what_there_is_no_room_for_and_knows_how_much(tail: Tail) -> None:
    watcher = watching(tail)
    for number in range(MOST_QUEUED + 3):
        tail.decided(allowed(number), NOW)
    told, lost = watcher.take()
    assert (len(told), lost) == (MOST_QUEUED, 3)
    tail.decided(allowed(), NOW)
    assert (len(watcher.take()[0]), watcher.take()[1]) == (1, 0)


async def test_a_watcher_wakes_when_there_is_something(tail: Tail) -> None:
    watcher = watching(tail)
    await watcher.wait(0.001)
    waiting = asyncio.create_task(watcher.wait(60))
    await asyncio.sleep(0)
    tail.decided(allowed(), NOW)
    await asyncio.wait_for(waiting, 10)


async def test_the_last_refusals_are_there_for_who_comes_later(tail: Tail) -> None:
    for number in range(REMEMBERED + 5):
        tail.decided(refused(number), NOW)
        tail.decided(allowed(number), NOW)
    kept = tail.refusals(ACCOUNT.id)
    assert [item.decision.request.request_id for item in kept[:2]] == [
        f"req_{REMEMBERED + 4}",
        f"req_{REMEMBERED + 3}",
    ]
    assert len(kept) == REMEMBERED
    assert kept[0].decision.checks == refused().checks
    assert tail.refusals("acc_2") == []


async def test_accounts_without_late_refusals_are_forgotten(
    tail: Tail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail_module, "MOST_ACCOUNTS", 2)
    for name in ("acc_1", "acc_2", "acc_1", "acc_3"):
        tail.decided(refused(account=Account(name, "startup", disabled=False)), NOW)
    assert [len(tail.refusals(name)) for name in ("acc_1", "acc_2", "acc_3")] == [2, 0, 1]


async def test_what_is_kept_of_a_request_holds_no_body(tail: Tail) -> None:
    def quote(_: Principal) -> Quote | None:
        raise AssertionError("nobody asks")

    request = Request(KEYS, None, "m" * 5000, quote=quote)
    tail.decided(decide(Principal(ACCOUNT, KEY, None), request, NOW), NOW)
    kept = tail.refusals(ACCOUNT.id)[0].decision.request
    assert (kept.quote, kept.model) == (None, "m" * 200)


async def test_an_answer_that_no_model_gave_is_told_of_too(tail: Tail) -> None:
    tail.answered(KEY_PRINCIPAL, "req_0", "/v1/keys", 200, 4.0)
    watcher = watching(tail)
    tail.answered(KEY_PRINCIPAL, "req_1", "/v1/keys", 200, 4.0)
    tail.answered(Principal(ACCOUNT, KEY, None), "req_2", "/v1/keys", 404, 4.0)
    member = Principal(ACCOUNT, KEY, None, None, Member("mem_1", "owner"))
    tail.answered(member, "req_3", "/v1/keys", 200, 4.0)
    told, _ = watcher.take()
    records = [item.record for item in told if isinstance(item, Finished)]
    assert [(one.request_id, one.status, one.customer_id) for one in records] == [
        ("req_1", 200, CUSTOMER.customer_id),
        ("req_2", 404, None),
    ]
    assert records[0].started_at == NOW - 0.004
