"""The keeper of tokens by itself: when it fetches, what it asks for, and that only one caller does."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx2
import openai
import pytest

from innoai.sdk.errors import InvalidApiKey, ServiceUnavailable, TokenExpired
from innoai.sdk.models.auth import Token
from innoai.sdk.tokens import AsyncTokenKeeper, Grant, TokenKeeper
from tests.sdk.samples import tokens

if TYPE_CHECKING:
    from collections.abc import Callable

GRANT = Grant("sk-inno-key", "customer-123", None, 3600)
CALLERS = 8


def status(kind: type[openai.APIStatusError], code: int) -> openai.APIStatusError:
    response = httpx2.Response(code, request=httpx2.Request("POST", "http://peer.example/v1/auth/refresh"))
    return kind("refused", response=response, body=None)


DEAD = status(TokenExpired, 401)
DOWN = status(ServiceUnavailable, 503)


class Server:
    """Answers minting and refreshing with numbered tokens, or with the exception that is set."""

    def __init__(self, expires_in: int = 3600) -> None:
        self.expires_in = expires_in
        self.asked: list[str] = []
        self.mint_fails: Exception | None = None
        self.refresh_fails: Exception | None = None
        self.now = 1000.0

    def mint(self) -> Token:
        self.asked.append("mint")
        return self._answer(self.mint_fails)

    def refresh(self, refresh_token: str) -> Token:
        self.asked.append(f"refresh {refresh_token}")
        return self._answer(self.refresh_fails)

    def _answer(self, failure: Exception | None) -> Token:
        if failure is not None:
            raise failure
        number = len(self.asked)
        return Token.construct(**tokens(number, self.expires_in, refresh_token=f"r{number}"))

    def clock(self) -> float:
        return self.now


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture(params=["sync", "async"])
def token(request: pytest.FixtureRequest, server: Server) -> Callable[..., str]:
    """`token(other_than=…)` of a sync keeper in one run, of an async one in the other."""
    if request.param == "sync":
        return TokenKeeper(GRANT, mint=server.mint, refresh=server.refresh, clock=server.clock).token

    async def mint() -> Token:
        return server.mint()

    async def refresh(refresh_token: str) -> Token:
        return server.refresh(refresh_token)

    keeper = AsyncTokenKeeper(GRANT, mint=mint, refresh=refresh, clock=server.clock)

    def token(*, other_than: str | None = None) -> str:
        return asyncio.run(keeper.token(other_than=other_than))

    return token


def test_nothing_is_minted_before_a_token_is_needed_and_then_once(
    token: Callable[..., str], server: Server
) -> None:
    assert server.asked == []
    assert token() == token() == "access-1"
    assert server.asked == ["mint"]


@pytest.mark.parametrize(("lifetime", "margin"), [(3600, 60), (86400, 60), (600, 60), (300, 30), (60, 6)])
def test_a_token_is_refreshed_a_margin_before_it_expires(
    token: Callable[..., str], server: Server, lifetime: int, margin: float
) -> None:
    server.expires_in = lifetime
    token()
    server.now += lifetime - margin - 0.5
    assert token() == "access-1"
    server.now += 0.5
    assert token() == "access-2"
    assert server.asked == ["mint", "refresh r1"]


def test_a_rotated_refresh_token_is_the_one_used_next(token: Callable[..., str], server: Server) -> None:
    for _ in range(3):
        token()
        server.now += 3600
    assert server.asked == ["mint", "refresh r1", "refresh r2"]


@pytest.mark.parametrize(
    "dead", [DEAD, status(InvalidApiKey, 401), status(openai.BadRequestError, 400)], ids=str
)
def test_a_dead_refresh_token_makes_it_mint_anew(
    token: Callable[..., str], server: Server, dead: Exception
) -> None:
    token()
    server.now += 3600
    server.refresh_fails = dead
    assert token() == "access-3"
    assert server.asked == ["mint", "refresh r1", "mint"]


def test_a_server_that_is_down_is_not_asked_to_mint_as_well(
    token: Callable[..., str], server: Server
) -> None:
    token()
    server.now += 3600
    server.refresh_fails = DOWN
    with pytest.raises(ServiceUnavailable):
        token()
    assert server.asked == ["mint", "refresh r1"]


def test_a_failed_early_refresh_leaves_the_living_token_in_use(
    token: Callable[..., str], server: Server
) -> None:
    token()
    server.refresh_fails = DOWN
    server.now += 3541
    assert token() == token() == "access-1"
    assert server.asked == ["mint", "refresh r1"], "the second call does not ask again at once"
    server.now += 5
    assert token() == "access-1"
    assert server.asked == ["mint", "refresh r1", "refresh r1"]
    server.now += 54
    with pytest.raises(ServiceUnavailable):
        token()


def test_the_next_call_after_a_failure_tries_again(token: Callable[..., str], server: Server) -> None:
    server.mint_fails = DOWN
    with pytest.raises(ServiceUnavailable):
        token()
    server.mint_fails = None
    assert token() == "access-2"


def test_a_refused_token_is_replaced_once_for_all_who_were_refused(
    token: Callable[..., str], server: Server
) -> None:
    first = token()
    assert token(other_than=first) == token(other_than=first) == token() == "access-2"
    assert server.asked == ["mint", "refresh r1"]


def test_a_refused_token_is_not_kept_in_use_when_its_refresh_fails(
    token: Callable[..., str], server: Server
) -> None:
    first = token()
    server.refresh_fails = DOWN
    with pytest.raises(ServiceUnavailable):
        token(other_than=first)


def test_a_token_without_life_is_used_once_and_does_not_loop(
    token: Callable[..., str], server: Server
) -> None:
    server.expires_in = 0
    assert token() == "access-1"
    assert token() == "access-2"
    assert server.asked == ["mint", "refresh r1"]


class CountingClock:
    """Tells the time, and when so many callers have asked for it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.asked = threading.Semaphore(0)

    def __call__(self) -> float:
        self.asked.release()
        return self._server.now

    def wait_for(self, callers: int) -> None:
        for _ in range(callers):
            assert self.asked.acquire(timeout=5)


