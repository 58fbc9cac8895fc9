"""kill -9 in the middle of everything: what was acknowledged before is there afterwards, once."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.contract.clients import HELLO, bearer, create_key
from tests.support.store import rows_of
from tests.support.upstream import marked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import Server
    from tests.support.upstream import Upstream

ROUNDS = 3
CALM_SECONDS = 10.0


@dataclass
class Acknowledged:
    """What the server said yes to before it was killed."""

    keys: dict[str, str] = field(default_factory=dict)
    """Secrets by id."""
    revoked_keys: list[str] = field(default_factory=list)
    """Secrets."""
    customers: list[str] = field(default_factory=list)
    revoked_tokens: list[str] = field(default_factory=list)
    completions: dict[str, str] = field(default_factory=dict)
    """Markers by our request ids, of answers that were read to their end."""

    def size(self) -> int:
        writes = (self.keys, self.revoked_keys, self.customers, self.revoked_tokens)
        return len(self.completions) + sum(map(len, writes))


class Load:
    """Workers that write and complete until the server goes away under them."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.acknowledged = Acknowledged()
        self.dead = threading.Event()

    def run_until_killed(self, work: Callable[[httpx.Client], None]) -> None:
        headers = bearer(self._server.admin_key)
        with httpx.Client(base_url=self._server.base_url, headers=headers, timeout=30) as client:
            while not self.dead.is_set():
                try:
                    work(client)
                except httpx.TransportError:
                    return

    def make_keys(self, client: httpx.Client) -> None:
        made = create_key(client)
        self.acknowledged.keys[made["id"]] = made["key"]

    def make_and_revoke_keys(self, client: httpx.Client) -> None:
        made = create_key(client)
        assert client.get("/models", headers=bearer(made["key"])).status_code == 200
        assert client.delete(f"/keys/{made['id']}").status_code == 204
        self.acknowledged.revoked_keys.append(made["key"])

    def make_customers_and_revoke_tokens(self, client: httpx.Client) -> None:
        customer_id = f"customer-{random.randrange(10**12)}"
        pair = client.post("/auth/token", json={"customer_id": customer_id}).raise_for_status().json()
        self.acknowledged.customers.append(customer_id)
        assert client.post("/auth/revoke", json={"token": pair["access_token"]}).status_code == 200
        self.acknowledged.revoked_tokens.append(pair["access_token"])

    def complete(self, client: httpx.Client) -> None:
        marker, headers = marked(events=random.randrange(1, 40))
        answer = client.post("/chat/completions", json=_said(), headers=headers)
        assert answer.status_code == 200
        self.acknowledged.completions[answer.headers["x-request-id"]] = marker

    def stream(self, client: httpx.Client) -> None:
        marker, headers = marked(events=random.randrange(1, 40), pace=0.001)
        with client.stream(
            "POST", "/chat/completions", json={**_said(), "stream": True}, headers=headers
        ) as answer:
            assert answer.status_code == 200
            *_, last = (line for line in answer.iter_lines() if line)
        assert last == "data: [DONE]"
        self.acknowledged.completions[answer.headers["x-request-id"]] = marker


def _said() -> dict[str, Any]:
    return {**HELLO, "messages": [{"role": "user", "content": "word " * random.randrange(1, 50)}]}


@contextlib.contextmanager
def load_on(server: Server) -> Iterator[Load]:
    """A load that is under way within the block, at whose end the server must be dead."""
    load = Load(server)
    works = [
        load.make_keys,
        load.make_and_revoke_keys,
        load.make_customers_and_revoke_tokens,
        load.complete,
        load.complete,
        load.stream,
        load.stream,
        load.stream,
    ]
    with ThreadPoolExecutor(len(works)) as pool:
        workers = [pool.submit(load.run_until_killed, work) for work in works]
        try:
            yield load
        finally:
            load.dead.set()
        for worker in workers:
            worker.result()


def usage_rows(server: Server) -> dict[str, list[tuple[Any, ...]]]:
    query = "SELECT request_id, outcome, status, prompt_tokens, completion_tokens FROM usage_records"
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for request_id, *rest in rows_of(server, query):
        rows.setdefault(request_id, []).append(tuple(rest))
    return rows


def until_shipped(server: Server, request_ids: set[str]) -> dict[str, list[tuple[Any, ...]]]:
    """The usage records once those of the requests are in the store, or when they should have been."""
    deadline = time.monotonic() + CALM_SECONDS
    while True:
        rows = usage_rows(server)
        if request_ids <= set(rows) or time.monotonic() > deadline:
            return rows
        time.sleep(0.05)


@pytest.fixture(scope="module")
def own(new_server: Callable[..., Server], usual_settings: str) -> Server:
    return new_server(usual_settings)


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_a_killed_server_comes_back_with_everything_that_it_acknowledged(
    own: Server, upstream: Upstream, round_number: int
) -> None:
    with load_on(own) as load:
        enough = 150 + 100 * round_number
        deadline = time.monotonic() + 60
        while load.acknowledged.size() < enough:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        own.kill()
    own.start()
    kept = load.acknowledged
    with httpx.Client(base_url=own.base_url, timeout=30) as client:
        for key in kept.keys.values():
            assert client.get("/auth/validate", headers=bearer(key)).status_code == 200
        for credential in (*kept.revoked_keys, *kept.revoked_tokens):
            assert client.get("/auth/validate", headers=bearer(credential)).status_code == 401
        for customer in kept.customers:
            answer = client.get(f"/customers/{customer}", headers=bearer(own.admin_key))
            assert answer.status_code == 200
    _assert_recorded(kept, until_shipped(own, set(kept.completions)), upstream)


