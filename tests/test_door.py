from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from innoai.access.budgets import Quote
from innoai.access.decide import CHECKS, Decision, Request
from innoai.access.networks import parse_address
from innoai.access.principal import Member, Principal, Unauthenticated
from innoai.access.routes import route_for
from innoai.activity.counts import Counts
from innoai.activity.tail import Decided, Watcher
from innoai.door import Admission, Door, admission
from innoai.errors import InnoError, refusal
from innoai.limiter import MemoryLimiter
from innoai.metering.budgets import Budgets
from innoai.metering.holders import Holders
from innoai.store import activity, api_keys, changes, customers, signing_keys
from innoai.store import budgets as store_budgets
from tests.keyring.replica import MAX_STALE, Clock, Replica, open_replica
from tests.support.stores import ACCOUNT, NOW, SECRETS, new_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from innoai.access.limits import RateOutcome
    from innoai.limiter import Bucket, Limiter
    from innoai.store.database import Database

    OnBurst = Callable[[int | None, Principal | None], None]

pytestmark = pytest.mark.parametrize("kind", ["sqlite"])

FAILED_AUTH = 3
COST = 100
GONE = Unauthenticated("standing", refusal("invalid_api_key"))
MODELS = route_for("GET", "/v1/models")
CHAT = route_for("POST", "/v1/chat/completions")
HOME, AWAY = parse_address("203.0.113.7"), parse_address("198.51.100.9")


class Far(MemoryLimiter):
    """Limits that have to be awaited, as those in Redis."""

    def take_now(  # type: ignore[override]
        self, _bucket: str, _limit: int, _outer: Bucket | None = None
    ) -> None:
        return

    async def take(self, bucket: str, limit: int, outer: Bucket | None = None) -> RateOutcome:
        return super().take_now(bucket, limit, outer)