@pytest.mark.parametrize("failure", [None, DOWN], ids=["a token", "an error"])
def test_many_threads_share_one_flight_and_its_outcome(server: Server, failure: Exception | None) -> None:
    clock = CountingClock(server)

    def refresh(refresh_token: str) -> Token:
        # One look at the clock by each caller, two more by the one in flight: then all others are waiting.
        clock.wait_for(CALLERS + 2)
        return server.refresh(refresh_token)

    keeper = TokenKeeper(GRANT, mint=server.mint, refresh=refresh, clock=clock)
    keeper()
    server.now += 3600
    server.refresh_fails = failure
    while clock.asked.acquire(blocking=False):
        pass
    with ThreadPoolExecutor(CALLERS) as pool:
        flights = [pool.submit(keeper) for _ in range(CALLERS)]
    outcomes = [flight.exception() or flight.result() for flight in flights]
    assert outcomes == [failure or "access-2"] * CALLERS
    assert server.asked == ["mint", "refresh r1"]


@pytest.mark.parametrize("failure", [None, DOWN], ids=["a token", "an error"])
async def test_many_tasks_share_one_flight_and_its_outcome(server: Server, failure: Exception | None) -> None:
    flying, landing = asyncio.Event(), asyncio.Event()

    async def mint() -> Token:
        flying.set()
        await landing.wait()
        return server.mint()

    async def refresh(_: str) -> Token:
        raise AssertionError

    server.mint_fails = failure
    keeper = AsyncTokenKeeper(GRANT, mint=mint, refresh=refresh, clock=server.clock)
    flights = [asyncio.create_task(keeper()) for _ in range(CALLERS)]
    await flying.wait()
    landing.set()
    assert await asyncio.gather(*flights, return_exceptions=True) == [failure or "access-1"] * CALLERS
    assert server.asked == ["mint"]


async def test_a_cancelled_task_does_not_take_the_others_token_away(server: Server) -> None:
    flying, landing = asyncio.Event(), asyncio.Event()

    async def mint() -> Token:
        flying.set()
        await landing.wait()
        return server.mint()

    async def refresh(_: str) -> Token:
        raise AssertionError

    keeper = AsyncTokenKeeper(GRANT, mint=mint, refresh=refresh, clock=server.clock)
    leader, other = asyncio.create_task(keeper()), asyncio.create_task(keeper())
    await flying.wait()
    leader.cancel()
    landing.set()
    assert await other == "access-1"
    assert leader.cancelled()
