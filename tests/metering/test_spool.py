from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import os
import signal
import stat
import struct
import sys
import zlib
from asyncio.subprocess import DEVNULL, PIPE, Process
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import select
from structlog.testing import capture_logs

from innoai.config import BillingSettings
from innoai.errors import InnoError
from innoai.metering import shipping
from innoai.metering import spool as spool_module
from innoai.metering.owned_files import Found
from innoai.metering.shipping import (
    LARGEST_BATCH,
    LONGEST_PAUSE,
    LONGEST_REST,
    SMALLEST_BATCH,
    SPREAD_SECONDS,
    Pace,
)
from innoai.metering.spool import (
    DAMAGED,
    MOST_FULL,
    SEGMENT_BYTES,
    SUFFIX,
    Spool,
    is_empty,
    records_in,
)
from innoai.store import accounts, usage
from innoai.store.database import Database
from innoai.store.tables import spending, usage_records
from tests.keyring.replica import Store
from tests.metering.records import new_shipper, on_disk, record, segments, stored
from tests.support.stores import NOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from innoai.store.usage import UsageRecord

    Start = Callable[..., Awaitable[Process]]

REPOSITORY = Path(__file__).parents[2]

numbers = itertools.count()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def spool(directory: Path) -> Iterator[Spool]:
    opened = new_spool(directory)
    yield opened
    opened.close()


@pytest.fixture
async def start(directory: Path) -> AsyncIterator[Start]:
    """Starts processes that spool into the directory, and ends them."""
    processes = []

    async def begin(*arguments: int) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.metering.writer",
            str(directory),
            *map(str, arguments),
            cwd=REPOSITORY,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def new_spool(directory: Path) -> Spool:
    return Spool(directory, lambda: f"use_{next(numbers):06}")


def put(spool: Spool, *records: UsageRecord) -> None:
    """Append records, and have them on disk."""
    for each in records:
        spool.append(each)
    spool.flush()


def left_by_another(directory: Path, *records: UsageRecord) -> Path:
    """A segment that a process has left behind, with a flush for each of the records."""
    spool = new_spool(directory)
    for each in records:
        put(spool, each)
    spool.close()
    return segments(directory)[-1]


def bytes_of_one() -> int:
    """What a flush with one record takes."""
    return 8 + len(msgspec.msgpack.encode([record(0)]))


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


