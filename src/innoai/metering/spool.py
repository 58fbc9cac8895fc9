"""The local spool: a usage record is safe before the answer that it reports on has ended.

Records go into a segment, a file that is mapped into memory: writing there is a copy into the page
cache, without a system call, and what is there survives the death of the process. What the segments hold
is shipped (shipping.py); then they are zeroed and filled anew, since a page that is mapped already costs
nothing. A process that is killed leaves its segments, and whoever starts next on the same directory ships
them. The death of the machine can cost the records of about the last second.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
import zlib
from typing import TYPE_CHECKING

import msgspec
import structlog

from innoai.metering import owned_files
from innoai.store.usage import UsageRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from innoai.metering.owned_files import Found

SEGMENT_BYTES = 1024 * 1024
SUFFIX = ".usage"
DAMAGED = ".damaged"
"""What a segment is called that holds something which is no record, once its records are in the store."""

MOST_FULL = 8
"""So many wait to be shipped and stay open; what is more is closed, and found in the directory again."""

log = structlog.get_logger()
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[UsageRecord]).decode
_ZEROS = bytes(64 * 1024)

_HEADER = struct.Struct("<II")
"""Before the records of one flush: how many bytes they take, and their CRC-32. No bytes: the end."""

_PERHAPS_A_FLUSH = re.compile(rb"(?=..[\x00-\x0f]\x00.{4}[\x91-\x9f\xdc\xdd])", re.DOTALL)
"""Where a header could be: with a length below SEGMENT_BYTES, and behind it the beginning of an array."""


class Segment:
    """A file of reserved, zeroed bytes that fills from the front; ours alone for as long as it is open."""

    __slots__ = ("_memory", "_path", "_used", "count")

    def __init__(self, path: Path) -> None:
        """Reserve the file. OSError when the disk has no room, which is better learnt here than in a copy."""
        self._path = path
        file = owned_files.create(path, SEGMENT_BYTES)
        try:
            # It keeps the file open by itself, and so ours.
            self._memory = mmap.mmap(file, SEGMENT_BYTES)
        finally:
            os.close(file)
        self._used = 0
        self.count = 0
        """How many records are in it."""

    def append(self, records: list[UsageRecord]) -> bool:
        """Take all of these; False when there is no room for them."""
        content = _encode(records)
        end = self._used + _HEADER.size + len(content)
        if end > SEGMENT_BYTES:
            return False
        self._memory[self._used : end] = _HEADER.pack(len(content), zlib.crc32(content)) + content
        self._used = end
        self.count += len(records)
        return True

    def records(self) -> Iterator[UsageRecord]:
        """What is in it."""
        return records_in(self._memory[: self._used], self._path.name)

    def clear(self) -> None:
        """Make it empty."""
        for start in range(0, self._used, len(_ZEROS)):
            end = min(start + len(_ZEROS), self._used)
            self._memory[start:end] = _ZEROS[: end - start]
        self._used = self.count = 0

    def close(self) -> None:
        """Leave it to whoever looks into the directory next."""
        self._memory.close()

    def discard(self) -> None:
        """Remove it."""
        self._path.unlink(missing_ok=True)
        self.close()


def records_in(content: bytes, name: str) -> Iterator[UsageRecord]:
    """The records in a segment of that name.

    What a dying process or machine tore was never acknowledged; it is left out, and the log says so.
    """
    for flush in _flushes(content):
        if flush is None:
            log.error("torn records in the usage spool", segment=name)
        else:
            yield from flush


def is_damaged(content: bytes) -> bool:
    """Whether a segment holds anything but whole records."""
    return any(flush is None for flush in _flushes(content))


def _flushes(content: bytes) -> Iterator[list[UsageRecord] | None]:
    """The records of each flush in a segment; None in place of what is none."""
    start = 0
    while content[start : start + 1] and not _is_blank_from(content, start):
        found = _flush_at(content, start)
        if found is None:
            yield None
            start = _next_flush(content, start + 1)
        else:
            records, start = found
            yield records


def _is_blank_from(content: bytes, start: int) -> bool:
    """Whether nothing follows; mostly a look at one header tells."""
    return not any(content[start : start + _HEADER.size]) and not content[start:].strip(b"\0")


def _flush_at(content: bytes, start: int) -> tuple[list[UsageRecord], int] | None:
    """The records of the flush that begins there, and its end; None where no whole one does."""
    begin = start + _HEADER.size
    if begin > len(content):
        return None
    length, checksum = _HEADER.unpack_from(content, start)
    piece = content[begin : begin + length]
    if not length or len(piece) < length or zlib.crc32(piece) != checksum:
        return None
    try:
        return _decode(piece), begin + length
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _next_flush(content: bytes, start: int) -> int:
    """Where the next whole flush begins, or the end."""
    places = (match.start() for match in _PERHAPS_A_FLUSH.finditer(content, start))
    return next((place for place in places if _flush_at(content, place)), len(content))


def is_empty(path: Path) -> bool:
    """Whether a segment has no records; also true of one that has just been removed."""
    try:
        with path.open("rb") as file:
            return not any(file.read(_HEADER.size))
    except FileNotFoundError:
        return True


def waiting_in(directory: Path) -> int:
    """How many segments there have records that are to be shipped, whosever they are."""
    return sum(not is_empty(path) for path in directory.glob(f"*{SUFFIX}"))


class Spool:
    """Fills this process's segments, and hands over what they hold."""

    def __init__(self, directory: Path, new_name: Callable[[], str]) -> None:
        self.directory = directory
        self._new_name = new_name
        self._segment: Segment | None = None
        self._full: list[Segment] = []
        self._empty: list[Segment] = []
        self._appended: list[UsageRecord] = []
        self._homeless: list[UsageRecord] = []
        self.no_room_because: str | None = None
        """What the disk said last when it took no segment."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def append(self, record: UsageRecord) -> bool:
        """Take a record, which is safe after the next `flush`; whether it is the first since the last one."""
        self._appended.append(record)
        return len(self._appended) == 1

    def flush(self) -> None:
        """Put what was appended on disk; what that has no room for stays in memory."""
        if not self._appended:
            return
        records, self._appended = self._appended, []
        if self._segment is None or self._homeless or not self._segment.append(records):
            self._homeless += records
            self._find_room()

    def close_segment(self) -> None:
        """Let the present segment be shipped, if anything is in it."""
        self.flush()
        if self._homeless:
            self._find_room()
        if self._segment is not None and self._segment.count:
            self._leave_segment()

    def take_homeless(self) -> list[UsageRecord]:
        """Hand over the records for which the disk has no room, and which are in memory alone."""
        homeless, self._homeless = self._homeless, []
        return homeless

    def put_back(self, homeless: list[UsageRecord]) -> None:
        """Keep them on: they could not be shipped."""
        self._homeless[:0] = homeless

    def full_segments(self) -> list[Segment]:
        """This process's segments that wait to be shipped, oldest first."""
        return list(self._full)

    def shipped(self, segment: Segment) -> None:
        """What a full segment held is in the store: fill it anew."""
        self._full.remove(segment)
        segment.clear()
        if len(self._empty) < MOST_FULL:
            self._empty.append(segment)
        else:
            segment.discard()

    @property
    def waiting(self) -> int:
        """How many segments wait to be shipped."""
        return len(self._full) + len(self.left_segments().abandoned)

    def left_segments(self) -> Found:
        """Segments that no living process has open, oldest first."""
        return owned_files.find_abandoned(self.directory, SUFFIX)

    def close(self) -> None:
        """Leave what was not shipped to whoever comes next."""
        self.close_segment()
        if self._homeless:
            log.error("usage records are lost: neither disk nor store took them", records=len(self._homeless))
        self._leave_segment()
        for segment in self._full:
            segment.close()
        for segment in self._empty:
            segment.discard()
        self._full, self._empty, self._homeless = [], [], []

    def _leave_segment(self) -> None:
        segment, self._segment = self._segment, None
        if segment is None:
            return
        if not segment.count:
            self._empty.append(segment)
        elif len(self._full) < MOST_FULL:
            self._full.append(segment)
        else:
            segment.close()

    def _find_room(self) -> None:
        """Move what is only in memory into new segments."""
        while self._homeless:
            self._leave_segment()
            try:
                segment = self._segment = self._empty.pop() if self._empty else self._new_segment()
            except OSError as error:
                self.no_room_because = error.strerror
                return
            while self._homeless and segment.append(self._homeless[:1]):
                self._homeless.pop(0)

    def _new_segment(self) -> Segment:
        return Segment(self.directory / f"{self._new_name()}{SUFFIX}")
