"""The model server of a soak: `python -m benchmarks.soak.models PORT FILE`.

Each request carries its number as `seed`; each answer tells that number as its prompt's tokens, a stream in
every event, so that a usage record says of which request it is. What was asked is in FILE, a line each, by
the time that it is answered: this process is killed now and then.

The path says what the answer is like: /plain, /burst (a stream at once), /paced (one each few ms), /large.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import cast

import uvloop

PACE_SECONDS = 0.005
EVENTS = 40
LARGE_EVENTS, LARGE_BYTES = 64, 64 * 1024
_SEED = re.compile(rb'"seed":\s*(\d+)')
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_USAGE = b'"usage":{"prompt_tokens":%d,"completion_tokens":7,"total_tokens":7}'
_END = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


class Answerer(asyncio.Protocol):
    """One connection, on which requests come one after another."""

    served: int
    """The open file of what was asked."""

    def __init__(self) -> None:
        self._received = b""
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._answering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The gateway is here."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The gateway has hung up."""
        self._can_write.set()
        if self._answering is not None:
            self._answering.cancel()

    def pause_writing(self) -> None:
        """The gateway reads more slowly than this writes."""
        self._can_write.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._can_write.set()

    def data_received(self, data: bytes) -> None:
        """A request, or a piece of one."""
        self._received += data
        end = self._received.find(b"\r\n\r\n") + 4
        length = _LENGTH.search(self._received, 0, end)
        if end < 4 or length is None or len(self._received) < end + int(length[1]):
            return
        path, body = self._received.split(b" ", 2)[1], self._received[end:]
        self._received = b""
        asked = _SEED.search(body)
        number = int(asked[1]) if asked else 0
        os.write(self.served, b"%d\n" % number)
        if path.startswith(b"/plain/"):
            content = b'{"choices":[],%b}' % (_USAGE % number)
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            self._transport.write(head % len(content) + content)
        elif path.startswith(b"/burst/"):
            self._transport.write(_STREAM + _event(number, 20) * EVENTS + _END)
        else:
            is_large = path.startswith(b"/large/")
            self._answering = asyncio.get_running_loop().create_task(self._stream(number, is_large=is_large))

    async def _stream(self, number: int, *, is_large: bool) -> None:
        event = _event(number, LARGE_BYTES if is_large else 20)
        self._transport.write(_STREAM)
        for _ in range(LARGE_EVENTS if is_large else EVENTS):
            await self._can_write.wait()
            self._transport.write(event)
            await asyncio.sleep(0 if is_large else PACE_SECONDS)
        self._transport.write(_END)


def _event(number: int, size: int) -> bytes:
    delta = b'"choices":[{"index":0,"delta":{"content":"%b"}}]' % (b"x" * size)
    data = b"data: {%b,%b}\n\n" % (delta, _USAGE % number)
    return b"%x\r\n%b\r\n" % (len(data), data)


async def _serve(port: int, file: Path) -> None:
    Answerer.served = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    server = await asyncio.get_running_loop().create_server(Answerer, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))
