"""A webhook receiver in the test's own process. How it behaves is said by the path that it is called at.

/ok…          takes every delivery            /status/NNN    answers with that status
/hang         says nothing at all             /drip          says its answer a byte at a time, for ever
/close        hangs up without a word         /redirect      sends on to the metadata address
/garbage      is no HTTP server               /endless       answers 200 with a body without an end
/signed       takes what is signed with `secret`, as the documentation's receiver does; else 401
/retry-after  answers 503 and asks for an hour
"""

from __future__ import annotations

import http.server
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from innoai import webhooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

METADATA = "http://169.254.169.254/latest/meta-data/"
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came. `headers` have names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event_id(self) -> str:
        return self.headers["webhook-id"]


class Receiver:
    """Listens on a port of the loopback interface, and remembers what came."""

    def __init__(self) -> None:
        self.secret = ""
        self._received: dict[str, list[Received]] = defaultdict(list)
        self._news = threading.Condition()
        self.open = threading.Event()
        self.over = threading.Event()
        """Lets those go that hang or drip."""
        handler = type("Handler", (_Handler,), {"receiver": self})
        self._server = _Server(("127.0.0.1", 0), handler)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def at(self, path: str) -> list[Received]:
        """What came at a path so far."""
        with self._news:
            return list(self._received[path])

    def wait_for(self, path: str, enough: Callable[[list[Received]], bool]) -> list[Received]:
        """What came at a path, as soon as that is enough."""
        with self._news:
            assert self._news.wait_for(lambda: enough(self._received[path]), PATIENCE), self._received[path]
            return list(self._received[path])

    def take(self, received: Received) -> None:
        with self._news:
            self._received[received.path].append(received)
            self._news.notify_all()

    @contextmanager
    def running(self) -> Iterator[Receiver]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self.open.set()
            self.over.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


class _Handler(http.server.BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        received = Received(self.path, headers, body)
        self.receiver.take(received)
        kind, _, rest = self.path.strip("/").partition("/")
        self.close_connection = True
        try:
            self._answer(kind, rest, received)
        except OSError:
            # It had enough of this.
            return

    def _answer(self, kind: str, rest: str, received: Received) -> None:
        match kind:
            case "hang":
                self.receiver.over.wait()
            case "gated":
                self.receiver.open.wait()
                self._say(200)
            case "drip":
                self._drip()
            case "close":
                pass
            case "garbage":
                self.wfile.write(b"\x00\x01 no HTTP at all\r\n\r\n")
            case "redirect":
                self._say(302, location=METADATA)
            case "retry-after":
                self._say(503, retry_after="3600")
            case "endless":
                self.send_response(200)
                self.end_headers()
                while not self.receiver.over.is_set():
                    self.wfile.write(b"x" * 65_536)
            case "signed":
                good = webhooks.verify(
                    received.body, received.headers["x-innoai-signature"], self.receiver.secret
                )
                self._say(200 if good else 401)
            case _:
                self._say(int(rest) if kind == "status" else 200)

    def _drip(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nx-drip: ")
        while not self.receiver.over.is_set():
            self.wfile.write(b"a")
            time.sleep(0.05)

    def _say(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(b"so be it")

    def log_message(self, *_: Any) -> None:
        """Say nothing on stderr."""
