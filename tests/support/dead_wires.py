"""A way to Postgres whose connections can die without a word, as after a failover or a lost NAT entry."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

SOCKET = ".s.PGSQL.5432"


class DeadWires:
    """Forwards a port of the loopback interface to the server that a URL with a socket's directory names."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = f"{parse_qs(parts.query)['host'][0]}/{SOCKET}"
        self._path, self._user = parts.path, parts.username
        self._wires: set[_Wire] = set()
        self.takes_new = True
        """Whether connections that are made from now on live."""
        self.url = ""

    def cut(self) -> None:
        """Let nothing more through on the connections that there are; nobody is told."""
        for wire in list(self._wires):
            wire.is_dead = True

    def hang_up(self) -> None:
        """Close the connections that there are, as a server does that ends."""
        self._loop.call_soon_threadsafe(self._close_all)

    async def run(self, started: threading.Event) -> None:
        """Forward until the end."""
        server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.url = f"postgresql://{self._user}@127.0.0.1:{port}{self._path}"
        self._loop, self._ends = asyncio.get_running_loop(), asyncio.Event()
        started.set()
        await self._ends.wait()
        server.close()
        self._close_all()

    def end(self) -> None:
        """Close everything; called from another thread."""
        self._loop.call_soon_threadsafe(self._ends.set)

    def _close_all(self) -> None:
        for wire in list(self._wires):
            wire.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_unix_connection(self._socket)
        wire = _Wire(writer, there[1], is_dead=not self.takes_new)
        self._wires.add(wire)
        # asyncio.run cancels this at the end, and streams.py of Python 3.11 would complain of that.
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await asyncio.gather(wire.pump(reader, there[1]), wire.pump(there[0], writer))
        wire.close()
        self._wires.discard(wire)


class _Wire:
    def __init__(self, here: asyncio.StreamWriter, there: asyncio.StreamWriter, *, is_dead: bool) -> None:
        self._ends = here, there
        self.is_dead = is_dead

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not self.is_dead:
                writer.write(data)
                await writer.drain()
        if not self.is_dead:
            writer.close()

    def close(self) -> None:
        for end in self._ends:
            end.close()


@contextmanager
def dead_wires(url: str) -> Iterator[DeadWires]:
    """The way, open in a thread of its own."""
    wires, started = DeadWires(url), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(wires.run(started)))
    thread.start()
    started.wait()
    try:
        yield wires
    finally:
        wires.end()
        thread.join()
