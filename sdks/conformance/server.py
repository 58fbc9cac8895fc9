# ruff: noqa: INP001  # a program, not a module of a package
"""The scripted server of the conformance suite; README.md beside it has its protocol.

Standard library only, so that the test runner of any language can start it.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HOST = "127.0.0.1"
IDLE = 120.0
"""Seconds without a request after which the server stops."""
SPLIT_PAUSE = 0.02
"""Seconds between the two writes of a split body."""

JSON = dict[str, Any]
UNSCRIPTED: JSON = {"status": 418, "json": {"detail": "this route has no script"}}
EXPIRED: JSON = {
    "status": 401,
    "json": {
        "error": {
            "code": "token_expired",
            "message": "The access token has expired.",
            "type": "authentication_error",
            "request_id": "req_expired",
        }
    },
}


class Script:
    """What to answer next, and what was seen since the script was set."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.set({})

    def set(self, answers: dict[str, list[JSON]]) -> None:
        """Begin anew with these answers."""
        with self._lock:
            self._answers = {route: list(turns) for route, turns in answers.items()}
            self._seen: list[JSON] = []
            self._began = time.monotonic()

    def take(self, request: JSON) -> JSON:
        """Note the request, and give its route's next answer."""
        with self._lock:
            self._seen.append({**request, "at": time.monotonic() - self._began})
            turns = self._answers.get(f"{request['method']} {request['path']}")
            if not turns:
                return UNSCRIPTED
            answer = turns.pop(0) if len(turns) > 1 else turns[0]
        bearer = request["headers"].get("authorization", "").partition("Bearer ")[2]
        return answer if bearer in answer.get("bearers", [bearer]) else EXPIRED

    def seen(self) -> list[JSON]:
        """The requests in order of arrival."""
        with self._lock:
            return list(self._seen)


class Server(ThreadingHTTPServer):
    """One script on a free port of loopback."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__((HOST, 0), Handler)
        self.script = Script()
        self.last_used = time.monotonic()


class Handler(BaseHTTPRequestHandler):
    """A connection: control routes, and everything else as the script says."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        """As the library's, but a client that goes away is no news."""
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def answer(self) -> None:
        """Read the request and answer it."""
        self.server.last_used = time.monotonic()
        body = self._read_body()
        url = urlsplit(self.path)
        if url.path == "/_control/script" and self.command == "POST":
            self.server.script.set(json.loads(body))
            self._reply({"status": 204})
        elif url.path == "/_control/requests" and self.command == "GET":
            self._reply({"json": {"requests": self.server.script.seen()}})
        else:
            request = {
                "method": self.command,
                "path": url.path,
                "query": url.query,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": base64.b64encode(body).decode(),
            }
            self._reply(self.server.script.take(request))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def _read_body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        pieces = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(pieces)

    def _reply(self, answer: JSON) -> None:
        time.sleep(answer.get("delay", 0))
        cut = answer.get("close")
        self.close_connection |= cut is not None
        if cut == "before":
            return
        status, payload = answer.get("status", 200), _payload(answer)
        self.send_response(status)
        for name, value in {"content-type": "application/json", **answer.get("headers", {})}.items():
            self.send_header(name, value)
        if status == 204:
            self.end_headers()
            return
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        middle = len(payload) // 2 if cut == "within" else answer.get("split", len(payload))
        self.wfile.write(payload[:middle])
        if cut is None and middle < len(payload):
            self.wfile.flush()
            time.sleep(SPLIT_PAUSE)
            self.wfile.write(payload[middle:])


def _payload(answer: JSON) -> bytes:
    if "base64" in answer:
        return base64.b64decode(answer["base64"])
    if "text" in answer:
        return str(answer["text"]).encode()
    return json.dumps(answer["json"]).encode() if "json" in answer else b""


def _stop_when_alone(server: Server, idle: float) -> None:
    while (rest := server.last_used + idle - time.monotonic()) > 0:
        time.sleep(rest)
    server.shutdown()


def _stop_with_stdin(server: Server) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    server.shutdown()


def main() -> None:
    """Serve until stdin closes or nobody asks any more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle", type=float, default=IDLE, help="seconds without a request until it stops")
    idle = parser.parse_args().idle
    server = Server()
    root = f"http://{HOST}:{server.server_port}"
    about = {"port": server.server_port, "base_url": f"{root}/v1", "control_url": f"{root}/_control"}
    print(json.dumps(about), flush=True)
    threading.Thread(target=_stop_when_alone, args=(server, idle), daemon=True).start()
    threading.Thread(target=_stop_with_stdin, args=(server,), daemon=True).start()
    server.serve_forever(poll_interval=0.05)
    server.server_close()


if __name__ == "__main__":
    main()