async def said(process: Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


async def say(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")
    await process.stdin.drain()


# Appending.


def test_records_are_on_disk_once_they_are_flushed(spool: Spool, directory: Path) -> None:
    for number in range(3):
        spool.append(record(number))
        assert f"req_0_{number}" not in on_disk(directory)
        spool.flush()
        assert sorted(on_disk(directory)) == [f"req_0_{known}" for known in range(number + 1)]


async def test_another_process_reads_what_was_appended(directory: Path, start: Start) -> None:
    process = await start(2)
    appended = [await said(process) for _ in range(2)]
    assert sorted(on_disk(directory)) == sorted(appended)


def test_only_the_owner_reads_the_spool(spool: Spool, directory: Path) -> None:
    put(spool, record(1))
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_the_first_of_a_flush_is_told_from_the_others(spool: Spool) -> None:
    assert [spool.append(record(number)) for number in range(3)] == [True, False, False]
    spool.flush()
    assert spool.append(record(3))


def test_a_full_segment_is_followed_by_another(spool: Spool, directory: Path) -> None:
    count = 5 * SEGMENT_BYTES // (2 * bytes_of_one())
    for number in range(count):
        put(spool, record(number))
    assert len(segments(directory)) == 3
    assert len(set(on_disk(directory))) == count


def test_records_of_one_flush_for_which_there_is_no_room_together_find_it_one_by_one(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 4096)
    spool = new_spool(directory)
    put(spool, *(record(number) for number in range(100)))
    assert len(segments(directory)) > 1
    assert sorted(on_disk(directory)) == sorted(f"req_0_{number}" for number in range(100))
    spool.close()


async def test_a_kill_in_the_middle_of_appending_loses_nothing_that_was_appended(
    directory: Path, start: Start, database: Database
) -> None:
    process = await start(100_000)
    appended = [await said(process) for _ in range(500)]
    process.send_signal(signal.SIGKILL)
    assert process.stdout is not None
    appended += (await process.stdout.read()).decode().split("\n")[:-1]
    assert await process.wait() == -signal.SIGKILL
    assert len(appended) < 100_000
    await new_shipper(new_spool(directory), database).ship()
    assert set(appended) <= set(await stored(database))
    assert files(directory) == []


async def test_while_the_disk_is_full_records_wait_in_memory_and_then_go_to_disk(
    directory: Path, start: Start
) -> None:
    process = await start(3, SEGMENT_BYTES // 2)
    appended = [await said(process) for _ in range(3)]
    assert files(directory) == []
    await say(process)
    assert await said(process) == "appended"
    assert sorted(on_disk(directory)) == sorted([*appended, f"req_{process.pid}_3"])


async def test_what_a_full_disk_does_not_take_goes_from_memory_to_the_store(
    spool: Spool, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "posix_fallocate", no_room)
    store, count = Store(database), 1000
    for number in range(count):
        put(spool, record(number))
    shipper = new_shipper(spool, store)
    store.is_down = True
    with pytest.raises(InnoError):
        await shipper.ship()
    put(spool, record(count))
    store.is_down = False
    with capture_logs() as logs:
        await shipper.ship()
        spool.close()
    assert len(await stored(database)) == count + 1
    [said] = logs
    assert (said["log_level"], said["error"]) == ("error", "No space left on device")


def test_records_that_neither_disk_nor_store_took_are_lost_and_the_log_says_how_many(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "posix_fallocate", no_room)
    for number in range(3):
        put(spool, record(number))
    with capture_logs() as logs:
        spool.close()
    assert [(said["log_level"], said["records"]) for said in logs] == [("error", 3)]


def test_records_for_which_there_is_room_again_at_the_end_are_left_to_the_next(
    spool: Spool, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        full.setattr(os, "posix_fallocate", no_room)
        put(spool, record(1))
    with capture_logs() as logs:
        spool.close()
    assert (on_disk(directory), logs) == (["req_0_1"], [])


def no_room(*_arguments: object) -> None:
    raise OSError(28, "No space left on device")


# Shipping.


async def test_what_was_appended_is_shipped_and_in_no_segment_any_more(
    spool: Spool, directory: Path, database: Database
) -> None:
    put(spool, record(1))
    put(spool, record(2))
    await new_shipper(spool, database).ship()
    assert await stored(database) == {"req_0_1": 200, "req_0_2": 200}
    assert not any(any(path.read_bytes()) for path in segments(directory))
    assert all(map(is_empty, segments(directory)))
    spool.close()
    assert files(directory) == []


async def test_segments_are_filled_again_and_again(spool: Spool, directory: Path, database: Database) -> None:
    shipper = new_shipper(spool, database)
    for number in range(5):
        put(spool, record(number))
        assert on_disk(directory) == [f"req_0_{number}"]
        await shipper.ship()
    assert len(segments(directory)) == 1
    assert len(await stored(database)) == 5


async def test_a_process_that_dies_while_a_segment_is_cleared_has_shipped_it(
    directory: Path, database: Database
) -> None:
    path = left_by_another(directory, *(record(number) for number in range(20)))
    content = path.read_bytes()
    await new_shipper(new_spool(directory), database).ship()
    path.write_bytes(bytes(300) + content[300:])
    await new_shipper(new_spool(directory), database).ship()
    assert len(await stored(database)) == 20
    assert files(directory) == [path.with_suffix(DAMAGED).name]


async def test_what_was_priced_before_the_currency_was_chosen_is_shipped_in_that(
    spool: Spool, database: Database
) -> None:
    billing = BillingSettings("USD", {"JPY": Decimal(150), "EUR": Decimal("0.5")})
    shipper = new_shipper(spool, database, billing)
    priced = [(1, 7, "USD"), (2, 1050, "JPY"), (3, 7, "USD"), (4, 7, "EUR"), (5, None, None)]
    for number, cost, currency in priced[:2]:
        put(spool, replace(record(number), cost=cost, currency=currency))
    async with database.write() as connection:
        await accounts.change(connection, "acc_1", {"currency": "JPY"}, NOW)
    await shipper.ship()
    for number, cost, currency in priced[2:]:
        put(spool, replace(record(number), cost=cost, currency=currency))
    await shipper.ship()
    async with database.read() as connection:
        costs = dict(
            (await connection.execute(select(usage_records.c.request_id, usage_records.c.cost))).all()
        )
        total = await connection.execute(select(spending.c.cost).where(spending.c.subject == "acc_1"))
        assert total.scalar_one() == 1050 + 1050 + 1050 + 2100
    assert list(map(costs.get, [f"req_0_{number}" for number in range(1, 6)])) == [
        1050,
        1050,
        1050,
        2100,
        None,
    ]


async def test_nobody_chooses_a_currency_while_a_first_charge_is_shipped(
    url: str, database: Database
) -> None:
    """SQLite's writers take turns; on Postgres the account's row is what both ask for."""
    async with database.write() as connection:
        await accounts.currencies_held(connection, ["acc_1"])
        other = Database(url)
        choosing = asyncio.create_task(choose(other))
        await asyncio.wait((choosing,), timeout=0.3)
        assert not choosing.done()
    await choosing
    await other.close()


async def choose(database: Database) -> None:
    async with database.write() as connection:
        await accounts.lock(connection, "acc_1")


async def test_records_can_be_appended_while_others_are_shipped(spool: Spool, database: Database) -> None:
    put(spool, record(1))
    store = Store(database)
    shipper = new_shipper(spool, store)
    shipping = asyncio.create_task(shipper.ship())
    await asyncio.sleep(0)
    put(spool, record(2))
    await shipping
    await shipper.ship()
    assert set(await stored(database)) == {"req_0_1", "req_0_2"}


async def test_a_store_that_is_down_delays_and_drops_nothing(
    spool: Spool, directory: Path, database: Database
) -> None:
    store = Store(database)
    store.is_down = True
    shipper = new_shipper(spool, store)
    for number in range(3):
        put(spool, record(number))
        with pytest.raises(InnoError):
            await shipper.ship()
    assert len(on_disk(directory)) == 3
    store.is_down = False
    await shipper.ship()
    assert set(await stored(database)) == {"req_0_0", "req_0_1", "req_0_2"}


async def test_a_record_that_is_shipped_twice_counts_once(
    spool: Spool, directory: Path, database: Database
) -> None:
    """As when the process dies between the commit and the removal of the segment."""
    put(spool, record(1))
    shipper = new_shipper(spool, database)
    await shipper.ship()
    put(spool, record(1, status=500))
    put(spool, record(2))
    await shipper.ship()
    assert await stored(database) == {"req_0_1": 200, "req_0_2": 200}


async def test_while_the_store_is_down_more_segments_than_stay_open_wait_on_disk(
    spool: Spool, directory: Path, database: Database
) -> None:
    count = MOST_FULL + 3
    for number in range(count):
        put(spool, record(number))
        spool.close_segment()
    assert len(spool.full_segments()) == MOST_FULL
    assert len(spool.left_segments().abandoned) == 3
    assert spool.waiting == count
    await new_shipper(spool, database).ship()
    assert len(await stored(database)) == count
    assert spool.waiting == 0


async def test_more_records_than_a_batch_all_arrive(
    spool: Spool, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "SMALLEST_BATCH", 3)
    for number in range(10):
        put(spool, record(number))
    await new_shipper(spool, database).ship()
    assert len(await stored(database)) == 10


@pytest.mark.parametrize("waiting", [0, 1, 256, 257, 1000, 10_000, 30_000, 1_000_000])
def test_a_shipment_is_spread_and_keeps_up(waiting: int) -> None:
    pace = Pace.of(waiting)
    assert SMALLEST_BATCH <= pace.batch <= LARGEST_BATCH
    assert 0 <= pace.pause <= LONGEST_PAUSE
    assert 0 <= pace.rest <= LONGEST_REST
    idle = waiting * (pace.pause / usage.ROWS_PER_STATEMENT + pace.rest / pace.batch)
    assert idle <= SPREAD_SECONDS * 1.001
    assert (idle > 0) == (waiting > SMALLEST_BATCH)


def test_what_many_callers_leave_goes_in_few_transactions() -> None:
    assert [Pace.of(waiting).batch for waiting in (1, 8192, 16_384, 1_000_000)] == [256, 256, 512, 1024]


@pytest.mark.parametrize("where", ["length", "more of it", "checksum", "content", "its last byte"])
async def test_torn_records_are_left_out_and_the_rest_shipped(
    directory: Path, database: Database, where: str
) -> None:
    one = bytes_of_one()
    path = left_by_another(directory, *(record(number) for number in range(3)))
    content = bytearray(path.read_bytes())
    place = {"length": 0, "more of it": 3, "checksum": 4, "content": 20, "its last byte": one - 1}[where]
    content[one + place] ^= 0xFF
    path.write_bytes(content)
    await ships_what_is_whole(path, database)


async def test_a_hole_in_a_segment_is_left_out_and_the_rest_shipped(
    directory: Path, database: Database
) -> None:
    one = bytes_of_one()
    path = left_by_another(directory, *(record(number) for number in range(3)))
    content = path.read_bytes()
    path.write_bytes(content[:one] + bytes(one) + content[2 * one :])
    await ships_what_is_whole(path, database)


async def ships_what_is_whole(path: Path, database: Database) -> None:
    """All but the second of three records, and what is damaged is kept and named."""
    with capture_logs() as logs:
        await new_shipper(new_spool(path.parent), database).ship()
    assert set(await stored(database)) == {"req_0_0", "req_0_2"}
    kept = path.with_suffix(DAMAGED)
    assert files(path.parent) == [kept.name]
    assert {said["segment"] for said in logs if said["log_level"] == "error"} == {path.name}


async def test_a_segment_that_was_cut_is_shipped_up_to_there(directory: Path, database: Database) -> None:
    path = left_by_another(directory, record(1), record(2))
    path.write_bytes(path.read_bytes()[: 2 * bytes_of_one() - 5])
    await new_shipper(new_spool(directory), database).ship()
    assert set(await stored(database)) == {"req_0_1"}
    assert files(directory) == [path.with_suffix(DAMAGED).name]


@pytest.mark.parametrize("unreadable", ["that cannot be opened", "that cannot be read"])
async def test_a_file_is_named_and_keeps_neither_others_nor_later_records_from_the_store(
    spool: Spool, directory: Path, database: Database, unreadable: str
) -> None:
    file = directory / f"use_{SUFFIX}"
    if unreadable == "that cannot be opened":
        file.symlink_to(file)
    else:
        file.mkdir()
    left_by_another(directory, record(1))
    shipper = new_shipper(spool, database)
    for number in (2, 3):
        put(spool, record(number))
        with pytest.raises(OSError, match=str(file)):
            await shipper.ship()
    assert set(await stored(database)) == {"req_0_1", "req_0_2", "req_0_3"}


def test_records_of_another_shape_are_left_out() -> None:
    content = msgspec.msgpack.encode([{"request_id": "req_0_1"}])
    head = struct.pack("<II", len(content), zlib.crc32(content))
    assert list(records_in(head + content + bytes(100), "use_0")) == []


async def test_a_segment_that_another_process_shipped_first_is_no_error(
    spool: Spool, directory: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = left_by_another(directory, record(1))
    path.unlink()
    assert is_empty(path)
    monkeypatch.setattr(spool, "left_segments", lambda: Found([path], []))
    await new_shipper(spool, database).ship()
    assert await stored(database) == {}


async def test_a_dead_processes_segments_are_adopted(
    directory: Path, start: Start, database: Database
) -> None:
    process = await start(2)
    appended = {await said(process) for _ in range(2)}
    process.kill()
    await process.wait()
    await new_shipper(new_spool(directory), database).ship()
    assert set(await stored(database)) == appended


async def test_a_living_processes_segment_is_left_to_it(
    directory: Path, start: Start, database: Database
) -> None:
    process = await start(2)
    appended = {await said(process) for _ in range(2)}
    adopter = new_spool(directory)
    await new_shipper(adopter, database).ship()
    assert await stored(database) == {}
    assert set(on_disk(directory)) == appended
    process.kill()
    await process.wait()
    await new_shipper(adopter, database).ship()
    assert set(await stored(database)) == appended


def test_a_segment_at_which_another_process_looks_just_now_is_no_living_ones(directory: Path) -> None:
    """Left out, its holds would be let go of before its records are in the store."""
    spool = new_spool(directory)
    put(spool, record(1))
    assert spool.left_segments().abandoned == []
    spool.close()
    [path] = segments(directory)
    with path.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH | fcntl.LOCK_NB)
        assert spool.left_segments().abandoned == [path]


async def test_shippers_on_one_directory_ship_everything_once(directory: Path, database: Database) -> None:
    spools = [new_spool(directory) for _ in range(3)]
    for number, spool in enumerate(spools):
        put(spool, record(number))
    await asyncio.gather(*(new_shipper(spool, database).ship() for spool in spools))
    assert set(await stored(database)) == {"req_0_0", "req_0_1", "req_0_2"}


async def test_shipping_goes_on_by_itself_after_an_outage_and_after_an_unreadable_segment(
    spool: Spool, directory: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "SHIP_SECONDS", 0.001)
    store = Store(database)
    unreadable = directory / f"use_0{SUFFIX}"
    unreadable.mkdir()
    store.is_down = True
    shipper = new_shipper(spool, store)
    attempts, ship = asyncio.Queue[None](), shipper.ship

    async def counted() -> None:
        attempts.put_nowait(None)
        await ship()

    monkeypatch.setattr(shipper, "ship", counted)
    running = asyncio.create_task(shipper.run())
    put(spool, record(1))
    for _ in range(2):
        await attempts.get()
    unreadable.rmdir()
    for _ in range(2):
        await attempts.get()
    store.is_down = False
    for _ in range(3):
        await attempts.get()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert set(await stored(database)) == {"req_0_1"}


def test_a_closed_spool_leaves_what_it_had_to_the_next(directory: Path) -> None:
    spool = new_spool(directory)
    put(spool, record(1))
    spool.close()
    spool.close()
    assert len(new_spool(directory).left_segments().abandoned) == 1
