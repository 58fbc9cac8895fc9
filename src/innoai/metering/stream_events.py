"""Where the events of a text/event-stream begin and end, and what is in one (HTML, server-sent events)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENT_ENDS = (b"\n\n", b"\n\r\n", b"\r\r")
"""An empty line, after a line that ended as it liked: LF, CRLF or CR."""

LONGEST_END = max(map(len, EVENT_ENDS))
_EVENT_END = re.compile(b"|".join(EVENT_ENDS))
_DATA = re.compile(rb"(?:^|[\r\n])data:([^\r\n]*)")


def event_end(data: bytes, position: int) -> int:
    """Where the event around `position` ends."""
    match = _EVENT_END.search(data, position)
    return len(data) if match is None else match.end()


def last_event_end(data: bytes, before: int) -> int:
    """Where the last event that is whole before a position ends; 0 if there is none."""
    found = 0
    for end in EVENT_ENDS:
        position = data.rfind(end, found, before)
        if position != -1:
            found = position + len(end)
    return found


def payload(event: bytes) -> bytes:
    """The data of an event; JSON that is no event is its own."""
    lines = _DATA.findall(event)
    return b"\n".join(lines) if lines else event


def payloads(events: bytes) -> Iterator[bytes]:
    """The data of each event that has some, which a comment has not."""
    position = 0
    while position < len(events):
        end = event_end(events, position)
        lines = _DATA.findall(events[position:end])
        if lines:
            yield b"\n".join(lines)
        position = end
