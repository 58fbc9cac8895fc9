from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text, update
from structlog.testing import capture_logs

from innoai import webhooks as sdk
from innoai.config import WebhookSettings
from innoai.events import deliver, expiry, journal, outbox, signing
from innoai.events.deliver import GIVE_UP_SECONDS, HIDDEN, LEASE_SECONDS, Worker
from innoai.events.journal import OPERATOR
from innoai.store import accounts, changes, deliveries, events, webhooks
from innoai.store.deliveries import Lane, NewDelivery
from innoai.store.secrets import Secrets
from innoai.store.tables import audit_entries
from innoai.store.tables import deliveries as deliveries_table
from innoai.store.webhooks import EndpointRecord, sealed_for
from tests.support.stores import ACCOUNT, NOW, SECRETS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sqlalchemy import TextClause
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.store.database import Database
    from innoai.store.deliveries import DeliveryRecord
    from tests.support.receiver import Receiver

SETTINGS = WebhookSettings(allowed_networks=("127.0.0.0/8",), timeout=10.0)
SECRET, OLD_SECRET = signing.mint(b"n" * 32), signing.mint(b"o" * 32)
HEALTHY, FAILING = Lane(failing=False, per_endpoint=4), Lane(failing=True, per_endpoint=1)
DAY = 86_400.0


