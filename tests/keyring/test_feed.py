from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete

from innoai.config import ConfigError
from innoai.errors import InnoError
from innoai.keyring import feed as feed_module
from innoai.keyring.feed import CURRENT_SECONDS, ChangeFeed
from innoai.store import changes
from innoai.store.database import POOL_SIZE
from innoai.store.tables import changes as changes_table
from tests.keyring.replica import MAX_STALE, Clock, Store
from tests.support.stores import NOW

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.store.changes import Change
    from innoai.store.database import Database


class Notes:
    """A listener that writes down what it hears, and that can be made to fail."""

    def __init__(self) -> None:
        self.loads = 0
        self.heard: list[str] = []
        self.failures: list[Exception] = []
        self.news = asyncio.Event()

    async def load(self, _connection: AsyncConnection) -> None:
        self.loads += 1

    async def hear(self, _connection: AsyncConnection, news: list[Change]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.heard += [change.subject for change in news]
        self.news.set()


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


@pytest.fixture
def feed(store: Store, clock: Clock) -> ChangeFeed:
    return ChangeFeed(store, lambda: clock.monotonic, MAX_STALE)


async def announce(database: Database, *subjects: str) -> None:
    async with database.write() as connection:
        for subject in subjects:
            await changes.announce(connection, changes.KEY, subject, NOW)


async def lose(database: Database, *subjects: str) -> None:
    async with database.write() as connection:
        await connection.execute(delete(changes_table).where(changes_table.c.subject.in_(subjects)))


async def test_a_start_is_as_of_the_head_and_hears_nothing_from_before(
    database: Database, feed: ChangeFeed
) -> None:
    await announce(database, "before")
    listener = Notes()
    await feed.start(listener)
    await feed.catch_up(listener)
    assert (listener.loads, listener.heard, feed.sequence) == (1, [], 1)


async def test_every_change_is_heard_once_in_order(database: Database, feed: ChangeFeed) -> None:
    listener = Notes()
    await feed.start(listener)
    await announce(database, "a", "b")
    await feed.catch_up(listener)
    await announce(database, "c")
    await feed.catch_up(listener)
    await feed.catch_up(listener)
    assert (listener.heard, feed.sequence, listener.loads) == (["a", "b", "c"], 3, 1)


async def test_parallel_readers_tell_each_change_once(database: Database, feed: ChangeFeed) -> None:
    listener = Notes()
    await feed.start(listener)
    await announce(database, "a", "b")
    await asyncio.gather(*(feed.catch_up(listener) for _ in range(10)))
    assert listener.heard == ["a", "b"]


async def test_a_gap_makes_the_listener_load_anew(database: Database, feed: ChangeFeed) -> None:
    listener = Notes()
    await feed.start(listener)
    await announce(database, "a", "b", "c")
    await lose(database, "b")
    await feed.catch_up(listener)
    assert (listener.loads, listener.heard, feed.sequence) == (2, [], 3)


async def test_silence_is_counted_from_the_last_answer(feed: ChangeFeed, store: Store, clock: Clock) -> None:
    listener = Notes()
    await feed.start(listener)
    clock.pass_time(5)
    assert feed.silent_for == 5
    await feed.catch_up(listener)
    assert feed.silent_for == 0
    store.is_down = True
    clock.pass_time(7)
    with pytest.raises(InnoError):
        await feed.catch_up(listener)
    assert feed.silent_for == 7


async def test_silence_counts_from_the_question_not_from_its_late_answer(
    feed: ChangeFeed, store: Store, clock: Clock
) -> None:
    listener = Notes()
    await feed.start(listener)

    async def answer_late() -> None:
        clock.pass_time(3)

    store.after_read = answer_late
    await feed.catch_up(listener)
    assert feed.silent_for == 3


async def test_a_change_that_could_not_be_heard_is_told_again(database: Database, feed: ChangeFeed) -> None:
    listener = Notes()
    await feed.start(listener)
    await announce(database, "a")
    listener.failures = [InnoError("service_unavailable")]
    with pytest.raises(InnoError):
        await feed.catch_up(listener)
    await feed.catch_up(listener)
    assert listener.heard == ["a"]


async def test_following_goes_on_after_an_outage_a_wrong_secret_and_something_unforeseen(
    database: Database, feed: ChangeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "POLL_SECONDS", 0.001)
    listener = Notes()
    await feed.start(listener)
    listener.failures = [
        InnoError("service_unavailable"),
        ConfigError("made under another secret"),
        KeyError("something unforeseen"),
    ]
    following = asyncio.create_task(feed.follow(listener))
    await announce(database, "a")
    await listener.news.wait()
    assert listener.heard == ["a"]
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following


async def test_what_was_read_stands_unless_its_subject_changed_since(
    database: Database, feed: ChangeFeed
) -> None:
    listener = Notes()
    await feed.start(listener)
    read_at = feed.sequence
    assert feed.unchanged_since(read_at, frozenset(("mine",)))
    await announce(database, "others")
    await feed.catch_up(listener)
    assert feed.unchanged_since(read_at, frozenset(("mine",)))
    await announce(database, "mine")
    await feed.catch_up(listener)
    assert not feed.unchanged_since(read_at, frozenset(("mine", "something")))
    assert feed.unchanged_since(feed.sequence, frozenset(("mine",)))


async def test_nothing_vouches_for_what_was_read_before_a_gap(database: Database, feed: ChangeFeed) -> None:
    listener = Notes()
    await feed.start(listener)
    await announce(database, "a")
    await feed.catch_up(listener)
    read_at = feed.sequence
    await announce(database, "b", "c")
    await lose(database, "b")
    await feed.catch_up(listener)
    assert not feed.unchanged_since(read_at, frozenset(("mine",)))
    await announce(database, "d")
    await feed.catch_up(listener)
    assert not feed.unchanged_since(read_at, frozenset(("mine",)))


async def test_more_changes_than_are_remembered_vouch_for_nothing(
    database: Database, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "REMEMBERED_CHANGES", 2)
    feed = ChangeFeed(store, lambda: clock.monotonic, MAX_STALE)
    listener = Notes()
    await feed.start(listener)
    read_at = feed.sequence
    await announce(database, "a", "b")
    await feed.catch_up(listener)
    assert feed.unchanged_since(read_at, frozenset(("mine",)))
    await announce(database, "c")
    await feed.catch_up(listener)
    assert not feed.unchanged_since(read_at, frozenset(("mine",)))


async def test_changes_are_heard_of_although_other_work_has_every_connection(
    database: Database, clock: Clock
) -> None:
    # On SQLite, whoever writes waits before it takes a connection.
    many = POOL_SIZE if database.is_sqlite else POOL_SIZE + 10
    feed, listener = ChangeFeed(database, lambda: clock.monotonic, MAX_STALE), Notes()
    await feed.start(listener)
    await announce(database, "a")
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(many):
            await stack.enter_async_context(database.read())
        await feed.catch_up(listener)
    assert listener.heard == ["a"]


# Whether memory counts.


@pytest.fixture
async def listener(feed: ChangeFeed) -> Notes:
    """Whom the feed has told of everything so far."""
    notes = Notes()
    await feed.start(notes)
    return notes


async def test_memory_counts_for_a_while_after_the_store_was_asked(
    feed: ChangeFeed, listener: Notes, store: Store, clock: Clock
) -> None:
    reads = store.reads
    clock.pass_time(CURRENT_SECONDS)
    assert feed.is_current
    await feed.settle(listener)
    assert store.reads == reads
    clock.pass_time(0.001)
    assert not feed.is_current


async def test_all_who_find_memory_too_old_wait_for_one_look(
    feed: ChangeFeed, listener: Notes, store: Store, clock: Clock, database: Database
) -> None:
    await announce(database, "new")
    clock.pass_time(CURRENT_SECONDS + 1)
    reads = store.reads
    await asyncio.gather(*(feed.settle(listener) for _ in range(20)))
    assert (listener.heard, store.reads - reads, feed.is_current) == (["new"], 1, True)


async def test_a_look_that_began_too_early_for_somebody_is_followed_by_another(
    feed: ChangeFeed, listener: Notes, store: Store, clock: Clock, database: Database
) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        began.set()
        await may_end.wait()

    clock.pass_time(CURRENT_SECONDS + 1)
    store.after_read = wait
    first = asyncio.create_task(feed.settle(listener))
    await began.wait()
    await announce(database, "after its question")
    clock.pass_time(CURRENT_SECONDS + 1)
    late = asyncio.create_task(feed.settle(listener))
    store.after_read = None
    may_end.set()
    await asyncio.gather(first, late)
    assert listener.heard == ["after its question"]


async def test_nobody_waits_long_for_a_store_that_takes_its_time_and_memory_counts_meanwhile(
    feed: ChangeFeed, listener: Notes, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "PATIENCE", 0.05)
    may_end = asyncio.Event()
    store.after_read = may_end.wait  # type: ignore[assignment]
    clock.pass_time(CURRENT_SECONDS + 1)
    await feed.settle(listener)
    assert feed.is_current
    may_end.set()
    store.after_read = None
    await feed.catch_up(listener)
    clock.pass_time(CURRENT_SECONDS + 1)
    assert not feed.is_current


async def test_a_store_that_does_not_answer_is_not_asked_by_everybody(
    feed: ChangeFeed, listener: Notes, store: Store, clock: Clock
) -> None:
    store.is_down = True
    clock.pass_time(CURRENT_SECONDS + 1)
    await feed.settle(listener)
    assert feed.is_current
    clock.pass_time(MAX_STALE)
    store.is_down, reads = False, store.reads
    with pytest.raises(InnoError) as refused:
        await feed.settle(listener)
    assert refused.value.refusal.code == "service_unavailable"
    assert store.reads == reads
    await feed.catch_up(listener)
    await feed.settle(listener)


async def test_a_short_max_stale_is_the_shorter_time(store: Store, clock: Clock) -> None:
    feed = ChangeFeed(store, lambda: clock.monotonic, CURRENT_SECONDS / 2)
    await feed.start(Notes())
    clock.pass_time(CURRENT_SECONDS / 2)
    assert feed.is_current
    clock.pass_time(0.001)
    assert not feed.is_current


async def test_a_change_of_ours_that_is_not_heard_of_makes_everybody_wait_for_the_store(
    feed: ChangeFeed, listener: Notes, store: Store
) -> None:
    store.is_down = True
    await feed.heed(listener)
    with pytest.raises(InnoError):
        await feed.settle(listener)
    store.is_down = False
    await feed.catch_up(listener)
    await feed.settle(listener)
