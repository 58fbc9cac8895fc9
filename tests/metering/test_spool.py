from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import os
import signal
import stat
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from innoai.errors import InnoError
from innoai.metering import spool as spool_module
from innoai.metering.spool import SEGMENT_BYTES, Spool
from tests.keyring.replica import Store
from tests.metering.records import new_shipper, record, stored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from innoai.store.database import Database

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


def on_disk(directory: Path) -> list[str]:
    """The request ids that anyone reads in the directory."""
    lines = [line for path in directory.glob("*.jsonl") for line in path.read_bytes().split(b"\n")]
    whole = [line for line in lines if line.strip(b"\0")]
    return [msgspec.json.decode(line)["request_id"] for line in whole]


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


def test_a_record_is_on_disk_once_it_was_appended(spool: Spool, directory: Path) -> None:
    for number in range(3):
        spool.append(record(number))
        assert sorted(on_disk(directory)) == [f"req_0_{known}" for known in range(number + 1)]


async def test_another_process_reads_what_was_appended(directory: Path, start: Start) -> None:
    process = await start(2)
    appended = [await said(process) for _ in range(2)]
    assert sorted(on_disk(directory)) == sorted(appended)


def test_only_the_owner_reads_the_spool(spool: Spool, directory: Path) -> None:
    spool.append(record(1))
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_a_full_segment_is_followed_by_another(spool: Spool, directory: Path) -> None:
    lines = 2 * SEGMENT_BYTES // len(msgspec.json.encode(record(0)))
    for number in range(lines):
        spool.append(record(number))
    assert len(list(directory.glob("*.jsonl"))) == 3
    assert len(set(on_disk(directory))) == lines


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


async def test_what_waited_for_a_full_disk_is_shipped_without_a_further_request(
    directory: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = new_spool(directory)
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 4096)
    count = 3 * 4096 // len(msgspec.json.encode(record(0)))
    with monkeypatch.context() as full:
        full.setattr(os, "posix_fallocate", no_room)
        for number in range(count):
            spool.append(record(number))
        await new_shipper(spool, database).ship()
        assert await stored(database) == {}
    await new_shipper(spool, database).ship()
    assert len(await stored(database)) == count


def no_room(*_arguments: object) -> None:
    raise OSError(28, "No space left on device")


# Shipping.


async def test_what_was_appended_is_shipped_and_its_segment_removed(
    spool: Spool, directory: Path, database: Database
) -> None:
    spool.append(record(1))
    spool.append(record(2))
    await new_shipper(spool, database).ship()
    assert await stored(database) == {"req_0_1": 200, "req_0_2": 200}
    assert files(directory) == []


async def test_records_can_be_appended_while_others_are_shipped(spool: Spool, database: Database) -> None:
    spool.append(record(1))
    store = Store(database)
    shipper = new_shipper(spool, store)
    shipping = asyncio.create_task(shipper.ship())
    await asyncio.sleep(0)
    spool.append(record(2))
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
        spool.append(record(number))
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
    spool.append(record(1))
    shipper = new_shipper(spool, database)
    await shipper.ship()
    spool.append(record(1, status=500))
    spool.append(record(2))
    await shipper.ship()
    assert await stored(database) == {"req_0_1": 200, "req_0_2": 200}


async def test_more_records_than_a_batch_all_arrive(
    spool: Spool, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "BATCH", 3)
    for number in range(10):
        spool.append(record(number))
    await new_shipper(spool, database).ship()
    assert len(await stored(database)) == 10


@pytest.mark.parametrize("piece", [1, 300, 1000])
async def test_a_segment_is_read_in_pieces_and_whole_but_for_torn_lines(
    directory: Path, database: Database, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(spool_module, "PIECE_BYTES", piece)
    spool = new_spool(directory)
    lines = [msgspec.json.encode(record(number)) for number in range(20)]
    lines[7] = lines[7][:30]
    (directory / "use_torn.jsonl").write_bytes(b"\n".join(lines) + bytes(100))
    await new_shipper(spool, database).ship()
    assert set(await stored(database)) == {f"req_0_{number}" for number in range(20) if number != 7}
    assert files(directory) == []


async def test_a_torn_last_line_is_left_out_and_the_rest_shipped(directory: Path, database: Database) -> None:
    spool = new_spool(directory)
    line = msgspec.json.encode(record(1))
    (directory / "use_torn.jsonl").write_bytes(line + b"\n" + line[: len(line) // 2] + bytes(100))
    await new_shipper(spool, database).ship()
    assert set(await stored(database)) == {"req_0_1"}
    assert files(directory) == []


async def test_a_segment_that_another_process_shipped_first_is_no_error(
    spool: Spool, directory: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.append(record(1))
    spool.close_segment()
    segments = spool.closed_segments()
    for segment in segments:
        segment.unlink()
    monkeypatch.setattr(spool, "closed_segments", lambda: segments)
    await new_shipper(spool, database).ship()
    assert await stored(database) == {}
    assert len(segments) == 1


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
    spool.append(record(1))
    assert spool.closed_segments() == []
    spool.close()
    [path] = directory.glob("*.jsonl")
    with path.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH | fcntl.LOCK_NB)
        assert spool.closed_segments() == [path]


async def test_shippers_on_one_directory_ship_everything_once(directory: Path, database: Database) -> None:
    spools = [new_spool(directory) for _ in range(3)]
    for number, spool in enumerate(spools):
        spool.append(record(number))
    await asyncio.gather(*(new_shipper(spool, database).ship() for spool in spools))
    assert set(await stored(database)) == {"req_0_0", "req_0_1", "req_0_2"}


async def test_shipping_goes_on_by_itself_after_an_outage_and_after_an_unreadable_segment(
    spool: Spool, directory: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "SHIP_SECONDS", 0.001)
    store = Store(database)
    unreadable = directory / "use_0.jsonl"
    unreadable.mkdir()
    store.is_down = True
    shipper = new_shipper(spool, store)
    attempts, ship = asyncio.Queue[None](), shipper.ship

    async def counted() -> None:
        attempts.put_nowait(None)
        await ship()

    monkeypatch.setattr(shipper, "ship", counted)
    running = asyncio.create_task(shipper.run())
    spool.append(record(1))
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
    spool.append(record(1))
    spool.close()
    spool.close()
    assert len(new_spool(directory).closed_segments()) == 1
