"""Token auth: who holds the current access token, and when a new one is fetched.

    nothing ──mint──▶ fresh ──margin reached, or refused with 401──▶ due ──refresh──▶ fresh
                                                                      └─ refresh token dead ──mint──▶ fresh

One flight: of all threads (tasks) that find the token due, one fetches and the others wait for its outcome,
be it a token or an error.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import anyio
from openai import APIStatusError

if TYPE_CHECKING:
    from innoai.sdk.models.auth import Token

MAX_MARGIN = 60.0
"""Seconds before expiry at which a token is replaced, at most."""
MARGIN_SHARE = 0.1
"""The same as a share of the lifetime, for short-lived tokens."""
RETRY_PAUSE = 5.0
"""Seconds after a failed early refresh during which the still living token is used."""
REMEMBERED = 32
"""How many past tokens are recognized when the server refuses one of them."""
_DEAD_REFRESH_TOKEN = frozenset({400, 401})

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Grant:
    """What is asked of /auth/token. expires_in: seconds, 60-86,400."""

    api_key: str = field(repr=False)
    customer_id: str | None
    scopes: tuple[str, ...] | None
    expires_in: int


@dataclass(frozen=True, slots=True)
class Held:
    """The current pair; renew_at and expires_at on the keeper's clock."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    renew_at: float
    expires_at: float

    @classmethod
    def since(cls, started: float, token: Token) -> Held:
        """The pair that a request sent at `started` brought; its life is counted from there, to be safe."""
        expires_at = started + token.expires_in
        margin = min(MAX_MARGIN, MARGIN_SHARE * token.expires_in)
        return cls(token.access_token, token.refresh_token, expires_at - margin, expires_at)


class _Keeper:
    """What the sync and the async keeper share: the state, changed only by the one in flight."""

    def __init__(self, grant: Grant, clock: Clock) -> None:
        self.grant = grant
        self._clock = clock
        self._held: Held | None = None
        self._issued: tuple[str, ...] = ()
        self._failures = 0
        self._failure: Exception | None = None

    def issued(self, token: str | None) -> bool:
        """Whether this keeper handed that token out."""
        return token in self._issued

    def _fresh(self, other_than: str | None) -> str | None:
        held = self._held
        if held is None or held.access_token == other_than or self._clock() >= held.renew_at:
            return None
        return held.access_token

    def _landed(self, started: float, token: Token) -> str:
        self._held = Held.since(started, token)
        self._issued = (*self._issued, token.access_token)[-REMEMBERED:]
        self._failure = None
        return token.access_token

    def _living(self, other_than: str | None) -> str | None:
        """The token whose early refresh just failed, while it lives; the next attempt is put off a little."""
        held, now = self._held, self._clock()
        if held is None or held.access_token == other_than or now >= held.expires_at:
            return None
        self._held = replace(held, renew_at=min(now + RETRY_PAUSE, held.expires_at))
        return held.access_token

    def _remember(self, failure: Exception) -> None:
        self._failures += 1
        self._failure = failure

    def _shared_failure(self, seen: int) -> Exception | None:
        """The error of the flight that this caller waited for."""
        return self._failure if self._failures != seen else None


class TokenKeeper(_Keeper):
    """Calling it gives an access token that is good now. Safe to share between threads."""

    def __init__(
        self,
        grant: Grant,
        *,
        mint: Callable[[], Token],
        refresh: Callable[[str], Token],
        clock: Clock = time.monotonic,
    ) -> None:
        super().__init__(grant, clock)
        self._mint = mint
        self._refresh = refresh
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """`token()`, as openai asks its `api_key` callable."""
        return self.token()

    def token(self, *, other_than: str | None = None) -> str:
        """A good token, and not `other_than`, which the server refused. Raises what minting raises."""
        seen = self._failures
        if fresh := self._fresh(other_than):
            return fresh
        with self._lock:
            if fresh := self._fresh(other_than):
                return fresh
            if failure := self._shared_failure(seen):
                raise failure
            started = self._clock()
            try:
                return self._landed(started, self._fetch())
            except Exception as failure:
                if living := self._living(other_than):
                    return living
                self._remember(failure)
                raise

    def _fetch(self) -> Token:
        if self._held is None:
            return self._mint()
        try:
            return self._refresh(self._held.refresh_token)
        except APIStatusError as refusal:
            if refusal.status_code not in _DEAD_REFRESH_TOKEN:
                raise
        return self._mint()


class AsyncTokenKeeper(_Keeper):
    """Awaiting a call of it gives an access token that is good now. Tasks of one loop may share it."""

    def __init__(
        self,
        grant: Grant,
        *,
        mint: Callable[[], Awaitable[Token]],
        refresh: Callable[[str], Awaitable[Token]],
        clock: Clock = time.monotonic,
    ) -> None:
        super().__init__(grant, clock)
        self._mint = mint
        self._refresh = refresh
        self._lock = anyio.Lock()

    async def __call__(self) -> str:
        """`token()`, as openai asks its `api_key` callable."""
        return await self.token()

    async def token(self, *, other_than: str | None = None) -> str:
        """A good token, and not `other_than`, which the server refused. Raises what minting raises."""
        seen = self._failures
        if fresh := self._fresh(other_than):
            return fresh
        async with self._lock:
            if fresh := self._fresh(other_than):
                return fresh
            if failure := self._shared_failure(seen):
                raise failure
            started = self._clock()
            try:
                return self._landed(started, await self._fetch())
            except Exception as failure:
                if living := self._living(other_than):
                    return living
                self._remember(failure)
                raise

    async def _fetch(self) -> Token:
        if self._held is None:
            return await self._mint()
        try:
            return await self._refresh(self._held.refresh_token)
        except APIStatusError as refusal:
            if refusal.status_code not in _DEAD_REFRESH_TOKEN:
                raise
        return await self._mint()
