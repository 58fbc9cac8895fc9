"""A scripted server on loopback: it answers what a test tells it to and keeps what it was sent."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came in; query and headers by name, header names in lower case."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def bearer(self) -> str | None:
        authorization = self.headers.get("authorization")
        return authorization.removeprefix("Bearer ") if authorization is not None else None


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send back. `raw` goes out as it is, in place of JSON; `hang_up` closes without an answer,
    `cut` before the end of one."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    hang_up: bool = False
    cut: bool = False


def refusal(status: int, code: str, **members: Any) -> Answer:
    """The envelope, with the header that keeps openai's retries of 429 and 5xx from waiting."""
    error = {"code": code, "message": f"It is {code}.", "type": "a_type", "request_id": "req_body", **members}
    return Answer({"error": error}, status, {"x-request-id": "req_header", "retry-after-ms": "1"})


class Peer:
    """The server. `on` sets a route's answers: in turn, the last one for ever."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self._scripts: dict[str, list[Answer | Callable[[Received], Answer]]] = defaultdict(list)
        self._lock = threading.Lock()
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # else head and body are two packets, and Nagle waits 40 ms between them

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (ConnectionError, TimeoutError):
                    self.close_connection = True

            def answer(self) -> None:
                url = urlsplit(self.path)
                length = int(self.headers.get("content-length", 0))
                received = Received(
                    self.command,
                    url.path,
                    parse_qs(url.query),
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(length),
                )
                self.reply(peer.take(received))

            do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815

            def reply(self, answer: Answer) -> None:
                if answer.hang_up:
                    self.close_connection = True
                    return
                empty = answer.status == 204
                payload = answer.raw if answer.raw is not None else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                headers = {"content-type": "application/json", **answer.headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                if not empty:
                    self.send_header("content-length", str(len(payload) + answer.cut))
                self.end_headers()
                if not empty:
                    self.wfile.write(payload)
                self.close_connection |= answer.cut

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def on(self, route: str, *answers: Answer | Callable[[Received], Answer]) -> None:
        self._scripts[route] = list(answers)

    def hold(self, route: str) -> Callable[[], None]:
        """Answer nothing on that route until what this gives is called; then the connection is closed."""
        released = threading.Event()

        def wait(received: Received) -> Answer:
            released.wait()
            return Answer(hang_up=True)

        self.on(route, wait)
        return released.set

    def take(self, received: Received) -> Answer:
        with self._lock:
            self.received.append(received)
            script = self._scripts[f"{received.method} {received.path}"]
            step = Answer({"detail": "unscripted"}, 418) if not script else script[0]
            if len(script) > 1:
                del script[0]
        return step(received) if callable(step) else step

    def requests(self, route: str) -> list[Received]:
        with self._lock:
            return [r for r in self.received if f"{r.method} {r.path}" == route]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
