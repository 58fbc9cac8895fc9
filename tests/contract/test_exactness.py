"""Limits let through what they say, and a revocation that was answered is in force."""

from __future__ import annotations

import asyncio
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.contract.clients import HELLO, bearer, create_key, mint
from tests.support.envelope import refused
from tests.support.server import MODEL
from tests.support.settings import settings
from tests.support.upstream import marked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.support.server import Server

LIMIT = 20
AT_ONCE = 100
WORKERS = 8


async def at_once(
    server: Server, request: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]
) -> list[httpx.Response]:
    """The answers to AT_ONCE requests, none of which waits for another."""
    connections = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(base_url=server.base_url, limits=connections, timeout=60) as client:
        return await asyncio.gather(*(request(client) for _ in range(AT_ONCE)))


@pytest.mark.parametrize("path", ["/chat/completions", "/auth/validate"])
@pytest.mark.parametrize("with_tokens", [False, True])
async def test_of_a_hundred_requests_at_once_as_many_pass_as_the_limit_says(
    server: Server, admin: httpx.Client, path: str, with_tokens: bool
) -> None:
    key = create_key(admin, rate_limit=LIMIT)["key"]
    started = time.monotonic()
    minted = 4 if with_tokens else 0
    tokens = [mint(admin, key)["access_token"] for _ in range(minted)]
    credentials = itertools.cycle(tokens or [key])
    method, body = ("POST", HELLO) if path == "/chat/completions" else ("GET", None)
    answers = await at_once(
        server, lambda client: client.request(method, path, json=body, headers=bearer(next(credentials)))
    )
    refilled = int((time.monotonic() - started) * LIMIT / 60)
    passed = [answer for answer in answers if answer.status_code == 200]
    assert LIMIT - minted <= len(passed) <= LIMIT - minted + refilled
    for answer in answers:
        assert answer.headers["x-ratelimit-limit-requests"] == str(LIMIT)
        if answer.status_code != 200:
            error = refused(answer, "rate_limit_exceeded")
            assert answer.headers["retry-after"] == str(error["retry_after"])
            assert 1 <= error["retry_after"] <= 60 // LIMIT
            assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    remaining = sorted(int(answer.headers["x-ratelimit-remaining-requests"]) for answer in passed)
    assert len(set(remaining)) >= LIMIT - minted - refilled


def test_the_limit_of_a_key_is_changed_at_once(admin: httpx.Client, anyone: httpx.Client) -> None:
    key = create_key(admin, rate_limit=1)
    headers = bearer(key["key"])
    assert anyone.get("/models", headers=headers).status_code == 200
    assert anyone.get("/models", headers=headers).status_code == 429
    assert admin.patch(f"/keys/{key['id']}", json={"rate_limit": 6000}).status_code == 200
    answer = anyone.get("/models", headers=headers)
    assert answer.headers["x-ratelimit-limit-requests"] == "6000"
    assert int(answer.headers.get("retry-after", "0")) <= 1


def test_explaining_takes_nothing_from_the_limit(admin: httpx.Client, anyone: httpx.Client) -> None:
    key = create_key(admin, rate_limit=1)
    asked = {"key": key["id"], "method": "GET", "path": "/v1/models"}
    for _ in range(5):
        assert admin.post("/auth/explain", json=asked).json()["allowed"] is True
    assert anyone.get("/models", headers=bearer(key["key"])).status_code == 200
    explained = admin.post("/auth/explain", json=asked).json()
    assert (explained["allowed"], explained["code"]) == (False, "rate_limit_exceeded")


@pytest.mark.parametrize("path", ["/models", "/auth/validate", "/auth/token"])
def test_guessing_is_limited_by_address(new_server: Callable[..., Server], path: str) -> None:
    own = new_server(settings({MODEL: [{"base_url": "echo:"}]}, {"limits": {"failed_auth": 5}}))
    method = "POST" if path == "/auth/token" else "GET"
    body: dict[str, Any] | None = {} if path == "/auth/token" else None
    with httpx.Client(base_url=own.base_url) as client:
        guesses = [
            client.request(method, path, json=body, headers=bearer("sk-inno-guess")).status_code
            for _ in range(7)
        ]
        assert guesses[:5] == [401] * 5
        assert 429 in guesses[5:]


