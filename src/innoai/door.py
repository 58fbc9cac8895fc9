"""The door at the edge: a credential and a request go in, a Decision comes out.

Here the pure rules of `access` meet the keyring and the rate limits. Every request of every route
comes through `admit`, and so does each explanation, which takes nothing from a limit.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from innoai.access.decide import CREDENTIAL, Decision, decide
from innoai.access.networks import site_of
from innoai.access.principal import Unauthenticated
from innoai.envelope import rate_headers
from innoai.errors import InnoError, refusal
from innoai.limiter import MemoryLimiter

if TYPE_CHECKING:
    from collections.abc import Callable

    from innoai.access.decide import Request
    from innoai.access.limits import RateOutcome
    from innoai.access.principal import Principal
    from innoai.keyring.keyring import Keyring
    from innoai.limiter import Limiter

MISSING = Unauthenticated(
    CREDENTIAL,
    refusal("invalid_api_key", "No API key was provided. Send it as: Authorization: Bearer YOUR_API_KEY"),
)


class Admission(NamedTuple):
    """Who was admitted, and what the rate limit leaves."""

    principal: Principal
    rate: RateOutcome


def admission(decision: Decision) -> Admission:
    """The admitted caller.

    Raises:
        InnoError: the decision's refusal, with the rate limit's headers where the limit was asked.
    """
    if decision.refusal is not None:
        raise InnoError.of(decision.refusal, [] if decision.rate is None else rate_headers(decision.rate))
    if decision.principal is None or decision.rate is None:
        raise InnoError("internal_error")
    return Admission(decision.principal, decision.rate)


class Door:
    """Decides about requests, and counts the decisions by code for the metrics."""

    def __init__(
        self,
        keyring: Keyring,
        limiter: Limiter,
        *,
        failed_auth: int,
        clock: Callable[[], float],
        clock_ns: Callable[[], int],
        on_burst: Callable[[int | None, Principal | None], None] | None = None,
    ) -> None:
        self._keyring = keyring
        self._limiter = limiter
        self._failed_auth = failed_auth
        self._clock = clock
        # Kept per process even where limits are shared: it protects this process and the store behind it.
        self._failures = MemoryLimiter(clock_ns)
        # Told of an address that has used up its failures, and of whom the last one named if it is known.
        self._on_burst = on_burst
        self.decisions: Counter[str] = Counter()
        """Decisions by the refusal's code; `allowed` for the others."""

    def digest(self, credential: str | None) -> bytes | None:
        """What `admit_now` may be given beside a credential that is presented again and again."""
        return None if credential is None else self._keyring.digest(credential)

    def admit_now(
        self, credential: str | None, request: Request, seen: bytes | None = None
    ) -> Decision | None:
        """The decision, if memory suffices for it: no await, no task. None when `admit` has to be awaited.

        Raises:
            InnoError: service_unavailable when nothing can be decided.
        """
        principal = MISSING if credential is None else self._keyring.cached(credential, seen)
        if principal is None:
            return None
        now = self._clock()
        decision = decide(principal, request, now)
        if decision.refusal is not None or decision.principal is None:
            return self._refused(decision)
        key = decision.principal.key
        rate = self._limiter.take_now(key.id, key.rate_limit)
        if rate is None:
            return None
        if not rate.allowed:
            return self._concluded(decision.rated(rate), now)
        # What _concluded does for an admitted request, without the call: this is the hot path.
        self.decisions["allowed"] += 1
        self._keyring.note_use(key.id, now)
        return Decision(request, decision.principal, rate=rate)

    async def admit(self, credential: str | None, request: Request) -> Decision:
        """Whether the bearer of the credential may make the request; an admitted one is counted.

        Raises:
            InnoError: service_unavailable when nothing can be decided.
        """
        return await self.admit_principal(await self._authenticate(credential, request), request)

    async def admit_principal(self, principal: Principal | Unauthenticated, request: Request) -> Decision:
        """The same for a credential that was read from elsewhere than the header."""
        now = self._clock()
        decision = decide(principal, request, now)
        if not decision.allowed or decision.principal is None:
            return self._refused(decision)
        key = decision.principal.key
        return self._concluded(decision.rated(await self._limiter.take(key.id, key.rate_limit)), now)

    async def preview(self, credential: str | None, request: Request) -> Decision:
        """The decision without the rate limit, for a request whose large body is yet to be read."""
        decision = decide(await self._authenticate(credential, request), request, self._clock())
        return decision if decision.allowed else self._refused(decision)

    async def explain(self, principal: Principal | Unauthenticated, request: Request) -> Decision:
        """What `admit_principal` would say, without taking from any limit or counting anything."""
        decision = decide(principal, request, self._clock())
        if not decision.allowed or decision.principal is None:
            return decision
        key = decision.principal.key
        return decision.rated(await self._limiter.peek(key.id, key.rate_limit))

    def turned_away(self, request: Request) -> Unauthenticated | None:
        """What an address is told that failed too often, before the store is asked; None for the others."""
        rate = self._failures.peek_now(_bucket(request), self._failed_auth)
        return None if rate.allowed else _too_many_failures(rate)

    def _concluded(self, decision: Decision, now: float) -> Decision:
        if decision.refusal is None and decision.principal is not None:
            self.decisions["allowed"] += 1
            self._keyring.note_use(decision.principal.key.id, now)
        elif decision.refusal is not None:
            self.decisions[decision.refusal.code] += 1
        return decision

    def _refused(self, decision: Decision) -> Decision:
        """The refusal; a failed authentication beyond what the address may have becomes 429."""
        if decision.refusal is not None and decision.refusal.code == "invalid_api_key":
            rate = self._failures.take_now(_bucket(decision.request), self._failed_auth)
            if rate.remaining == 0 and self._on_burst is not None:
                self._on_burst(decision.request.address, decision.principal)
            if not rate.allowed:
                decision = decide(_too_many_failures(rate), decision.request, 0.0)
        return self._concluded(decision, 0.0)

    async def _authenticate(self, credential: str | None, request: Request) -> Principal | Unauthenticated:
        """Who asks. For an address that failed too often, memory is asked but not the store."""
        if credential is None:
            return MISSING
        known = self._keyring.cached(credential)
        if known is not None:
            return known
        return self.turned_away(request) or await self._keyring.resolve(credential)


def _bucket(request: Request) -> str:
    """Whose failures are counted together."""
    return "unknown" if request.address is None else str(site_of(request.address))


def _too_many_failures(rate: RateOutcome) -> Unauthenticated:
    message = "Too many failed authentications from your address. Correct the key and try again later."
    refused = refusal("rate_limit_exceeded", message, retry_after=rate.retry_after)
    return Unauthenticated(CREDENTIAL, refused)