class Clock:
    """A clock that stands where it was put."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def endpoint(number: int, url: str, **changed: Any) -> EndpointRecord:
    endpoint_id = f"whe_{number:04}"
    headers = b'{"Authorization":"Basic c2VjcmV0"}'
    record = EndpointRecord(
        id=endpoint_id,
        account_id=ACCOUNT.id,
        url=url,
        event_types=("*",),
        description=None,
        sealed_headers=SECRETS.seal(headers, sealed_for("headers", endpoint_id)),
        sealed_secret=sealed(number, SECRET),
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(record, **changed)


def sealed(number: int, secret: str) -> bytes:
    return SECRETS.seal(secret.encode(), sealed_for("secret", f"whe_{number:04}"))


async def add(database: Database, *endpoints: EndpointRecord) -> None:
    async with database.write() as connection:
        for record in endpoints:
            await webhooks.create(connection, record)


async def publish(database: Database, now: float = NOW, times: int = 1) -> list[str]:
    """Publish events: their ids."""
    async with database.write() as connection:
        data = {"before": "free", "after": "startup"}
        return [
            (await outbox.publish(connection, ACCOUNT.id, "tier.changed", data, now)).id for _ in range(times)
        ]


def worker_of(database: Database, clock: Callable[[], float], secrets: Secrets = SECRETS) -> Worker:
    return Worker(database, secrets, SETTINGS, clock, chance=lambda: 0.0)


@asynccontextmanager
async def working(*workers: Worker) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for worker in workers:
            await worker.stop()


async def all_deliveries(database: Database) -> list[DeliveryRecord]:
    """The oldest first."""
    async with database.read() as connection:
        found = await deliveries.page(
            connection, ACCOUNT.id, limit=1000, before=None, endpoint_id=None, state=None, event_type=None
        )
    return found[::-1]


async def until(database: Database, holds: Callable[[list[DeliveryRecord]], bool]) -> list[DeliveryRecord]:
    """The deliveries, once that holds of them."""
    while not holds(found := await all_deliveries(database)):
        await asyncio.sleep(0.02)
    return found


def attempted(times: int) -> Callable[[list[DeliveryRecord]], bool]:
    return lambda found: bool(found) and all(each.attempts == times for each in found)


async def the_endpoint(database: Database, number: int = 1) -> EndpointRecord:
    async with database.read() as connection:
        record = await webhooks.get(connection, f"whe_{number:04}", ACCOUNT.id)
    assert record is not None
    return record


async def lease(
    database: Database, worker: str, lane: Lane, now: float = NOW, most: int = 100
) -> list[deliveries.Leased]:
    async with database.write() as connection:
        return await deliveries.lease(connection, worker, lane, now=now, ends=now + LEASE_SECONDS, most=most)


async def test_an_event_is_delivered_once_to_each_endpoint_that_wants_it(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    await add(
        database,
        endpoint(1, receiver.url("/ok/1")),
        endpoint(2, receiver.url("/ok/2"), event_types=("key.*", "tier.changed")),
        endpoint(3, receiver.url("/ok/3"), event_types=("key.*",)),
        endpoint(4, receiver.url("/ok/4"), disabled=True),
    )
    (event_id,) = await publish(database)
    async with working(worker_of(database, clock)):
        found = await until(database, attempted(1))
    assert [each.state for each in found] == ["succeeded", "succeeded"]
    assert [len(receiver.at(f"/ok/{number}")) for number in (1, 2, 3, 4)] == [1, 1, 0, 0]
    (received,) = receiver.at("/ok/1")
    assert received.event_id == event_id == json.loads(received.body)["id"]
    assert received.headers["content-type"] == "application/json"
    assert received.headers["user-agent"].startswith("innoai/")
    assert received.headers["authorization"] == "Basic c2VjcmV0"
    assert sdk.verify(received.body, received.headers["x-innoai-signature"], SECRET)
    assert sdk.verify_standard(received.body, received.headers, SECRET, now=NOW)


async def test_the_log_shows_request_and_answer_but_no_header_of_the_tenants_own(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    await add(database, endpoint(1, receiver.url("/status/418")))
    await publish(database)
    async with working(worker_of(database, clock)):
        (found,) = await until(database, attempted(1))
    async with database.read() as connection:
        (attempt,) = await deliveries.attempts(connection, found.id)
    assert (attempt.number, attempt.at, attempt.status, attempt.error) == (1, NOW, 418, None)
    assert attempt.response_body == "so be it"
    assert attempt.response_headers is not None
    assert "date" in attempt.response_headers
    assert attempt.duration_ms == round(attempt.duration_ms, 3) > 0
    assert attempt.request_headers["Authorization"] == HIDDEN
    assert attempt.request_headers["webhook-id"] == found.event_id


async def test_a_failed_delivery_comes_again_by_the_schedule_with_the_same_id_until_it_is_taken(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    await add(database, endpoint(1, receiver.url("/status/500")))
    (event_id,) = await publish(database)
    async with working(worker_of(database, clock)):
        (first,) = await until(database, attempted(1))
        assert (first.state, first.next_attempt_at) == ("pending", NOW + 5)
        assert (await the_endpoint(database)).failing_since == NOW
        clock.now = NOW + 5
        (second,) = await until(database, attempted(2))
        assert second.next_attempt_at == NOW + 5 + 300
        async with database.write() as connection:
            await webhooks.change(connection, "whe_0001", {"url": receiver.url("/ok")})
        clock.now = NOW + 5 + 300
        (third,) = await until(database, attempted(3))
    assert (third.state, third.next_attempt_at, third.finished_at) == ("succeeded", None, clock.now)
    assert (await the_endpoint(database)).failing_since is None
    came = receiver.at("/status/500") + receiver.at("/ok")
    assert [received.event_id for received in came] == [event_id] * 3
    assert len({received.headers["webhook-timestamp"] for received in came}) == 3


async def test_after_the_last_attempt_a_delivery_has_failed(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    await add(database, endpoint(1, receiver.url("/status/500")))
    await publish(database)
    async with database.write() as connection:
        await connection.execute(update(deliveries_table).values(attempts=9))
    async with working(worker_of(database, clock)):
        (last,) = await until(database, attempted(10))
    assert (last.state, last.next_attempt_at, last.finished_at) == ("failed", None, NOW)


async def test_a_retry_is_no_earlier_than_the_receiver_asks(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    await add(database, endpoint(1, receiver.url("/retry-after")))
    await publish(database)
    async with working(worker_of(database, clock)):
        (found,) = await until(database, attempted(1))
    assert found.next_attempt_at == NOW + 3600


async def test_410_disables_at_once_tells_the_others_and_is_on_record(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    gone, other = endpoint(1, receiver.url("/status/410")), endpoint(2, receiver.url("/ok"))
    await add(database, gone, other)
    await publish(database)
    async with working(worker_of(database, clock)):
        found = await until(database, lambda found: len(found) == 3 and attempted(1)(found))
    record = await the_endpoint(database)
    assert (record.disabled, record.disabled_because) == (True, "gone")
    assert Counter((each.endpoint_id, each.event_type, each.state) for each in found) == {
        ("whe_0001", "tier.changed", "failed"): 1,
        ("whe_0002", "tier.changed", "succeeded"): 1,
        ("whe_0002", "webhook.endpoint_disabled", "succeeded"): 1,
    }
    told = [json.loads(received.body) for received in receiver.at("/ok")]
    (event,) = [each for each in told if each["type"] == "webhook.endpoint_disabled"]
    assert (event["data"]["id"], event["data"]["because"]) == ("whe_0001", "gone")
    async with database.read() as connection:
        entries = (await connection.execute(select(audit_entries))).all()
    assert [(entry.action, entry.target_id) for entry in entries] == [
        ("webhook.endpoint_disabled", "whe_0001")
    ]
    assert json.loads(entries[0].content)["actor"]["kind"] == "system"


@pytest.mark.parametrize(
    ("failing_for", "disabled"), [(GIVE_UP_SECONDS, True), (GIVE_UP_SECONDS - 60, False)]
)
async def test_an_endpoint_that_fails_for_five_days_is_disabled(
    database: Database, receiver: Receiver, clock: Clock, failing_for: float, disabled: bool
) -> None:
    since = NOW - failing_for
    await add(database, endpoint(1, receiver.url("/status/500"), failing_since=since))
    await publish(database)
    async with working(worker_of(database, clock)):
        (found,) = await until(database, attempted(1))
    record = await the_endpoint(database)
    assert (record.disabled, record.failing_since) == (disabled, since)
    assert record.disabled_because == ("failing" if disabled else None)
    # It goes on when somebody enables the endpoint again.
    assert found.state == "pending"


async def test_what_was_due_waits_while_its_endpoint_is_disabled(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    await add(database, endpoint(1, receiver.url("/ok/1")), endpoint(2, receiver.url("/ok/2")))
    await publish(database)
    async with database.write() as connection:
        await webhooks.change(connection, "whe_0001", {"disabled": True})
    async with working(worker_of(database, clock)):
        await until(database, lambda found: any(each.state == "succeeded" for each in found))
        assert [each.state for each in await all_deliveries(database)].count("pending") == 1
        async with database.write() as connection:
            await webhooks.change(connection, "whe_0001", {"disabled": False})
        await until(database, attempted(1))
    assert len(receiver.at("/ok/1")) == 1


@pytest.mark.parametrize("known", [SECRET, OLD_SECRET], ids=["new", "old"])
async def test_during_a_rotation_a_receiver_may_know_either_secret(
    database: Database, receiver: Receiver, clock: Clock, known: str
) -> None:
    receiver.secret = known
    rotated = endpoint(
        1,
        receiver.url("/signed"),
        sealed_previous_secret=sealed(1, OLD_SECRET),
        previous_secret_ends_at=NOW + 60,
    )
    await add(database, rotated)
    await publish(database)
    async with working(worker_of(database, clock)):
        (found,) = await until(database, attempted(1))
    assert found.state == "succeeded"
    received = receiver.at("/signed")
    assert len(received) == (1 if known == SECRET else 2)
    assert len({each.event_id for each in received}) == 1
    for each in received:
        for secret in (SECRET, OLD_SECRET):
            assert sdk.verify_standard(each.body, each.headers, secret, now=NOW)


async def test_after_the_overlap_the_old_secret_signs_nothing(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    receiver.secret = OLD_SECRET
    rotated = endpoint(
        1, receiver.url("/signed"), sealed_previous_secret=sealed(1, OLD_SECRET), previous_secret_ends_at=NOW
    )
    await add(database, rotated)
    await publish(database)
    async with working(worker_of(database, clock)):
        (found,) = await until(database, attempted(1))
    assert found.state == "pending"
    (received,) = receiver.at("/signed")
    assert not sdk.verify_standard(received.body, received.headers, OLD_SECRET, now=NOW)


async def test_a_secret_of_another_installation_is_an_error_in_the_log(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    await add(database, endpoint(1, receiver.url("/ok")))
    await publish(database)
    others = Secrets(b"the secret of another installation, in a test")
    async with working(worker_of(database, clock, others)):
        (found,) = await until(database, attempted(1))
    async with database.read() as connection:
        (attempt,) = await deliveries.attempts(connection, found.id)
    assert (attempt.status, attempt.request_headers) == (None, {})
    assert "another secret" in (attempt.error or "")
    assert receiver.at("/ok") == []


async def test_two_workers_share_the_work_and_do_nothing_twice(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    await add(database, *(endpoint(number, receiver.url(f"/ok/{number}")) for number in range(4)))
    published = await publish(database, times=25)
    async with working(worker_of(database, clock), worker_of(database, clock)):
        await until(database, attempted(1))
    for number in range(4):
        came = [received.event_id for received in receiver.at(f"/ok/{number}")]
        assert Counter(came) == Counter(published)


async def test_a_lease_is_one_workers_until_it_ends(database: Database, clock: Clock) -> None:
    await add(database, endpoint(1, "http://127.0.0.1:9/"))
    await publish(database)
    (leased,) = await lease(database, "dead", HEALTHY)
    assert await lease(database, "living", HEALTHY, NOW + LEASE_SECONDS - 1) == []
    (taken_up,) = await lease(database, "living", HEALTHY, NOW + LEASE_SECONDS)
    assert (taken_up.id, taken_up.body) == (leased.id, leased.body)
    async with database.write() as connection:
        attempt = deliveries.AttemptRecord(1, NOW, 1.0, {}, 200, {}, "", None)
        for worker, concluded in (("dead", False), ("living", True)):
            ended = await deliveries.conclude(
                connection, leased.id, worker, attempt, state="succeeded", next_attempt_at=None, now=NOW
            )
            assert ended is concluded


async def test_a_renewed_lease_lasts_and_one_that_is_given_back_is_free(database: Database) -> None:
    await add(database, endpoint(1, "http://127.0.0.1:9/"))
    await publish(database)
    (leased,) = await lease(database, "busy", HEALTHY)
    async with database.write() as connection:
        await deliveries.renew(connection, "busy", [leased.id], NOW + 1000)
        await deliveries.renew(connection, "other", [leased.id], NOW + 5000)
    assert await lease(database, "other", HEALTHY, NOW + 999) == []
    async with database.write() as connection:
        await deliveries.give_back(connection, "busy")
    assert len(await lease(database, "other", HEALTHY, NOW)) == 1


async def test_few_attempts_go_to_one_endpoint_at_a_time_and_one_to_a_failing_one(database: Database) -> None:
    await add(
        database,
        endpoint(1, "http://127.0.0.1:9/"),
        endpoint(2, "http://127.0.0.1:9/"),
        endpoint(3, "http://127.0.0.1:9/", failing_since=NOW),
    )
    await publish(database, times=10)
    first = await lease(database, "one", HEALTHY)
    assert Counter(each.endpoint_id for each in first) == {"whe_0001": 4, "whe_0002": 4}
    assert await lease(database, "two", HEALTHY) == []
    assert Counter(each.endpoint_id for each in await lease(database, "two", FAILING)) == {"whe_0003": 1}
    assert await lease(database, "one", FAILING) == []


async def test_work_is_only_what_can_be_leased(database: Database) -> None:
    async def lanes_with_work(now: float) -> list[Lane]:
        async with database.read() as connection:
            return await deliveries.lanes_with_work(connection, (HEALTHY, FAILING), now)

    await add(database, endpoint(1, "http://127.0.0.1:9/"), endpoint(2, "http://127.0.0.1:9/"))
    await publish(database, times=5)
    async with database.write() as connection:
        await webhooks.change(connection, "whe_0002", {"disabled": True})
    assert await lanes_with_work(NOW - 1) == []
    assert await lanes_with_work(NOW) == [HEALTHY]
    assert len(await lease(database, "one", HEALTHY)) == HEALTHY.per_endpoint
    # One is left, and its endpoint has no room for it; the disabled one's wait.
    assert await lanes_with_work(NOW) == []
    assert await lanes_with_work(NOW + LEASE_SECONDS) == [HEALTHY]
    async with database.write() as connection:
        await webhooks.change(connection, "whe_0001", {"failing_since": NOW})
    assert await lanes_with_work(NOW) == []
    async with database.write() as connection:
        await webhooks.change(connection, "whe_0002", {"disabled": False, "failing_since": NOW})
    assert await lanes_with_work(NOW) == [FAILING]


async def test_who_waited_longest_is_served_first(database: Database) -> None:
    await add(database, endpoint(1, "http://127.0.0.1:9/", event_types=("key.*",)))
    await add(database, endpoint(2, "http://127.0.0.1:9/"))
    await publish(database, now=NOW - 10, times=3)
    async with database.write() as connection:
        event = outbox.new_event(ACCOUNT.id, "tier.changed", {"before": "free", "after": "startup"}, NOW)
        await events.add(connection, event)
        await deliveries.add(connection, ACCOUNT.id, [NewDelivery("dlv_0", "whe_0001", event.id)], NOW - 20)
    (leased,) = await lease(database, "one", HEALTHY, most=1)
    assert leased.endpoint_id == "whe_0001"


async def test_hanging_receivers_do_not_hold_up_the_others(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    bad = ("/hang", "/drip", "/close", "/redirect", "/status/500", "/garbage")
    await add(database, *(endpoint(number, receiver.url(path)) for number, path in enumerate(bad, start=2)))
    await add(database, endpoint(1, receiver.url("/ok")))
    published = await publish(database, times=40)
    async with working(worker_of(database, clock)):
        # The hanging ones have ten seconds each, and all of these arrive while they hang.
        came = await asyncio.to_thread(receiver.wait_for, "/ok", lambda came: len(came) == len(published))
        assert len(receiver.at("/hang")) <= HEALTHY.per_endpoint
        receiver.over.set()
    assert {received.event_id for received in came} == set(published)


async def test_a_delivery_under_way_is_not_taken_up_again_when_its_lease_could_not_be_renewed(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    await add(database, endpoint(1, receiver.url("/gated")))
    (first,) = await publish(database)
    with capture_logs() as logs:
        async with working(worker_of(database, clock)):
            await asyncio.to_thread(receiver.wait_for, "/gated", lambda came: len(came) == 1)
            # As after a while in which the store did not answer.
            clock.now += LEASE_SECONDS
            (second,) = await publish(database, now=clock.now)
            await asyncio.to_thread(receiver.wait_for, "/gated", lambda came: len(came) > 1)
            receiver.open.set()
            found = await until(database, attempted(1))
    assert [each.state for each in found] == ["succeeded", "succeeded"]
    assert [each.event_id for each in receiver.at("/gated")] == [first, second]
    assert logs == []


async def test_leases_are_renewed_and_deliveries_taken_up_after_something_unforeseen(
    database: Database, receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "RENEW_SECONDS", 0.01)
    lease_them, renew, renewed = deliveries.lease, deliveries.renew, asyncio.Event()
    bugs = {"lease", "renew"}

    async def leasing(*args: Any, **kwargs: Any) -> Any:
        if "lease" in bugs:
            bugs.remove("lease")
            raise KeyError("something unforeseen")
        return await lease_them(*args, **kwargs)

    async def renewing(*args: Any) -> None:
        if "renew" in bugs:
            bugs.remove("renew")
            raise KeyError("something unforeseen")
        await renew(*args)
        renewed.set()

    monkeypatch.setattr(deliveries, "lease", leasing)
    monkeypatch.setattr(deliveries, "renew", renewing)
    await add(database, endpoint(1, receiver.url("/gated")))
    await publish(database)
    async with working(worker_of(database, clock)):
        await renewed.wait()
        receiver.open.set()
        await until(database, attempted(1))


async def test_many_attempts_that_end_at_once_do_not_keep_others_from_the_store(
    database: Database, receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [f"/gated/{number}" for number in range(20)]
    await add(database, *(endpoint(number, receiver.url(path)) for number, path in enumerate(paths)))
    await publish(database)
    write, in_line, most = database.write, 0, 0

    @asynccontextmanager
    async def counted() -> AsyncIterator[AsyncConnection]:
        nonlocal in_line, most
        in_line += 1
        most = max(most, in_line)
        try:
            async with write() as connection:
                yield connection
        finally:
            in_line -= 1

    monkeypatch.setattr(database, "write", counted)
    async with working(worker_of(database, clock)):
        for path in paths:
            await asyncio.to_thread(receiver.wait_for, path, lambda came: len(came) == 1)
        receiver.open.set()
        await until(database, attempted(1))
    # Beside conclusions there are one that leases and one that renews.
    assert 1 <= most <= deliver.MOST_CONCLUDING + 2


async def test_the_end_gives_leases_back(
    database: Database, receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "STOP_SECONDS", 0.1)
    await add(database, endpoint(1, receiver.url("/hang")))
    await publish(database)
    async with working(worker_of(database, clock)):
        await asyncio.to_thread(receiver.wait_for, "/hang", lambda came: len(came) == 1)
    assert len(await lease(database, "successor", HEALTHY)) == 1


async def test_what_failed_is_found_for_replay_once(database: Database) -> None:
    await add(database, endpoint(1, "http://127.0.0.1:9/"))
    failed, succeeded, pending = await publish(database, times=3)
    async with database.write() as connection:
        for event_id, state in ((failed, "failed"), (succeeded, "succeeded")):
            of_event = deliveries_table.c.event_id == event_id
            await connection.execute(update(deliveries_table).where(of_event).values(state=state))
        assert await deliveries.failed_events(connection, "whe_0001", NOW, 10) == [failed]
        assert await deliveries.failed_events(connection, "whe_0001", NOW + 1, 10) == []
        await deliveries.add(connection, ACCOUNT.id, [NewDelivery("dlv_again", "whe_0001", failed)], NOW)
        assert await deliveries.failed_events(connection, "whe_0001", NOW, 10) == []
    assert {each.event_id for each in await all_deliveries(database)} == {failed, succeeded, pending}


async def test_deleting_an_endpoint_deletes_its_deliveries_and_their_log(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    await add(database, endpoint(1, receiver.url("/ok")))
    await publish(database)
    async with working(worker_of(database, clock)):
        (found,) = await until(database, attempted(1))
        await publish(database, now=NOW + 60)
        async with database.write() as connection:
            await webhooks.remove(connection, "whe_0001")
    assert await all_deliveries(database) == []
    async with database.read() as connection:
        assert await deliveries.attempts(connection, found.id) == []


async def test_endpoints_are_sealed_anew_after_the_installations_secret_was_replaced(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    old, new = b"the secret of this installation, in a test", b"the next secret of this installation, too"
    await add(database, endpoint(1, receiver.url("/ok"), sealed_previous_secret=sealed(1, OLD_SECRET)))
    lost = replace(endpoint(2, receiver.url("/ok")), sealed_secret=b"0000 what nobody can open")
    await add(database, lost)
    for _ in range(2):
        async with database.write() as connection:
            await webhooks.reseal(connection, Secrets(new, old))
    await publish(database)
    async with working(worker_of(database, clock, Secrets(new))):
        found = await until(database, attempted(1))
    states = {each.endpoint_id: each.state for each in found}
    assert states == {"whe_0001": "succeeded", "whe_0002": "pending"}
    (received,) = receiver.at("/ok")
    assert sdk.verify(received.body, received.headers["x-innoai-signature"], SECRET)
    previous = (await the_endpoint(database)).sealed_previous_secret
    assert previous is not None
    assert Secrets(new).open(previous, sealed_for("secret", "whe_0001")).decode() == OLD_SECRET
    of_lost = (await the_endpoint(database, 2)).sealed_headers
    assert Secrets(new).open(of_lost, sealed_for("headers", "whe_0002"))


async def test_an_endpoint_can_be_changed_while_the_worker_is_about_to_disable_it(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )

    async def ask(query: TextClause) -> int:
        # Postgres looks once in a transaction.
        async with database.read() as connection:
            found: int = (await connection.execute(query)).scalar_one()
        return found

    await add(database, endpoint(1, receiver.url("/status/410")), endpoint(2, receiver.url("/ok")))
    await publish(database)
    with capture_logs() as logs:
        async with working(worker_of(database, clock)):
            async with database.write() as connection:
                await accounts.lock(connection, ACCOUNT.id)
                while await ask(waiting) == 0:
                    await asyncio.sleep(0.02)
                await webhooks.hold(connection, "whe_0001", ACCOUNT.id)
                await webhooks.change(connection, "whe_0001", {"description": "Changed meanwhile"})
            await until(database, lambda found: len(found) == 3 and attempted(1)(found))
    assert logs == []
    record = await the_endpoint(database)
    assert (record.description, record.disabled_because) == ("Changed meanwhile", "gone")


async def test_publishing_changing_deleting_pruning_and_delivering_never_wait_in_a_circle(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    numbers = itertools.count(1)
    paths = itertools.cycle(("/ok", "/status/410", "/status/500", "/close"))

    async def create() -> None:
        await add(database, endpoint(next(numbers), receiver.url(next(paths))))

    async def record() -> None:
        async with database.write() as connection:
            changed = {"before": "free", "after": "startup"}
            await changes.announce(connection, changes.ACCOUNT, ACCOUNT.id, clock.now)
            await journal.record(
                connection, ACCOUNT.id, "tier.changed", actor=OPERATOR, now=clock.now, event=changed
            )

    async def change(remove: bool) -> None:
        async with database.write() as connection:
            await accounts.lock(connection, ACCOUNT.id)
            page = await webhooks.page(connection, ACCOUNT.id, limit=100, before=None)
            if len(page) > 2 and await webhooks.hold(connection, page[-1].id, ACCOUNT.id) is not None:
                if remove:
                    await webhooks.remove(connection, page[-1].id)
                else:
                    await webhooks.change(connection, page[-1].id, {"disabled": False})
                await journal.record(connection, ACCOUNT.id, "webhook.updated", actor=OPERATOR, now=clock.now)

    async def prune() -> None:
        await expiry.remove_old(database, clock.now + 40 * DAY)

    async def again(work: Callable[[], Awaitable[None]], times: int) -> None:
        for _ in range(times):
            clock.now += 1.0
            await work()

    with capture_logs() as logs:
        async with working(worker_of(database, clock), worker_of(database, clock)):
            await asyncio.gather(
                again(create, 10),
                again(record, 20),
                again(record, 20),
                again(partial(change, remove=True), 10),
                again(partial(change, remove=False), 20),
                again(prune, 10),
            )
    assert logs == []


async def test_a_worker_that_is_ended_in_the_very_moment_it_wakes_ends(
    database: Database, clock: Clock
) -> None:
    worker = worker_of(database, clock)
    for _ in range(3):
        running = asyncio.create_task(worker.run())
        await asyncio.sleep(0.1)
        worker._wake.set()
        running.cancel()
        await asyncio.wait([running], timeout=5)
        assert running.cancelled()
