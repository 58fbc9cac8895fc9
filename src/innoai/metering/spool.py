"""The local spool: a usage record is safe before the answer that it reports on has ended.

Records are lines in a segment, a file that is mapped into memory: appending is a copy into the
page cache, without a system call, and what is there survives the death of the process. Every
second the segment is closed and its lines go to the store in one transaction, idempotent by
request id; then the file is removed. A process that is killed leaves its segments, and whoever
starts next on the same directory ships them. The death of the machine can cost the records of
about the last second.
"""

from __future__ import annotations

import asyncio
import mmap
import os
from itertools import chain, islice
from typing import TYPE_CHECKING

import msgspec
import structlog

from innoai.errors import InnoError
from innoai.metering import alerts, owned_files
from innoai.store import usage
from innoai.store.usage import UsageRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from innoai.metering.budgets import Budgets
    from innoai.store.database import Database

SHIP_SECONDS = 1.0
BATCH = 1000
SEGMENT_BYTES = 1024 * 1024
PIECE_BYTES = 32 * 1024
"""So much of a segment is decoded at once, since requests wait meanwhile."""

log = structlog.get_logger()
_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(UsageRecord)


class Segment:
    """A file of reserved, zeroed bytes that fills from the front; ours alone for as long as it is open."""

    __slots__ = ("_file", "_memory", "_used")

    def __init__(self, path: Path) -> None:
        """Reserve the file. OSError when the disk has no room, which is better learnt here than in a copy."""
        self._file = owned_files.create(path, SEGMENT_BYTES)
        try:
            self._memory = mmap.mmap(self._file, SEGMENT_BYTES)
        except OSError:
            os.close(self._file)
            raise
        self._used = 0

    def append(self, line: bytes) -> bool:
        """Take a line; False when there is no room for it."""
        end = self._used + len(line)
        if end > SEGMENT_BYTES:
            return False
        self._memory[self._used : end] = line
        self._used = end
        return True

    @property
    def is_empty(self) -> bool:
        """Whether nothing was appended yet."""
        return self._used == 0

    def close(self) -> None:
        """Let it be shipped."""
        self._memory.close()
        os.close(self._file)


class Spool:
    """Appends to this process's segment, and hands closed segments over."""

    def __init__(self, directory: Path, new_name: Callable[[], str]) -> None:
        self.directory = directory
        self._new_name = new_name
        self._segment: Segment | None = None
        self._homeless: list[bytes] = []
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def append(self, record: UsageRecord) -> None:
        """Put one record on disk; while the disk is full it stays in memory and goes with a later one."""
        line = _encode(record) + b"\n"
        if self._segment is None or self._homeless or not self._segment.append(line):
            self._homeless.append(line)
            self._find_room()

    def close_segment(self) -> bool:
        """Let the present segment be shipped, if anything is in it; False while records wait for room."""
        if self._homeless:
            self._find_room()
        if self._segment is not None and not self._segment.is_empty:
            self._segment.close()
            self._segment = None
        return not self._homeless

    def closed_segments(self) -> list[Path]:
        """Segments that no living process writes to, oldest first."""
        return [path for path in sorted(self.directory.glob("*.jsonl")) if owned_files.is_abandoned(path)]

    def close(self) -> None:
        """Close the segment for good."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _find_room(self) -> None:
        """Move what is only in memory into new segments."""
        while self._homeless:
            self.close()
            try:
                segment = self._segment = Segment(self.directory / f"{self._new_name()}.jsonl")
            except OSError as error:
                log.error("the usage spool is full", error=error.strerror, waiting=len(self._homeless))
                return
            while self._homeless and segment.append(self._homeless[0]):
                self._homeless.pop(0)


class Shipper:
    """Moves closed segments into the store; a store that is down delays and never drops.

    With the records goes what was set aside for them, and the word of thresholds that they reach.
    `currency` is that of accounts which have not chosen another.
    """

    def __init__(
        self, spool: Spool, database: Database, budgets: Budgets, currency: str, clock: Callable[[], float]
    ) -> None:
        self._spool = spool
        self._database = database
        self._budgets = budgets
        self._currency = currency
        self._clock = clock

    async def run(self) -> None:
        """Ship every second until cancelled."""
        while True:
            await asyncio.sleep(SHIP_SECONDS)
            try:
                await self.ship()
            except (InnoError, OSError) as error:
                log.warning("usage records wait", why=str(error), segments=len(self._spool.closed_segments()))
            except Exception as error:
                log.error("usage records wait", exc_info=error)

    async def ship(self, *, leaving: bool = False) -> None:
        """Ship all there is; `leaving` when nothing follows.

        Raises:
            InnoError: service_unavailable when the store does not answer; nothing is lost.
            OSError: a segment cannot be read or removed; nothing is lost.
        """
        # First, so that all that they have left behind is among the closed segments.
        departed = self._budgets.departed()
        if self._spool.close_segment():
            self._budgets.close()
        for path in self._spool.closed_segments():
            records = _read(path)
            for first in records:
                await self._add(chain((first,), islice(records, BATCH - 1)))
            path.unlink(missing_ok=True)
        await self._budgets.shipped(departed, leaving=leaving)

    async def _add(self, records: Iterable[UsageRecord]) -> None:
        async with self._database.write() as connection:
            new = await usage.add(connection, records)
            await alerts.thresholds(connection, new, self._currency, self._clock())


def _read(path: Path) -> Iterator[UsageRecord]:
    """The records of a segment. A line that a dying machine tore was never acknowledged, and is left out."""
    try:
        content = path.read_bytes().rstrip(b"\0")
    except FileNotFoundError:
        # Another process on the same directory shipped it first.
        return
    start = 0
    while start < len(content):
        # Up to the end of a line; a line that is longer than a piece is one by itself.
        end = content.rfind(b"\n", start, start + PIECE_BYTES) + 1
        end = end or content.find(b"\n", start) + 1 or len(content)
        yield from _decoded(content[start:end], path)
        start = end


def _decoded(lines: bytes, path: Path) -> Sequence[UsageRecord]:
    try:
        return _decoder.decode_lines(lines)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return [record for line in lines.splitlines() if (record := _whole(line, path)) is not None]


def _whole(line: bytes, path: Path) -> UsageRecord | None:
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        log.error("a torn line in the usage spool", segment=path.name)
        return None
