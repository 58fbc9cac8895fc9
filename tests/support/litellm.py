"""A LiteLLM proxy in the test's own process, as far as an import asks it: keys by pages, customers and teams.

Its answers are shaped as LiteLLM's own: `/key/list` with `keys`, `total_count`, `current_page` and
`total_pages`, at most 100 keys a page; digests alone without `return_full_object`; 401 for another key.
"""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

MASTER_KEY = "sk-litellm-master"


def digest(secret: str) -> str:
    """How LiteLLM keeps a key."""
    return hashlib.sha256(secret.encode()).hexdigest()


class LiteLLM:
    """What it holds. `old`: it lists digests alone, whatever it is asked. `free`: no customers, no teams."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.customers: list[dict[str, Any]] = []
        self.teams: list[dict[str, Any]] = []
        self.old = False
        self.free = False
        self.asked: list[str] = []
        handler = type("Handler", (_Handler,), {"litellm": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def add_key(self, secret: str, **members: Any) -> str:
        """A key with LiteLLM's defaults; its digest."""
        row: dict[str, Any] = {
            "token": digest(secret),
            "key_name": f"sk-...{secret[-4:]}",
            "key_alias": None,
            "spend": 0.0,
            "max_budget": None,
            "expires": None,
            "models": [],
            "metadata": {},
            "user_id": None,
            "team_id": None,
            "rpm_limit": None,
            "tpm_limit": None,
            "budget_duration": None,
            "blocked": None,
            "allowed_routes": [],
            "litellm_budget_table": None,
        }
        self.keys.append({**row, **members})
        return digest(secret)

    @contextmanager
    def running(self) -> Iterator[LiteLLM]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        """Status and body of a request with the admin key."""
        self.asked.append(path)
        if path == "/key/list":
            return self._page(query)
        if path == "/key/info":
            found = next((key for key in self.keys if key["token"] == query.get("key")), None)
            if found is None:
                return 404, {"error": {"message": "Key not found in database", "code": "404"}}
            return 200, {"key": found["token"], "info": {n: v for n, v in found.items() if n != "token"}}
        if path in ("/customer/list", "/team/list") and not self.free:
            return 200, self.customers if path == "/customer/list" else self.teams
        return 404, {"detail": "Not Found"}

    def _page(self, query: dict[str, str]) -> tuple[int, Any]:
        size, page = int(query.get("size", "10")), int(query.get("page", "1"))
        if not 1 <= size <= 100 or page < 1:
            return 422, {"detail": [{"loc": ["query", "size"], "msg": "less than or equal to 100"}]}
        shown: list[Any] = self.keys[(page - 1) * size : page * size]
        if self.old or query.get("return_full_object") != "true":
            shown = [key["token"] for key in shown]
        return 200, {
            "keys": shown,
            "total_count": len(self.keys),
            "current_page": page,
            "total_pages": -(-len(self.keys) // size),
        }


class _Handler(BaseHTTPRequestHandler):
    litellm: LiteLLM

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if self.headers.get("authorization") == f"Bearer {MASTER_KEY}":
            status, body = self.litellm.answer(parts.path, dict(parse_qsl(parts.query)))
        else:
            status, body = (
                401,
                {"error": {"message": "Authentication Error", "type": "auth_error", "code": "401"}},
            )
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing on stderr."""
