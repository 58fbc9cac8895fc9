"""A whole gateway in the test's own event loop: real store, real sockets, upstreams that do as told."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, cast

import msgspec
import uvicorn
from uvicorn.server import ServerState

from innoai.config import (
    LimitSettings,
    MeteringSettings,
    Model,
    ServerSettings,
    Settings,
    StoreSettings,
    Upstream,
)
from innoai.gateway.connection import Connection
from innoai.gateway.upstream import Pool
from innoai.metering.spool import Spool
from innoai.server import open_application
from tests.gateway.upstream.peers import Peer, serving
from tests.support.settings import MANY_FAILURES, SHORTCUTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from innoai.gateway.gateway import Gateway
    from innoai.server import Application
    from innoai.store.usage import UsageRecord
    from tests.gateway.upstream.peers import Script

MODEL = "model"
HELLO = json.dumps({"model": MODEL, "messages": []}).encode()
STREAM = json.dumps({"model": MODEL, "messages": [], "stream": True}).encode()
PATIENCE = 10.0
_LENGTH = re.compile(rb"content-length: (\d+)\r\n")


@dataclass(frozen=True, slots=True)
class Installation:
    """A store on disk with its secret, and the first admin key."""

    directory: Path
    key: str


def settings_in(directory: Path, models: Mapping[str, Model], **server: Any) -> Settings:
    """Settings of an installation there."""
    return Settings(
        server=ServerSettings(**{"shortcuts": SHORTCUTS, **server}),
        store=StoreSettings(
            url=f"sqlite:///{directory / 'innoai.db'}", secret_file=str(directory / "innoai.secret")
        ),
        metering=MeteringSettings(spool=str(directory / "spool")),
        # A burst is recorded in the store, which keeps what it compiled for that.
        limits=LimitSettings(failed_auth=MANY_FAILURES),
        models=dict(models),
    )


class Ledger(Spool):
    """A spool that also shows what was appended."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, lambda: "use_1")
        self.records: list[UsageRecord] = []
        self._news = asyncio.Event()

    def append(self, record: UsageRecord) -> bool:
        self.records.append(record)
        self._news.set()
        return super().append(record)

    async def record(self) -> UsageRecord:
        """The first record, once it is there, and the only one."""
        await self._news.wait()
        (record,) = self.records
        return record


@dataclass
class House:
    """A gateway that listens, and what can be seen of it from within."""

    application: Application
    gateway: Gateway
    ledger: Ledger
    key: str
    port: int = 0
    connections: list[Connection] = field(default_factory=list)

    @property
    def pools(self) -> list[Pool]:
        return [transport for transport in self.gateway.models.transports if isinstance(transport, Pool)]

    def post(
        self, body: bytes = HELLO, *lines: str, key: str | None = None, path: str = "/v1/chat/completions"
    ) -> bytes:
        """A request for a chat completion."""
        fixed = ["Host: x", f"Authorization: Bearer {key or self.key}"]
        head = [f"POST {path} HTTP/1.1", *fixed, *lines, f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(head).encode() + body

    @asynccontextmanager
    async def caller(self) -> AsyncIterator[Caller]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Caller(reader, writer)
        finally:
            writer.close()

    async def ask(self, request: bytes | None = None) -> Answer:
        """One request on a connection of its own."""
        async with self.caller() as caller:
            return await caller.ask(self.post() if request is None else request)

    async def quiet(self) -> None:
        """Wait until no upstream connection is at work or being made."""
        await self.until(lambda: not any(pool.connecting or pool.open != pool.idle for pool in self.pools))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Let the loop run until something holds."""
        async with asyncio.timeout(PATIENCE):
            while not holds():
                await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    head: bytes
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of a refusal."""
        code: str = self.json()["error"]["code"]
        return code


@dataclass(frozen=True, slots=True)
class Caller:
    """A client's connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> Self:
        self.writer.write(data)
        await self.writer.drain()
        return self

    async def head(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def answer(self) -> Answer:
        """The next answer, whichever way it is framed; without a framing, until the close."""
        head = await self.head()
        status = int(head.split()[1])
        length = _LENGTH.search(head)
        async with asyncio.timeout(PATIENCE):
            if length is not None:
                return Answer(status, head, await self.reader.readexactly(int(length[1])))
            if b"transfer-encoding: chunked\r\n" in head:
                return Answer(status, head, await self._chunks())
            return Answer(status, head, b"" if status == 204 else await self.reader.read())

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readline()
        return body

    async def ask(self, request: bytes) -> Answer:
        return await (await self.send(request)).answer()

    async def closed(self) -> bytes:
        """What comes until the gateway closes."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.reader.read()
        except ConnectionResetError:
            return b""

    def stop_reading(self) -> None:
        self._transport.pause_reading()

    def read_on(self) -> None:
        self._transport.resume_reading()

    def abort(self) -> None:
        self._transport.abort()

    @property
    def _transport(self) -> asyncio.Transport:
        return cast("asyncio.Transport", self.writer.transport)


@asynccontextmanager
async def open_house(installed: Installation, *upstreams: Upstream, **server: Any) -> AsyncIterator[House]:
    """A gateway whose one model is served by these upstreams."""
    settings = settings_in(installed.directory, {MODEL: Model(upstreams)}, **server)
    async with open_application(settings) as application:
        ledger = Ledger(installed.directory / "ledger")
        gateway = dataclasses.replace(application.gateway, spool=ledger)
        house = House(application, gateway, ledger, installed.key)
        listener = await asyncio.get_running_loop().create_server(_factory(house), "127.0.0.1", 0)
        house.port = listener.sockets[0].getsockname()[1]
        try:
            yield house
        finally:
            listener.close()
            for connection in house.connections:
                connection.transport.abort()
            await listener.wait_closed()
            ledger.close()


def _factory(house: House) -> Callable[[], Connection]:
    """Makes connections as the server does."""
    config = uvicorn.Config(
        house.application.control_plane, lifespan="off", proxy_headers=False, log_config=None, ws="none"
    )
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"Tue, 24 Nov 2026 00:00:00 GMT")]
    served = type("ServedConnection", (Connection,), {"gateway": house.gateway})

    def make() -> Connection:
        connection: Connection = served(config=config, server_state=state, app_state={})
        house.connections.append(connection)
        return connection

    return make


@asynccontextmanager
async def house_before(
    installed: Installation, *scripts: Script, **server: Any
) -> AsyncIterator[tuple[House, list[Peer]]]:
    """A gateway before upstreams that follow these scripts, asked in this order."""
    async with AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(serving(script)) for script in scripts]
        upstreams = [Upstream(f"http://127.0.0.1:{peer.port}/v1") for peer in peers]
        yield await stack.enter_async_context(open_house(installed, *upstreams, **server)), peers


def said(body: bytes, *lines: bytes, status: bytes = b"200 OK") -> bytes:
    """A model server's whole answer."""
    head = [b"HTTP/1.1 " + status, *lines, b"content-length: %d" % len(body), b"", b""]
    return b"\r\n".join(head) + body


def counted(prompt: int, completion: int, **more: object) -> bytes:
    """A JSON answer with usage."""
    return msgspec.json.encode({**more, "usage": {"prompt_tokens": prompt, "completion_tokens": completion}})