# Revocation while requests race with it.


class Traffic:
    """Requests with some credentials, again and again, each noted with its start and its status."""

    def __init__(self, server: Server, credentials: list[str]) -> None:
        self._server = server
        self._credentials = itertools.cycle(credentials)
        self._stopped = False
        self.seen: list[tuple[float, int]] = []

    def drive(self, path: str) -> None:
        with httpx.Client(base_url=self._server.base_url, timeout=30) as client:
            while not self._stopped:
                method, body = ("POST", HELLO) if path == "/chat/completions" else ("GET", None)
                credential = next(self._credentials)
                started = time.monotonic()
                answer = client.request(method, path, json=body, headers=bearer(credential))
                self.seen.append((started, answer.status_code))

    def stop(self) -> None:
        self._stopped = True


@pytest.mark.parametrize("how", ["by its id", "by itself", "as a token"])
def test_no_request_that_started_after_the_revocation_was_answered_is_admitted(
    server: Server, admin: httpx.Client, anyone: httpx.Client, how: str
) -> None:
    key = create_key(admin)
    tokens = [mint(anyone, key["key"], customer_id=f"racer-{number}")["access_token"] for number in range(3)]
    traffic = Traffic(server, [key["key"], *tokens])
    paths = ["/chat/completions", "/models", "/auth/validate", "/models"] * (WORKERS // 4)
    with ThreadPoolExecutor(WORKERS) as pool:
        drivers = [pool.submit(traffic.drive, path) for path in paths]
        _wait_for(lambda: len(traffic.seen) > 100)
        if how == "by its id":
            assert admin.delete(f"/keys/{key['id']}").status_code == 204
        elif how == "by itself":
            assert anyone.delete(f"/keys/{key['id']}", headers=bearer(key["key"])).status_code == 204
        else:
            assert anyone.post("/auth/revoke", json={"token": key["key"]}).status_code == 200
        revoked = time.monotonic()
        enough = len(traffic.seen) + 200
        _wait_for(lambda: len(traffic.seen) > enough)
        traffic.stop()
        for driver in drivers:
            driver.result()
    assert {status for started, status in traffic.seen if started > revoked} == {401}
    assert 200 in {status for started, status in traffic.seen if started < revoked}


def test_a_disabled_customer_is_shut_out_the_moment_that_is_answered(
    server: Server, admin: httpx.Client, anyone: httpx.Client
) -> None:
    pair = mint(anyone, server.admin_key, customer_id="on-and-off")
    for _ in range(20):
        admin.patch("/customers/on-and-off", json={"disabled": True})
        assert anyone.get("/models", headers=bearer(pair["access_token"])).status_code == 401
        admin.patch("/customers/on-and-off", json={"disabled": False})
        assert anyone.get("/models", headers=bearer(pair["access_token"])).status_code == 200


def test_a_stream_that_was_admitted_before_its_key_was_revoked_ends_whole(
    server: Server, admin: httpx.Client
) -> None:
    key = create_key(admin)
    _, headers = marked(events=50, pace=0.002)
    with (
        httpx.Client(base_url=server.base_url, headers=bearer(key["key"])) as client,
        client.stream("POST", "/chat/completions", json={**HELLO, "stream": True}, headers=headers) as answer,
    ):
        lines = answer.iter_lines()
        next(lines)
        assert admin.delete(f"/keys/{key['id']}").status_code == 204
        assert [line for line in lines if line][-1] == "data: [DONE]"


def _wait_for(holds: Callable[[], bool]) -> None:
    """Let the other threads run until it holds."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)
