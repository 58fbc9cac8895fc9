"""A model server that takes its time: `python -m benchmarks.paced PORT` streams an event each 2 ms."""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

from benchmarks.workloads import stream_events

PACE_SECONDS = 0.002
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_CHUNKS = [b"%x\r\n%b\r\n" % (len(event), event) for event in stream_events()]
_END = b"0\r\n\r\n"


class Stream(asyncio.Protocol):
    """One connection, on which requests come one after another."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        """A request: begin the answer. What comes after its head is only its body."""
        if not data.startswith(b"POST "):
            return
        self._transport.write(_HEAD)
        self._say(0)

    def _say(self, number: int) -> None:
        if self._transport.is_closing():
            return
        if number == len(_CHUNKS):
            self._transport.write(_END)
            return
        self._transport.write(_CHUNKS[number])
        self._loop.call_later(PACE_SECONDS, self._say, number + 1)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Stream, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
