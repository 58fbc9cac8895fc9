"""The callers of a soak: those that behave, those that vanish in mid-stream, and those that read slowly."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["plain", "burst", "paced", "large"]
Leave = Literal["reset", "close"]

PLAIN, BURST, PACED = 24, 8, 16
"""Callers at once that wait for each answer's end, by what they ask for."""

RESETTING, CLOSING, SLOW = 6, 6, 4
PATIENCE = 30.0
READ_BEFORE_LEAVING = 3
SLOW_BYTES, SLOW_PAUSE = 16 * 1024, 0.004
SLOW_BUFFER = 8192
AFTER_A_LOSS = 0.05
_ID = re.compile(rb"\r\nx-request-id: (req_\w+)\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n")
_LAST_CHUNK = b"0\r\n\r\n"
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no patience: closing says RST instead of FIN."""


@dataclass
class Book:
    """What the callers have seen: a line for each answer that began, `request_id number status`."""

    lines: TextIO
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    answers: int = 0
    refused: int = 0
    unanswered: list[str] = field(default_factory=list)
    """What went wrong for requests of which not even a head came."""

    def note(self, head: bytes, number: int) -> int:
        """Write down the answer that begins like this; gives its status."""
        named = _ID.search(head)
        status = int(head[9:12])
        if named is None:
            self.unanswered.append(f"an answer without x-request-id: {head[:80]!r}")
        else:
            self.lines.write(f"{named[1].decode()} {number} {status}\n")
        self.answers += 1
        self.refused += status != 200
        return status


class Callers:
    """All of them, at work on one gateway until they are told to stop."""

    def __init__(self, address: tuple[str, int], key: str, book: Book) -> None:
        self._address = address
        self._key = key
        self._book = book
        self._stopping = False

    async def run(self, until: asyncio.Event) -> None:
        """Ask until then; what is under way is read to its end."""
        kinds: dict[Kind, int] = {"plain": PLAIN, "burst": BURST, "paced": PACED}
        steady = [self._stay(kind) for kind, count in kinds.items() for _ in range(count)]
        leaving: dict[Leave, int] = {"reset": RESETTING, "close": CLOSING}
        going = [self._vanish(how) for how, count in leaving.items() for _ in range(count)]
        slow = [self._read_slowly() for _ in range(SLOW)]
        async with asyncio.TaskGroup() as group:
            for work in (*steady, *going, *slow):
                group.create_task(work)
            await until.wait()
            self._stopping = True

    # The three ways to behave.

    async def _stay(self, kind: Kind) -> None:
        """One request after another on a connection that is kept."""
        connection: _Connection | None = None
        while not self._stopping:
            connection = connection or await self._connect()
            number = next(self._book.numbers)
            if not await self._ask(connection, kind, number) or not await connection.rest():
                connection.close()
                connection = None
                await asyncio.sleep(AFTER_A_LOSS)
        if connection is not None:
            connection.close()

    async def _vanish(self, how: Leave) -> None:
        """Leave in the middle of a stream, again and again."""
        while not self._stopping:
            connection = await self._connect()
            if await self._ask(connection, "paced", next(self._book.numbers)):
                for _ in range(READ_BEFORE_LEAVING):
                    await connection.more()
            else:
                await asyncio.sleep(AFTER_A_LOSS)
            connection.close(reset=how == "reset")

    async def _read_slowly(self) -> None:
        """Take a large answer a few bytes at a time."""
        loop = asyncio.get_running_loop()
        while not self._stopping:
            number = next(self._book.numbers)
            with socket.socket() as plain:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER)
                plain.setblocking(False)
                await loop.sock_connect(plain, self._address)
                await loop.sock_sendall(plain, self._request("large", number))
                data = await _received(loop, plain)
                if not data:
                    self._book.unanswered.append(
                        f"large {number}: the connection was closed before any answer"
                    )
                elif self._book.note(data, number) == 200:
                    while data and not data.endswith(_LAST_CHUNK):
                        await asyncio.sleep(SLOW_PAUSE)
                        data = await _received(loop, plain)
            await asyncio.sleep(AFTER_A_LOSS)

    # Asking.

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, *self._address)
        return connection

    async def _ask(self, connection: _Connection, kind: Kind, number: int) -> bool:
        """Send a request and wait for its head; False when there is nothing to read on for."""
        connection.send(self._request(kind, number))
        head = await connection.head()
        if not head:
            self._book.unanswered.append(f"{kind} {number}: the connection was closed before any answer")
            return False
        return self._book.note(head, number) == 200

    def _request(self, kind: Kind, number: int) -> bytes:
        content: dict[str, object] = {
            "model": kind,
            "messages": [],
            "seed": number,
            "stream": kind != "plain",
        }
        body = json.dumps(content).encode()
        host, port = self._address
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}:{port}\r\n"
            f"Authorization: Bearer {self._key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


async def _received(loop: asyncio.AbstractEventLoop, plain: socket.socket) -> bytes:
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE):
            return await loop.sock_recv(plain, SLOW_BYTES)
    return b""


class _Connection(asyncio.Protocol):
    """A caller's connection, with what of the present answer has come."""

    def __init__(self) -> None:
        self._head = b""
        self._tail = b""
        self._missing = -1
        self._is_lost = False
        self._news: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The gateway has taken it."""
        self._transport = cast("asyncio.Transport", transport)
        self._socket: socket.socket = transport.get_extra_info("socket")

    def data_received(self, data: bytes) -> None:
        """A piece of the answer."""
        if not self._head:
            data = self._tail + data
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                self._tail = data
                return
            self._head, data = data[:end], data[end:]
            self._tail = b""
            length = _LENGTH.search(self._head)
            self._missing = -1 if length is None else int(length[1])
        if self._missing >= 0:
            self._missing -= len(data)
        else:
            self._tail = (self._tail + data)[-5:]
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        """The gateway has closed it."""
        self._is_lost = True
        self._tell()

    def send(self, request: bytes) -> None:
        """Ask."""
        self._head = self._tail = b""
        self._missing = -1
        self._transport.write(request)

    async def head(self) -> bytes:
        """The answer's head; empty when the connection was closed before."""
        while not self._head and not self._is_lost:
            await self.more()
        return self._head

    async def rest(self) -> bool:
        """Wait for the answer's end; False when it was cut."""
        while not self._is_whole and not self._is_lost:
            await self.more()
        return self._is_whole and not self._is_lost

    async def more(self) -> None:
        """Wait until something comes, or the connection ends."""
        if self._is_lost or (self._head and self._is_whole):
            return
        self._news = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(PATIENCE):
            await self._news

    def close(self, *, reset: bool = False) -> None:
        """Go away: with FIN, or with RST as a process that is killed may."""
        if reset and not self._is_lost:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()
        else:
            self._transport.close()

    @property
    def _is_whole(self) -> bool:
        return self._missing == 0 or self._tail == _LAST_CHUNK

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
