"""A scripted server on loopback: it records what it is asked, and gives the answers that a test laid out."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUEST_ID = "req_1a2b3c"


@dataclass(frozen=True, slots=True)
class Answer:
    """One canned answer. `body` goes out as JSON, unless it is bytes. One that is `endless` stays open."""

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    endless: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    raw: bytes


class Peer:
    """Listens from `start` to `stop`. A route without an answer gets the envelope of not_found."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.arrived = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._stopping = threading.Event()
        self._answers: dict[tuple[str, str], list[Answer]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    @property
    def last(self) -> Asked:
        return self.asked[-1]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.may_answer.set()
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(
        self, route: str, status: int, body: object = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Lay out the answer of `METHOD /path`, the path without /v1 and query."""
        method, path = route.split(" ", 1)
        self._answers[method, f"/v1{path}"] = [Answer(status, body, headers or {})]

    def answer_in_turn(self, route: str, *answers: Answer) -> None:
        """Lay out several answers of a route; the last one stays."""
        method, path = route.split(" ", 1)
        self._answers[method, f"/v1{path}"] = list(answers)

    def refuse(self, route: str, status: int, code: str, message: str, **members: object) -> None:
        """Lay out a refusal in the contract's envelope."""
        error = {"code": code, "message": message, "type": "t", "request_id": REQUEST_ID, **members}
        self.answer(route, status, {"error": error})

    def _take(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        self.arrived.set()
        self.may_answer.wait()
        missing = Answer(404, {"error": {"code": "not_found", "message": "Nothing.", "type": "t"}})
        answers = self._answers.get((asked.method, asked.path.partition("?")[0]), [missing])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline()
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                text = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = json.loads(text) if text else None
                self._send(peer._take(Asked(self.command, self.path, headers, body, text)))

            def _send(self, answer: Answer) -> None:
                raw = isinstance(answer.body, bytes)
                content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                content = b"" if answer.status == 204 else content
                headers = {
                    "content-type": "text/html" if raw else "application/json",
                    "x-request-id": REQUEST_ID,
                    **({} if answer.endless else {"content-length": str(len(content))}),
                    **answer.headers,
                }
                self.send_response(answer.status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
                if answer.endless:
                    peer._stopping.wait()
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
                """Stay quiet: the tests look at `asked`."""

        return Handler
