"""Hiding the one event of a stream that the caller did not ask for.

With `stream_options.include_usage` a stream ends with a chunk whose `choices` are empty and whose
`usage` is filled. Where the gateway asked for it on its own account, that event is taken out again
and everything else passes byte for byte, however the network cut it.
"""

from __future__ import annotations

import re

from innoai.metering.usage import Usage, usages_from_the_end

_EVENT_ENDS = (b"\n\n", b"\n\r\n", b"\r\r")
"""An empty line, after a line that ended as it liked: LF, CRLF or CR."""
_EVENT_END = re.compile(b"|".join(_EVENT_ENDS))
_NO_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')


class HiddenUsage:
    """Takes the usage event out of a stream, and keeps what it said."""

    __slots__ = ("_partial", "usage")

    def __init__(self) -> None:
        self._partial = b""
        self.usage: Usage | None = None

    def feed(self, chunk: bytes) -> bytes:
        """What may go to the caller now; the beginning of an event waits until the event is whole."""
        data = self._partial + chunk if self._partial else chunk
        if data.endswith(_EVENT_ENDS):
            self._partial = b""
        else:
            end = _last_event_end(data, len(data))
            data, self._partial = data[:end], data[end:]
        return self._without_usage(data)

    def finish(self) -> bytes:
        """What is left when the stream ends."""
        rest, self._partial = self._partial, b""
        return self._without_usage(rest)

    def _without_usage(self, events: bytes) -> bytes:
        events, usage = without_usage(events)
        self.usage = usage or self.usage
        return events


def without_usage(events: bytes) -> tuple[bytes, Usage | None]:
    """All but the usage event, and the usage.

    Some servers tell the usage beside their last choice: that event stays.
    """
    last = None
    for position, usage in usages_from_the_end(events):
        last = last or usage
        begin, end = _last_event_end(events, position), _event_end(events, position)
        if _NO_CHOICES.search(events, begin, end) is not None:
            events = events[:begin] + events[end:]
    return events, last


def _event_end(data: bytes, position: int) -> int:
    """Where the event around `position` ends."""
    match = _EVENT_END.search(data, position)
    return len(data) if match is None else match.end()


def _last_event_end(data: bytes, before: int) -> int:
    """Where the last event that is whole before a position ends; 0 if there is none."""
    found = 0
    for end in _EVENT_ENDS:
        position = data.rfind(end, found, before)
        if position != -1:
            found = position + len(end)
    return found
