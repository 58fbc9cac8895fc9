"""A stream's events on their way to the caller: each goes out when it is whole, and one may be hidden.

With `stream_options.include_usage` a stream ends with a chunk whose `choices` are empty and whose
`usage` is filled. Where the gateway asked for it on its own account, that event is taken out again
and everything else passes byte for byte, however the network cut it.

Half an event is of no use to anyone, and where the stream breaks off, whatever followed it would be read as
its other half. A comment before an event is none of it: servers send such lines so that nobody hangs up, and
each goes out at once.
"""

from __future__ import annotations

import re

from innoai.metering.stream_events import EVENT_ENDS, LONGEST_END, event_end, last_event_end
from innoai.metering.usage import Usage, usages_from_the_end

LONGEST_EVENT = 4 * 1024 * 1024
"""Bytes of an event that waits until it is whole: pictures come in events of a few MiB."""

_COMMENTS = re.compile(rb"(?:(?::[^\r\n]*+)?[\r\n]++)++")
"""Whole lines that are comments or empty."""

_NO_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')


class Events:
    """Lets whole events through; with `hides_usage` all but the usage event, and keeps what that said."""

    __slots__ = ("_end", "_hides_usage", "_partial", "_size", "is_cut", "usage")

    def __init__(self, *, hides_usage: bool) -> None:
        self._hides_usage = hides_usage
        # The beginning of an event, in pieces, and its last bytes, in which its end may begin.
        self._partial: list[bytes] = []
        self._size = 0
        self._end = b""
        self.usage: Usage | None = None
        self.is_cut = False
        """Whether the caller has half an event, which was too long to wait for."""

    def feed(self, chunk: bytes) -> bytes:
        """What may go to the caller now; the beginning of an event waits until the event is whole."""
        if not chunk:
            return b""
        if not self._partial and chunk.endswith(EVENT_ENDS):
            self._begin(b"")
            return self._shown(chunk)
        searched = self._end + chunk
        end = last_event_end(searched, len(searched)) - len(self._end)
        if end <= 0:
            return self._wait_for_more(chunk)
        whole = b"".join([*self._partial, chunk[:end]])
        self._begin(chunk[end:])
        return self._shown(whole) + self._comments()

    def finish(self) -> bytes:
        """What is left when the stream ends."""
        rest = b"".join(self._partial)
        self._begin(b"")
        return self._shown(rest)

    def _begin(self, event: bytes) -> None:
        """Wait for the rest of this event."""
        self._partial = [event] if event else []
        self._size = len(event)
        self._end = event[1 - LONGEST_END :]
        self.is_cut = False

    def _wait_for_more(self, piece: bytes) -> bytes:
        self._partial.append(piece)
        self._size += len(piece)
        self._end = (self._end + piece[1 - LONGEST_END :])[1 - LONGEST_END :]
        if b"\n" in piece or b"\r" in piece:
            comments = self._comments()
            if comments:
                return comments
        if self._size <= LONGEST_EVENT:
            return b""
        rest = b"".join(self._partial)
        self._partial, self._size = [], 0
        self.is_cut = True
        return rest

    def _comments(self) -> bytes:
        """The comment lines that what waits begins with, which need not wait."""
        if self.is_cut or not self._partial or self._partial[0][0] not in b":\r\n":
            return b""
        waiting = b"".join(self._partial)
        found = _COMMENTS.match(waiting)
        if found is None:
            return b""
        rest = waiting[found.end() :]
        self._partial = [rest] if rest else []
        self._size = len(rest)
        return found[0]

    def _shown(self, events: bytes) -> bytes:
        if not self._hides_usage:
            return events
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
        begin, end = last_event_end(events, position), event_end(events, position)
        if _NO_CHOICES.search(events, begin, end) is not None:
            events = events[:begin] + events[end:]
    return events, last