class Slow(Far):
    """Limits that take so long that something happens meanwhile."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__(lambda: 10**18)
        self._meanwhile = meanwhile

    async def take(self, bucket: str, limit: int, outer: Bucket | None = None) -> RateOutcome:
        await self._meanwhile()
        return await super().take(bucket, limit, outer)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def here(database: Database, clock: Clock) -> Replica:
    async with database.write() as connection:
        await signing_keys.rotate(
            connection, SECRETS, kid="sig_1", algorithm="HS256", secret=b"1" * 32, now=NOW
        )
    return await open_replica(database, clock)


def door_of(
    here: Replica,
    limiter: Limiter | None = None,
    on_burst: OnBurst | None = None,
    counts: Counts | None = None,
    budgets: Budgets | None = None,
) -> Door:
    def clock_ns() -> int:
        return int(here.clock.monotonic * 1e9)

    return Door(
        here.keyring,
        limiter or MemoryLimiter(clock_ns),
        failed_auth=FAILED_AUTH,
        clock=lambda: here.clock.now,
        clock_ns=clock_ns,
        on_burst=on_burst,
        counts=counts,
        budgets=budgets,
    )


@pytest.fixture
def door(here: Replica) -> Door:
    return door_of(here)


@pytest.fixture
def budgets(here: Replica, tmp_path: Path) -> Budgets:
    (tmp_path / "spool").mkdir()
    return Budgets(
        here.database,
        Holders(tmp_path / "spool", "hld_1"),
        clock=lambda: here.clock.now,
        monotonic=lambda: here.clock.monotonic,
    )


def request(address: int | None = HOME, **asked: str) -> Request:
    return Request(MODELS, address, **asked)  # type: ignore[arg-type]


def code(decision: Decision | None) -> str | None:
    assert decision is not None
    return None if decision.refusal is None else decision.refusal.code


async def fail_until_refused(door: Door, address: int = HOME) -> None:
    while code(await door.admit(new_key(999), request(address))) != "rate_limit_exceeded":
        pass


# Who gets in.


async def test_a_live_key_is_admitted_and_counted(here: Replica, door: Door) -> None:
    record = await here.add_key(1, rate_limit=2)
    decision = await door.admit(new_key(1), request())
    admitted = admission(decision)
    assert (admitted.principal.key.id, admitted.rate.limit, admitted.rate.remaining) == (record.id, 2, 1)
    assert door.decisions == {"allowed": 1}


async def test_a_key_that_is_in_memory_is_admitted_without_awaiting(here: Replica, door: Door) -> None:
    await here.add_key(1, rate_limit=2)
    assert door.admit_now(new_key(1), request()) is None
    await door.admit(new_key(1), request())
    assert admission(_made(door.admit_now(new_key(1), request()))).rate.remaining == 0
    assert code(door.admit_now(new_key(1), request())) == "rate_limit_exceeded"


async def test_a_credential_that_is_presented_again_need_not_be_digested_again(
    here: Replica, door: Door
) -> None:
    await here.add_key(1)
    seen = door.digest(new_key(1))
    assert door.admit_now(new_key(1), request(), seen) is None
    await door.admit(new_key(1), request())
    assert code(door.admit_now(new_key(1), request(), seen)) is None
    assert door.digest(None) is None


async def test_a_key_is_admitted_exactly_as_often_as_its_limit_allows(here: Replica, door: Door) -> None:
    await here.add_key(1, rate_limit=5)
    codes = [code(await door.admit(new_key(1), request())) for _ in range(8)]
    assert codes == [None] * 5 + ["rate_limit_exceeded"] * 3
    assert door.decisions == {"allowed": 5, "rate_limit_exceeded": 3}


async def test_a_key_and_its_tokens_share_one_limit(here: Replica, door: Door) -> None:
    record = await here.add_key(1, rate_limit=2)
    token = here.mint(record)
    assert code(await door.admit(token, request())) is None
    assert code(await door.admit(new_key(1), request())) is None
    assert code(await door.admit(token, request())) == "rate_limit_exceeded"


async def test_a_missing_credential_is_refused_at_once(door: Door) -> None:
    for decision in (door.admit_now(None, request()), await door.admit(None, request())):
        assert code(decision) == "invalid_api_key"
        assert _made(decision).refused_by == "credential"


async def test_a_refused_request_takes_nothing_from_the_keys_limit(here: Replica, door: Door) -> None:
    await here.add_key(1, rate_limit=1, allowed_ips=("203.0.113.0/24",))
    for _ in range(5):
        assert code(await door.admit(new_key(1), request(AWAY))) == "ip_not_allowed"
    assert code(await door.admit(new_key(1), request(HOME))) is None


async def test_use_is_noted_only_where_a_request_was_admitted(here: Replica, door: Door) -> None:
    admitted = await here.add_key(1)
    refused = await here.add_key(2, revoked_at=NOW)
    await door.admit(new_key(1), request())
    await door.admit(new_key(2), request())
    await here.keyring.flush_use()
    async with here.database.read() as connection:
        used = [await api_keys.get(connection, record.id) for record in (admitted, refused)]
    assert [record and record.last_used_at for record in used] == [NOW, None]


async def test_checks_come_in_their_order(here: Replica, door: Door) -> None:
    """A key that fails several checks is refused by the first."""
    wrong = {"allowed_ips": ("192.0.2.1",), "scopes": ("billing:read",), "models": (), "rate_limit": 1}
    await here.add_key(1, **wrong, revoked_at=NOW)
    await here.add_key(2, **wrong)
    await here.add_key(3, **wrong | {"allowed_ips": ()})
    await here.add_key(4, **wrong | {"allowed_ips": (), "scopes": ("inference:write",)})
    await here.add_key(5, scopes=("inference:write",), rate_limit=1)
    asked = Request(CHAT, HOME, "a-model")
    refused_by = [_made(await door.admit(new_key(number), asked)).refused_by for number in range(1, 6)]
    refused_by.append(_made(await door.admit(new_key(5), asked)).refused_by)
    assert refused_by == ["standing", "network", "scope", "model", None, "rate"]
    assert list(CHECKS) == [
        "credential",
        "standing",
        "tenancy",
        "network",
        "scope",
        "model",
        "budget",
        "rate",
    ]


# What happens while a request waits.


async def test_a_request_that_waits_for_its_limits_is_refused_once_its_key_is_revoked(here: Replica) -> None:
    record = await here.add_key(1)

    async def revoke() -> None:
        await here.revoke_key(record.id)
        await here.heed()

    door = door_of(here, Slow(revoke))
    decision = await door.admit(new_key(1), request())
    assert (code(decision), decision.refused_by) == ("invalid_api_key", "standing")
    assert door.decisions == {"invalid_api_key": 1}


async def test_a_request_that_waits_for_its_limits_is_refused_once_its_token_is_revoked(
    here: Replica,
) -> None:
    record = await here.add_key(1)

    async def revoke() -> None:
        await here.revoke_token("jti_1")
        await here.heed()

    decision = await door_of(here, Slow(revoke)).admit(here.mint(record), request())
    assert (code(decision), decision.refused_by) == ("invalid_api_key", "standing")


async def test_a_request_that_waits_for_its_limits_is_refused_once_its_customer_is_disabled(
    here: Replica,
) -> None:
    customer = await here.add_customer(1)
    record = await here.add_key(1)

    async def disable() -> None:
        async with here.database.write() as connection:
            await customers.change(connection, customer.id, {"disabled": True}, NOW)
        await here.heed()

    decision = await door_of(here, Slow(disable)).admit(here.mint(record, customer), request())
    assert (code(decision), decision.refused_by) == ("invalid_api_key", "tenancy")


async def test_a_request_that_waits_for_its_limits_is_refused_once_its_key_has_expired(here: Replica) -> None:
    await here.add_key(1, expires_at=NOW + 1)

    async def expire() -> None:
        here.clock.pass_time(1)

    assert code(await door_of(here, Slow(expire)).admit(new_key(1), request())) == "invalid_api_key"


async def test_a_request_that_waited_is_admitted_for_whom_its_credential_stands_then(here: Replica) -> None:
    record = await here.add_key(1)

    async def change() -> None:
        async with here.database.write() as connection:
            await api_keys.change(connection, record.id, {"rate_limit": 7}, NOW)
        await here.heed()

    admitted = admission(await door_of(here, Slow(change)).admit(new_key(1), request()))
    assert admitted.principal.key.rate_limit == 7


async def test_whoever_presents_a_caller_is_asked_again_only_after_a_wait(here: Replica) -> None:
    await here.add_key(1)
    live = await here.keyring.resolve(new_key(1))

    async def wait() -> None:
        pass

    for limiter, answers in ((None, [live]), (Slow(wait), [live, GONE])):
        asked: list[Principal | Unauthenticated] = []

        async def present(
            asked: list[Principal | Unauthenticated] = asked,
            answers: list[Principal | Unauthenticated] = answers,
        ) -> Principal | Unauthenticated:
            asked.append(answers[len(asked)])
            return asked[-1]

        decision = await door_of(here, limiter).admit_presented(present, request())
        assert (asked, decision.allowed) == (answers, answers[-1] is live)


async def paid(here: Replica, budgets: Budgets) -> tuple[Door, Request, Admission]:
    """A door, a request of key 1 that costs all of its budget, and one that has been admitted."""
    record = await here.add_key(1)
    async with here.database.write() as connection:
        await store_budgets.set_amount(connection, ACCOUNT.id, record.id, "monthly", COST, NOW)
        await changes.announce(connection, changes.KEY, record.id, NOW)
    await here.heed()
    door = door_of(here, budgets=budgets)
    asked = Request(CHAT, HOME, quote=lambda _: Quote(COST, COST))
    return door, asked, admission(await door.admit(new_key(1), asked))


def left(budgets: Budgets) -> int:
    """What nobody has reserved of what was taken from the store."""
    return sum(holding.available for holding in budgets._holdings.values())


async def test_a_request_that_waits_for_a_budget_is_refused_once_its_key_is_revoked(
    here: Replica, budgets: Budgets
) -> None:
    door, asked, first = await paid(here, budgets)
    waiting = asyncio.create_task(door.admit(new_key(1), asked))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await here.revoke_key(first.principal.key.id)
    await here.heed()
    door.let_go(first.reservation)
    decision = await waiting
    assert (code(decision), decision.refused_by, decision.reservation) == (
        "invalid_api_key",
        "standing",
        None,
    )
    assert left(budgets) == COST


async def test_a_request_that_waited_for_a_budget_gives_it_back_when_nothing_can_be_decided(
    here: Replica, budgets: Budgets
) -> None:
    door, asked, first = await paid(here, budgets)
    waiting = asyncio.create_task(door.admit(new_key(1), asked))
    await asyncio.sleep(0.05)
    here.news.is_down = True
    here.clock.pass_time(MAX_STALE + 1)
    door.let_go(first.reservation)
    with pytest.raises(InnoError):
        await waiting
    assert left(budgets) == COST


# Failed authentications.


@pytest.mark.parametrize("limits", [MemoryLimiter, Far])
async def test_an_address_that_fails_too_often_is_not_worth_the_store(
    here: Replica, limits: type[MemoryLimiter]
) -> None:
    door = door_of(here, limits(lambda: int(here.clock.monotonic * 1e9)))
    codes = [code(await door.admit(new_key(999), request())) for _ in range(FAILED_AUTH + 1)]
    assert codes == ["invalid_api_key"] * FAILED_AUTH + ["rate_limit_exceeded"]
    reads = here.store.reads
    decision = await door.admit(new_key(998), request())
    assert code(decision) == "rate_limit_exceeded"
    assert decision.refusal is not None
    assert 0 < int(decision.refusal.details["retry_after"]) <= 20
    assert here.store.reads == reads


@pytest.mark.parametrize("limits", [MemoryLimiter, Far])
async def test_a_throttled_address_keeps_the_good_keys_that_are_in_memory(
    here: Replica, limits: type[MemoryLimiter]
) -> None:
    door = door_of(here, limits(lambda: int(here.clock.monotonic * 1e9)))
    await here.add_key(1)
    assert code(await door.admit(new_key(1), request())) is None
    await fail_until_refused(door)
    assert code(await door.admit(new_key(1), request())) is None
    assert code(await door.preview(new_key(1), request())) is None


async def test_other_addresses_are_not_throttled(here: Replica, door: Door) -> None:
    await here.add_key(1)
    await fail_until_refused(door, HOME)
    assert code(await door.admit(new_key(1), request(AWAY))) is None


async def test_a_throttled_address_may_try_again_later(here: Replica, door: Door) -> None:
    await here.add_key(1)
    await fail_until_refused(door)
    assert code(await door.admit(new_key(1), request())) == "rate_limit_exceeded"
    here.clock.pass_time(60 / FAILED_AUTH + 0.001)
    assert code(await door.admit(new_key(1), request())) is None


async def test_every_kind_of_failed_authentication_counts(here: Replica, door: Door) -> None:
    await here.add_key(1, revoked_at=NOW)
    failing = [None, "sk-inno-typo", new_key(1), new_key(999)]
    codes = [code(await door.admit(credential, request())) for credential in failing]
    assert codes == ["invalid_api_key"] * FAILED_AUTH + ["rate_limit_exceeded"]


async def test_an_address_that_has_used_up_its_failures_is_told_of_with_whose_key_it_was(
    here: Replica,
) -> None:
    told: list[tuple[int | None, str | None]] = []

    def tell(address: int | None, principal: Principal | None) -> None:
        told.append((address, None if principal is None else principal.key.id))

    door = door_of(here, on_burst=tell)
    record = await here.add_key(1, revoked_at=NOW)
    for _ in range(FAILED_AUTH - 1):
        await door.admit(new_key(1), request())
    assert told == []
    await door.admit(new_key(1), request())
    assert told == [(HOME, record.id)]


async def test_what_is_refused_for_another_reason_is_no_failed_authentication(
    here: Replica, door: Door
) -> None:
    await here.add_key(1, scopes=("billing:read",))
    for _ in range(FAILED_AUTH + 5):
        assert code(await door.admit(new_key(1), request())) == "insufficient_permissions"
    assert code(await door.admit(new_key(999), request())) == "invalid_api_key"


async def test_callers_without_an_address_share_one_bucket(door: Door) -> None:
    codes = [code(await door.admit(None, request(None))) for _ in range(FAILED_AUTH + 1)]
    assert codes[-1] == "rate_limit_exceeded"
    assert code(await door.admit(None, request(HOME))) == "invalid_api_key"


# Before a large body is read.


async def test_a_preview_decides_without_the_limit_and_counts_only_refusals(
    here: Replica, door: Door
) -> None:
    await here.add_key(1, rate_limit=1)
    for _ in range(3):
        decision = await door.preview(new_key(1), request())
        assert (code(decision), decision.rate) == (None, None)
    assert door.decisions == {}
    assert code(await door.admit(new_key(1), request())) is None


async def test_a_preview_refuses_and_throttles_as_the_door_does(door: Door) -> None:
    assert code(await door.preview(None, request())) == "invalid_api_key"
    codes = [code(await door.preview(new_key(999), request())) for _ in range(FAILED_AUTH)]
    assert codes == ["invalid_api_key"] * (FAILED_AUTH - 1) + ["rate_limit_exceeded"]
    assert code(await door.preview(new_key(999), request())) == "rate_limit_exceeded"


# Explaining.


@pytest.mark.parametrize("limits", [MemoryLimiter, Far])
async def test_an_explanation_takes_nothing_and_counts_nothing(
    here: Replica, limits: type[MemoryLimiter]
) -> None:
    door = door_of(here, limits(lambda: int(here.clock.monotonic * 1e9)))
    await here.add_key(1, rate_limit=1)
    principal = await here.keyring.resolve(new_key(1))
    for _ in range(3):
        decision = await door.explain(principal, request())
        assert code(decision) is None
        assert decision.rate is not None
        assert decision.rate.remaining == 0
    unknown = await here.keyring.resolve(new_key(999))
    for _ in range(FAILED_AUTH + 1):
        assert code(await door.explain(unknown, request())) == "invalid_api_key"
    assert door.decisions == {}
    assert code(await door.admit(new_key(1), request())) is None
    assert code(await door.explain(principal, request())) == "rate_limit_exceeded"


async def test_an_explanation_says_what_the_door_says(here: Replica, door: Door) -> None:
    await here.add_key(1, scopes=("billing:read",))
    principal = await here.keyring.resolve(new_key(1))
    explained = await door.explain(principal, request())
    assert explained == await door.admit(new_key(1), request())
    outcomes = [check.outcome for check in explained.checks]
    assert outcomes == ["passed"] * 4 + ["refused"] + ["not_reached"] * 3


# When nothing can be decided.


async def test_a_store_that_is_silent_too_long_is_unavailable_and_not_a_guess(
    here: Replica, door: Door
) -> None:
    await here.add_key(1)
    await door.admit(new_key(1), request())
    here.news.is_down = True
    here.clock.pass_time(MAX_STALE + 1)
    assert door.admit_now(new_key(1), request()) is None
    with pytest.raises(InnoError) as refused:
        await door.admit(new_key(1), request())
    assert refused.value.refusal.code == "service_unavailable"


# What comes of a decision.


def test_a_refused_decision_is_raised_with_its_own_words(kind: str) -> None:
    refused = refusal("ip_not_allowed")
    with pytest.raises(InnoError) as raised:
        admission(Decision(request(), None, "network", refused))
    assert (raised.value.refusal, raised.value.headers) == (refused, [])


async def test_a_refusal_by_the_limit_carries_the_limits_headers(here: Replica, door: Door) -> None:
    await here.add_key(1, rate_limit=1)
    await door.admit(new_key(1), request())
    with pytest.raises(InnoError) as raised:
        admission(await door.admit(new_key(1), request()))
    names = [name for name, _ in raised.value.headers]
    assert names == [
        b"x-ratelimit-limit-requests",
        b"x-ratelimit-remaining-requests",
        b"x-ratelimit-reset-requests",
    ]


async def test_a_decision_that_was_not_rated_admits_nobody(here: Replica, door: Door) -> None:
    await here.add_key(1)
    previewed = await door.preview(new_key(1), request())
    with pytest.raises(InnoError) as raised:
        admission(previewed)
    assert raised.value.refusal.code == "internal_error"


async def test_an_admission_says_who_and_what_is_left(here: Replica, door: Door) -> None:
    await here.add_key(1)
    admitted = admission(await door.admit(new_key(1), request()))
    assert isinstance(admitted, Admission)
    assert isinstance(admitted.principal, Principal)


def _made(decision: Decision | None) -> Decision:
    assert decision is not None
    return decision


# What is told of a decision.


async def test_each_decision_about_a_key_is_counted_by_all_that_it_knows(
    here: Replica, database: Database
) -> None:
    door = door_of(here, counts=Counts(database, lambda: here.clock.now))
    record = await here.add_key(1, rate_limit=3, allowed_ips=("203.0.113.0/24",))
    token = here.mint(record)
    for credential, address in ((new_key(1), HOME), (new_key(1), HOME), (token, HOME), (new_key(1), AWAY)):
        await door.admit(credential, request(address))
    assert code(door.admit_now(new_key(1), request())) == "rate_limit_exceeded"
    assert code(await door.preview(new_key(1), request(AWAY))) == "ip_not_allowed"
    for unknown in (None, new_key(999)):
        await door.admit(unknown, request())
    await door.counts.flush()
    async with database.read() as connection:
        rows = await activity.of_key(connection, record.account_id, record.id, 0, 10**6)
    assert {(row.path, row.place, row.bearer, row.code, row.requests) for row in rows} == {
        ("/v1/models", "203.0.113.7", "key", "allowed", 2),
        ("/v1/models", "203.0.113.7", "token", "allowed", 1),
        ("/v1/models", "203.0.113.7", "key", "rate_limit_exceeded", 1),
        ("/v1/models", "198.51.100.9", "key", "ip_not_allowed", 2),
    }


async def test_both_ways_through_the_door_count_alike(here: Replica, database: Database) -> None:
    counts = Counts(database, lambda: here.clock.now)
    door = door_of(here, counts=counts)
    record = await here.add_key(1)
    asked = Request(CHAT, HOME, "a-model", request_id="req_1")
    await door.admit(new_key(1), asked)
    door.admit_now(new_key(1), asked)
    await counts.flush()
    async with database.read() as connection:
        (row,) = await activity.of_key(connection, record.account_id, record.id, 0, 10**6)
    assert (row.requests, row.model, row.last_at) == (2, "a-model", NOW)


async def test_whoever_watches_is_told_of_each_decision_once(here: Replica, door: Door) -> None:
    record = await here.add_key(1)
    await door.admit(new_key(1), request())
    watcher = Watcher(record.account_id)
    door.tail.watch(watcher)
    await door.admit(new_key(1), request())
    door.admit_now(new_key(1), request())
    await door.preview(new_key(1), request())
    await door.explain(await here.keyring.resolve(new_key(1)), request())
    assert code(await door.admit(new_key(1), Request(route_for("GET", "/v1/keys"), HOME))) is not None
    told, lost = watcher.take()
    codes = [code(item.decision) for item in told if isinstance(item, Decided)]
    assert (codes, lost) == ([None, None, "insufficient_permissions"], 0)


async def test_refusals_are_remembered_with_their_checks_whether_anybody_watches_or_not(
    here: Replica, door: Door
) -> None:
    record = await here.add_key(1, revoked_at=NOW)
    decision = await door.admit(new_key(1), request(request_id="req_1"))
    (kept,) = door.tail.refusals(record.account_id)
    assert (kept.at, kept.decision.checks) == (NOW, decision.checks)
    assert kept.decision.request.request_id == "req_1"


async def test_a_member_is_no_key(here: Replica, door: Door) -> None:
    record = await here.add_key(1)
    principal = await here.keyring.resolve(new_key(1))
    assert isinstance(principal, Principal)
    member = structs.replace(principal, member=Member("mem_1", "owner"))
    door.tail.watch(watcher := Watcher(record.account_id))

    async def present() -> Principal:
        return member

    assert code(await door.admit_presented(present, request())) is None
    assert watcher.take() == ([], 0)
    await here.keyring.flush_use()
    async with here.database.read() as connection:
        unused = await api_keys.get(connection, record.id)
    assert unused is not None
    assert unused.last_used_at is None
