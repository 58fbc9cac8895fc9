"""The other side of the wire: servers that do as told, and a listener that remembers."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from innoai.gateway.upstream import AnswerHead, Failure, Origin, Pool, RequestHead, Timeouts
from tests.support.settings import SHORTCUTS

if TYPE_CHECKING:
    import ssl

    from innoai.gateway.upstream import Call, Listener

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHAT = RequestHead(b"/v1/chat/completions", [(b"content-type", b"application/json")])

Script = Callable[["Visit"], Awaitable[None]]


@dataclass(eq=False)
class Visit:
    """One connection as the server has it. nth: from 1."""

    nth: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    peer: Peer

    async def request(self) -> bytes:
        """The next request's head and body. Raises IncompleteReadError when the client has closed."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        body = b""
        for line in head.split(b"\r\n"):
            if line.startswith(b"content-length: "):
                body = await self.reader.readexactly(int(line.removeprefix(b"content-length: ")))
        self.peer.requests.append(head + body)
        return head + body

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> int:
        """Wait until the client has closed, whatever it still sends; so many bytes that was."""
        left = 0
        try:
            while data := await self.reader.read(65_536):
                left += len(data)
        except ConnectionError:
            pass
        return left


@dataclass(eq=False)
class Peer:
    """A server; `requests` is all that it has read, `visits` how many connections it has taken."""

    script: Script
    visits: int = 0
    requests: list[bytes] = field(default_factory=list)
    running: set[asyncio.Task[None]] = field(default_factory=set)
    visited: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    async def receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        self.visited.set()
        task = asyncio.current_task()
        assert task is not None
        self.running.add(task)
        try:
            await self.script(Visit(self.visits, reader, writer, self))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self.running.discard(task)

    async def left_alone(self) -> None:
        """Wait until no connection is being served."""
        await asyncio.gather(*self.running, return_exceptions=True)


@asynccontextmanager
async def serving(
    script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Peer]:
    peer = Peer(script)
    server = await asyncio.start_server(peer.receive, host, 0, ssl=tls, limit=1 << 20)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for task in list(peer.running):
            task.cancel()
        await peer.left_alone()


@asynccontextmanager
async def pooled(
    peer: Peer, *, timeouts: Timeouts | None = None, tls: ssl.SSLContext | None = None, max_idle: int = 256
) -> AsyncIterator[Pool]:
    origin = Origin("https" if tls else "http", "127.0.0.1", peer.port)
    pool = Pool(origin, timeouts=timeouts or Timeouts(), ssl=tls, max_idle=max_idle, shortcuts=SHORTCUTS)
    try:
        yield pool
    finally:
        await pool.close()
        assert (pool.open, pool.idle, pool.connecting) == (0, 0, 0)


class Heard:
    """A listener. Anything said after the end fails the test that awaits it."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunks: list[bytes] = []
        self.failure: Failure | None = None
        self.last_words = 0
        self.head = asyncio.Event()
        self.progress = asyncio.Event()
        self._over = asyncio.Event()

    def on_whole(self, head: AnswerHead, body: bytes) -> None:
        self.on_head(head)
        if body:
            self.on_body(body)
        self.on_end()

    def on_head(self, head: AnswerHead) -> None:
        assert not self.status
        self.status, self.headers = head.status, head.headers
        self.head.set()

    def on_body(self, chunk: bytes) -> None:
        assert not self.last_words
        self.chunks.append(chunk)
        self.progress.set()

    def on_turn(self) -> None:
        assert self.status
        assert not self.last_words

    def on_end(self) -> None:
        self.last_words += 1
        self._over.set()

    def on_failure(self, failure: Failure) -> None:
        self.failure = failure
        self.last_words += 1
        self._over.set()

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    async def over(self) -> Heard:
        await self._over.wait()
        assert self.last_words == 1
        return self

    async def answer(self) -> tuple[int, bytes]:
        await self.over()
        assert self.failure is None, self.failure
        return self.status, self.body

    async def failed(self) -> Failure:
        await self.over()
        assert self.failure is not None, (self.status, self.body)
        return self.failure


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN, as a process that dies with unread data does."""
    linger_not = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
    writer.transport.abort()


def send(pool: Pool, listener: Listener, body: bytes = b"{}") -> Call:
    """Send a request in the way of a model's target."""
    return pool.send_prepared(pool.prepare(CHAT), body, listener)


async def ask(pool: Pool, body: bytes = b"{}") -> Heard:
    """Send, and wait for the end, good or bad."""
    heard = Heard()
    send(pool, heard, body)
    return await heard.over()


def answering(*answers: bytes) -> Script:
    """Each connection gives these answers, one a request, then waits for the client to close."""

    async def script(visit: Visit) -> None:
        for answer in answers:
            await visit.request()
            await visit.say(answer)
        await visit.gone()

    return script


def closing_after(*answers: bytes) -> Script:
    """Each connection gives these answers, one a request, then closes."""

    async def script(visit: Visit) -> None:
        for answer in answers:
            await visit.request()
            await visit.say(answer)

    return script


async def forever(visit: Visit) -> None:
    """Answer every request with OK."""
    while True:
        await visit.request()
        await visit.say(OK)