def _assert_recorded(kept: Acknowledged, rows: dict[str, list[tuple[Any, ...]]], upstream: Upstream) -> None:
    assert kept.completions
    for request_id, marker in kept.completions.items():
        served = upstream.request(marker).usage
        assert served is not None
        assert rows.get(request_id) == [
            ("complete", 200, served["prompt_tokens"], served["completion_tokens"])
        ]
    assert all(len(records) == 1 for records in rows.values())


def test_a_stopped_server_has_shipped_every_record(own: Server, upstream: Upstream) -> None:
    kept = Acknowledged()
    load = Load(own)
    load.acknowledged = kept
    with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=30) as client:
        for _ in range(10):
            load.complete(client)
            load.stream(client)
    assert own.stop() == 0
    try:
        _assert_recorded(kept, usage_rows(own), upstream)
    finally:
        own.start()


def test_a_stopping_server_finishes_the_streams_under_way(own: Server) -> None:
    _, headers = marked(events=30, pace=0.01)
    with (
        ThreadPoolExecutor(1) as pool,
        httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=30) as client,
        client.stream("POST", "/chat/completions", json={**HELLO, "stream": True}, headers=headers) as answer,
    ):
        lines = answer.iter_lines()
        next(lines)
        stopping = pool.submit(own.stop)
        assert [line for line in lines if line][-1] == "data: [DONE]"
        assert stopping.result() == 0
    try:
        request_id = answer.headers["x-request-id"]
        assert usage_rows(own)[request_id] == [("complete", 200, 2, 30)]
    finally:
        own.start()


@pytest.mark.parametrize("streamed", [False, True])
def test_a_cancelled_request_is_recorded_as_such(own: Server, upstream: Upstream, streamed: bool) -> None:
    marker, headers = marked(**({"events": None, "pace": 0.001} if streamed else {"hold": "head"}))
    before = set(usage_rows(own))
    with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=20) as client:
        if streamed:
            with client.stream(
                "POST", "/chat/completions", json={**HELLO, "stream": True}, headers=headers
            ) as answer:
                next(answer.iter_bytes())
        else:
            impatient = httpx.Timeout(20, read=0.2)
            with pytest.raises(httpx.ReadTimeout):
                client.post("/chat/completions", json=HELLO, headers=headers, timeout=impatient)
    upstream.ended(marker)
    deadline = time.monotonic() + CALM_SECONDS
    while not (new := {key: rows for key, rows in usage_rows(own).items() if key not in before}):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    ((record,),) = new.values()
    assert record[0] == "cancelled"


def test_each_kind_of_request_is_recorded_with_what_the_model_server_counted(own: Server) -> None:
    requests: dict[str, dict[str, Any]] = {
        "/chat/completions": HELLO,
        "/completions": {"model": HELLO["model"], "prompt": "three words here"},
        "/embeddings": {"model": HELLO["model"], "input": ["one", "and two"]},
        "/responses": {"model": HELLO["model"], "input": "four words are here"},
    }
    expected = {}
    with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=20) as client:
        for path, body in requests.items():
            for streamed in (False, True):
                if streamed and path == "/embeddings":
                    continue
                answer = client.post(path, json={**body, "stream": streamed} if streamed else body)
                words = {"/chat/completions": 2, "/completions": 3, "/embeddings": 3, "/responses": 4}[path]
                counted = (words, 0 if path == "/embeddings" else 5)
                expected[answer.headers["x-request-id"]] = [("complete", 200, *counted)]
    rows = until_shipped(own, set(expected))
    assert {request_id: rows.get(request_id) for request_id in expected} == expected


def test_a_record_says_who_asked_for_what(own: Server) -> None:
    with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=20) as client:
        key = create_key(client, "Recorded")
        pair = client.post("/auth/token", json={"customer_id": "acme"}, headers=bearer(key["key"])).json()
        answer = client.post("/chat/completions", json=HELLO, headers=bearer(pair["access_token"]))
        request_id = answer.headers["x-request-id"]
    until_shipped(own, {request_id})
    of_request = "FROM usage_records WHERE request_id = ?"
    who = "key_id, customer_id, route, model, account_id, first_byte_ms, duration_ms"
    ((*told, account_id, first_byte_ms, duration_ms),) = rows_of(
        own, f"SELECT {who} {of_request}", request_id
    )
    assert told == [key["id"], "acme", "/v1/chat/completions", HELLO["model"]]
    assert account_id.startswith("acc_")
    assert 0 < first_byte_ms <= duration_ms
    assert key["key"] not in repr(rows_of(own, f"SELECT * {of_request}", request_id))


def test_a_server_ends_well_though_a_file_of_its_spool_cannot_be_read(own: Server) -> None:
    unreadable = own.directory / "innoai-spool" / "use_.usage"
    unreadable.mkdir()
    with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=20) as client:
        answer = client.post("/chat/completions", json=HELLO)
    assert own.stop() == 0
    try:
        assert answer.headers["x-request-id"] in usage_rows(own)
    finally:
        unreadable.rmdir()
        own.start()
