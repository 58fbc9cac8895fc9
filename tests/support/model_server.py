"""A model server with OpenAI's API, to stand behind the gateway: `python -m tests.support.model_server`.

It answers chat completions, completions, embeddings, responses and transcriptions in their own shapes,
and anything else with a plain JSON object. It remembers every request, byte for byte, under the value of
its `x-marker` header, and what it sent in return.

How it misbehaves is said by the request itself: `x-behave` holds a Behaviour as JSON, `x-behave-NAME` one
for the base URL that ends in /NAME/v1 alone.

    GET  /control/requests?marker=M   what came with that marker
    GET  /control/begun?marker=M      answers once a request with that marker has come
    GET  /control/ended?marker=M      answers once no request with that marker is under way
    GET  /control/release?marker=M    lets those answer that hold still
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, urlsplit

import httptools
import msgspec

from tests.support import model_answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to answer. Without any member: at once, correctly, with five deltas.

    `events` deltas, null for no end of them, `pace` seconds apart, each cut into pieces of `slice` bytes.
    `hold`: what waits for a release, the head or the events after the first. `die_after`: how many events
    of a stream, or bytes of another body, come before the connection is closed.
    """

    status: int = 200
    headers: dict[str, str] = {}
    events: int | None = 5
    pace: float = 0.0
    slice: int | None = None
    hold: Literal["head", "events"] | None = None
    close: bool = False
    close_if_reused: bool = False
    die_after: int | None = None
    garbage: bool = False


class Record(msgspec.Struct):
    """A request that came, and what became of it."""

    marker: str
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: str
    connection: int
    sent: str = ""
    usage: dict[str, Any] | None = None
    outcome: Literal["under way", "complete", "broken off", "client gone"] = "under way"


class ModelServer:
    """What all connections share: the records, and who waits for what."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.released: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._news = asyncio.Condition()
        self._connections = itertools.count(1)

    def connect(self) -> Connection:
        return Connection(self, next(self._connections))

    async def tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def control(self, path: str, marker: str) -> bytes:
        match path.removeprefix("/control/"):
            case "begun":
                await self._until(lambda: bool(self._with(marker)))
            case "ended":
                await self._until(lambda: all(record.outcome != "under way" for record in self._with(marker)))
            case "release":
                self.released[marker].set()
        return msgspec.json.encode(self._with(marker))

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with self._news:
            await self._news.wait_for(holds)

    def _with(self, marker: str) -> list[Record]:
        return [record for record in self.records if record.marker == marker]


class Connection(asyncio.Protocol):
    """One connection of the gateway, which asks one thing at a time."""

    def __init__(self, server: ModelServer, number: int) -> None:
        self._server = server
        self._number = number
        self._answered = 0
        self._parser = httptools.HttpRequestParser(self)
        self._writable = asyncio.Event()
        self._writable.set()
        self._task: asyncio.Task[None] | None = None
        self._record: Record | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._record is not None and self._record.outcome == "under way":
            self._record.outcome = "client gone"
        if self._task is not None and not self._task.done():
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._url, self._body = b"", bytearray()
        self._headers: list[tuple[str, str]] = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        target = self._url.decode("latin-1")
        if target.startswith("/control/"):
            self._task = asyncio.create_task(self._control(target))
            return
        record = self._record = Record(
            dict(self._headers).get("x-marker", ""),
            self._parser.get_method().decode(),
            target,
            self._headers,
            self._body.decode("latin-1"),
            self._number,
        )
        self._server.records.append(record)
        self._task = asyncio.create_task(self._answer(record, bytes(self._body)))

    async def _control(self, target: str) -> None:
        parts = urlsplit(target)
        marker = parse_qs(parts.query)["marker"][0]
        content = await self._server.control(parts.path, marker)
        self._write_whole(200, {"content-type": "application/json"}, content)

    async def _answer(self, record: Record, body: bytes) -> None:
        try:
            await self._server.tell()
            await self._behave(record, body, _behaviour(record))
            self._answered += 1
        finally:
            await asyncio.shield(self._server.tell())

    async def _behave(self, record: Record, body: bytes, behaviour: Behaviour) -> None:
        if behaviour.hold == "head":
            await self._server.released[record.marker].wait()
        headers = {"content-type": "application/json"} | behaviour.headers
        if behaviour.close or (behaviour.close_if_reused and self._answered):
            self._break_off(record)
        elif behaviour.garbage:
            self._transport.write(b"220 this is no HTTP\r\n")
            self._break_off(record)
        elif behaviour.status >= 400:
            self._write_whole(behaviour.status, headers, model_answers.ERROR)
            record.outcome = "complete"
        else:
            await self._serve(record, body, behaviour, headers)

    async def _serve(
        self, record: Record, body: bytes, behaviour: Behaviour, headers: dict[str, str]
    ) -> None:
        asked = _json(body)
        path = urlsplit(record.target).path.partition("/v1")[2]
        if asked.get("stream") is True:
            await self._stream(record, behaviour, model_answers.events(path, asked, behaviour.events))
            return
        answer, record.usage = model_answers.whole(path, asked, behaviour.events or 0)
        content = json.dumps(answer).encode()
        if behaviour.die_after is not None:
            self._write_head(behaviour.status, headers | {"content-length": str(len(content))})
            self._transport.write(content[: behaviour.die_after])
            self._break_off(record)
            return
        record.sent = content.decode()
        record.outcome = "complete"
        self._write_whole(behaviour.status, headers, content)

    async def _stream(
        self, record: Record, behaviour: Behaviour, events: Iterator[model_answers.Event]
    ) -> None:
        headers = {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"}
        self._write_head(behaviour.status, headers | behaviour.headers)
        for number, (event, usage) in enumerate(events):
            if number == behaviour.die_after:
                self._break_off(record)
                return
            if number == 1 and behaviour.hold == "events":
                await self._server.released[record.marker].wait()
            record.usage = usage or record.usage
            record.sent += event.decode()
            for start in range(0, len(event), behaviour.slice or len(event)):
                piece = event[start : start + (behaviour.slice or len(event))]
                self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await self._writable.wait()
                await asyncio.sleep(behaviour.pace)
        record.outcome = "complete"
        self._transport.write(b"0\r\n\r\n")

    def _break_off(self, record: Record) -> None:
        """Close once what was written has gone out; a caller that expects more sees that it was cut."""
        record.outcome = "broken off"
        self._transport.close()

    def _write_whole(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self._write_head(status, headers | {"content-length": str(len(content))})
        self._transport.write(content)

    def _write_head(self, status: int, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in headers.items())]
        self._transport.write("".join(line + "\r\n" for line in (*lines, "")).encode("latin-1"))


def _behaviour(record: Record) -> Behaviour:
    headers = dict(record.headers)
    name = record.target.split("/")[1]
    told = headers.get(f"x-behave-{name}", headers.get("x-behave", "{}"))
    return msgspec.json.decode(told, type=Behaviour)


def _json(body: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        asked = json.loads(body)
        if isinstance(asked, dict):
            return asked
    return {}


async def main() -> None:
    model_server = ModelServer()
    listener = await asyncio.get_running_loop().create_server(model_server.connect, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    print(json.dumps({"event": "listening", "address": f"http://{host}:{port}"}), file=sys.stderr, flush=True)
    await listener.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
