"""The local spool: a usage record is on disk before the answer that it reports on has ended.

One write(2) appends a line to this process's segment. Every second the segment is closed and its
lines go to the store in one transaction, idempotent by request id; the segment is unlinked after
that. A process that is killed leaves its segments, and whoever starts next on the same directory
ships them. What write(2) took survives the death of the process at once, and the death of the
machine once the segment has been shipped or the kernel has written it back.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

import msgspec
import structlog

from innoai.errors import InnoError
from innoai.store import usage
from innoai.store.usage import UsageRecord

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from innoai.store.database import Database

SHIP_SECONDS = 1.0
BATCH = 1000

log = structlog.get_logger()
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(UsageRecord).decode


class Spool:
    """Appends to this process's segment, and hands closed segments over."""

    def __init__(self, directory: Path, new_name: Callable[[], str]) -> None:
        self._directory = directory
        self._new_name = new_name
        self._segment: int | None = None
        self._unwritten = b""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def append(self, record: UsageRecord) -> None:
        """Put one record on disk; what a full disk refuses stays in memory and goes with the next."""
        line = self._unwritten + _encode(record) + b"\n"
        try:
            written = os.write(self._open_segment(), line)
        except OSError as error:
            log.error("the usage spool cannot be written", error=error.strerror)
            written = 0
        self._unwritten = line[written:]

    def close_segment(self) -> None:
        """Let the present segment be shipped; the next record opens another."""
        if self._unwritten:
            with contextlib.suppress(OSError):
                self._unwritten = self._unwritten[os.write(self._open_segment(), self._unwritten) :]
        if self._segment is not None and not self._unwritten:
            os.close(self._segment)
            self._segment = None

    def closed_segments(self) -> list[Path]:
        """Segments that no living process writes to, oldest first."""
        return [path for path in sorted(self._directory.glob("*.jsonl")) if _is_closed(path)]

    def _open_segment(self) -> int:
        if self._segment is None:
            path = self._directory / f"{self._new_name()}.new"
            self._segment = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            # Locked before it bears the name that shippers look for.
            fcntl.flock(self._segment, fcntl.LOCK_EX)
            path.rename(path.with_suffix(".jsonl"))
        return self._segment


class Shipper:
    """Moves closed segments into the store; a store that is down delays and never drops."""

    def __init__(self, spool: Spool, database: Database) -> None:
        self._spool = spool
        self._database = database

    async def run(self) -> None:
        """Ship every second until cancelled."""
        while True:
            try:
                await self.ship()
            except InnoError:
                log.warning("usage records wait for the store", segments=len(self._spool.closed_segments()))
            await asyncio.sleep(SHIP_SECONDS)

    async def ship(self) -> None:
        """Ship all there is.

        Raises:
            InnoError: service_unavailable when the store does not answer; nothing is lost.
        """
        self._spool.close_segment()
        for path in self._spool.closed_segments():
            records = _read(path)
            for start in range(0, len(records), BATCH):
                async with self._database.write() as connection:
                    await usage.add(connection, records[start : start + BATCH])
            path.unlink(missing_ok=True)


def _read(path: Path) -> list[UsageRecord]:
    """The records of a segment. A line that a dying machine tore was never acknowledged, and is left out."""
    records = []
    for line in path.read_bytes().splitlines():
        try:
            records.append(_decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError):
            log.error("a torn line in the usage spool", segment=path.name)
    return records


def _is_closed(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
