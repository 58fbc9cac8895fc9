"""How a quick stream is read: at a beat, so that all it said meanwhile comes in one read.

Being woken for a piece, reading it and writing it costs far more than its bytes. While a stream gives pieces
faster than anyone reads, its socket wakes nobody (SO_RCVLOWAT) and is looked into at each beat. A beat that
finds nothing ends that. A stream's first piece never waits, and one that is slower than the beat never does.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import asyncio

BEAT_SECONDS: Final = 0.005
QUICK_SECONDS: Final = BEAT_SECONDS / 2
"""Two pieces that came within this are quick: a beat will bring two or more."""

MOST_BYTES: Final = 16 * 1024
"""What is read in one beat; as much wakes the event loop, which reads all of it."""


class Stream(Protocol):
    """What is read at the beat."""

    def on_beat(self) -> bool:
        """Read what has come; whether to be called at the next beat, too."""

    def abort(self) -> None:
        """End it as if the connection had been lost."""


class Beat:
    """The beat of a pool's quick streams. It rests while there are none."""

    __slots__ = ("_loop", "_streams")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._streams: list[Stream] = []

    def now(self) -> float:
        """Seconds of the loop's clock."""
        return self._loop.time()

    def join(self, stream: Stream) -> None:
        """Have `stream` called at each beat, from the next one on."""
        if not self._streams:
            self._loop.call_later(BEAT_SECONDS, self._strike)
        self._streams.append(stream)

    def _strike(self) -> None:
        streams, self._streams = self._streams, []
        going_on = [stream for stream in streams if self._goes_on(stream)]
        if going_on and not self._streams:
            self._loop.call_later(BEAT_SECONDS, self._strike)
        self._streams += going_on

    def _goes_on(self, stream: Stream) -> bool:
        """What one stream fails with must not keep the others from being read."""
        try:
            return stream.on_beat()
        except Exception as error:  # noqa: BLE001 - the others are read all the same
            context = {"message": "a stream could not be read", "exception": error}
            self._loop.call_exception_handler(context)
            stream.abort()
            return False


def fall_silent(transport: asyncio.Transport) -> int | None:
    """Let the transport's socket, without TLS, wake the loop only for much, or for its end.

    Gives its descriptor, to be read; None where the system does not do that.
    """
    try:
        descriptor: int = transport.get_extra_info("socket").fileno()
        _wake_at(transport, MOST_BYTES)
    except OSError:
        return None
    return descriptor


def speak_up(transport: asyncio.Transport) -> None:
    """Let the transport's socket wake the loop for every byte again."""
    _wake_at(transport, 1)


def look_into(descriptor: int) -> bytes | None:
    """What has arrived; None for nothing. An end or an error is left for the loop to find."""
    try:
        return os.read(descriptor, MOST_BYTES) or None
    except OSError:
        return None


def _wake_at(transport: asyncio.Transport, least_bytes: int) -> None:
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, least_bytes)
