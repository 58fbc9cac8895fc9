"""The door at the edge: a credential and a request go in, a Decision comes out.

Here the pure rules of `access` meet the keyring and the rate limits. Every request of every route
comes through `admit`, and so does each explanation, which takes nothing from a limit.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from msgspec.structs import replace

from innoai.access.activity import ALLOWED
from innoai.access.budgets import Shortfall
from innoai.access.decide import CREDENTIAL, Decision, decide
from innoai.access.networks import site_of
from innoai.access.principal import Unauthenticated
from innoai.activity.counts import Counts
from innoai.activity.tail import Tail
from innoai.envelope import rate_headers
from innoai.errors import NO_CREDENTIAL, InnoError, refusal
from innoai.limiter import Bucket, MemoryLimiter
from innoai.money import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from innoai.access.budgets import Quote, Reservation
    from innoai.access.decide import Request
    from innoai.access.limits import RateOutcome
    from innoai.access.principal import Principal
    from innoai.keyring.keyring import Keyring
    from innoai.limiter import Limiter
    from innoai.metering.budgets import Budgets

PRINCIPAL_KEY = "innoai.principal"
"""Where a room of this process puts, on the ASGI scope, a Presenter for whom it has authenticated itself.

A server makes the scope of a request anew from bytes, and none of them can become this member of it.
"""

MISSING = Unauthenticated(CREDENTIAL, NO_CREDENTIAL)


class Presenter(Protocol):
    """Says who makes a request; asked again whenever the door is, so that it can change its mind."""

    async def __call__(self) -> Principal | Unauthenticated:
        """The principal as of now."""


class Admission(NamedTuple):
    """Who was admitted, what the rate limit leaves, and what was set aside of budgets."""

    principal: Principal
    rate: RateOutcome
    reservation: Reservation | None = None


def admission(decision: Decision) -> Admission:
    """The admitted caller.

    Raises:
        InnoError: the decision's refusal, with the rate limit's headers where the limit was asked.
    """
    if decision.refusal is not None:
        raise InnoError.of(decision.refusal, [] if decision.rate is None else rate_headers(decision.rate))
    if decision.principal is None or decision.rate is None:
        raise InnoError("internal_error")
    return Admission(decision.principal, decision.rate, decision.reservation)


class Door:
    """Decides about requests, counts the decisions, and tells of them.

    They are counted by code for the metrics, and in `counts` for each key by all that the decision knows;
    the tail hears of refusals, and of all else where somebody watches.
    """

    def __init__(
        self,
        keyring: Keyring,
        limiter: Limiter,
        *,
        failed_auth: int,
        clock: Callable[[], float],
        clock_ns: Callable[[], int],
        budgets: Budgets | None = None,
        on_burst: Callable[[int | None, Principal | None], None] | None = None,
        counts: Counts | None = None,
        tail: Tail | None = None,
    ) -> None:
        self._keyring = keyring
        self._limiter = limiter
        self._budgets = budgets
        self._failed_auth = failed_auth
        self._clock = clock
        # Kept per process even where limits are shared: it protects this process and the store behind it.
        self._failures = MemoryLimiter(clock_ns)
        # Told of an address that has used up its failures, and of whom the last one named if it is known.
        self._on_burst = on_burst
        self.counts = counts or Counts(None, clock)
        self.tail = tail or Tail(clock)
        self.decisions: Counter[str] = Counter()
        """Decisions by the refusal's code; `allowed` for the others."""

    def digest(self, credential: str | None) -> bytes | None:
        """What `admit_now` may be given beside a credential that is presented again and again."""
        return None if credential is None else self._keyring.digest(credential)

    def admit_now(
        self, credential: str | None, request: Request, seen: bytes | None = None
    ) -> Decision | None:
        """The decision, if memory suffices for it: no await, no task. None when `admit` has to be awaited."""
        principal = MISSING if credential is None else self._keyring.cached(credential, seen)
        if principal is None:
            return None
        now = self._clock()
        decision = decide(principal, request, now)
        if decision.refusal is not None or decision.principal is None:
            return self._refused(decision)
        key, customer = decision.principal.key, decision.principal.customer
        if (
            key.budgets
            or decision.principal.account.budgets
            or (customer is not None and customer.is_bounded)
        ):
            return self._admit_bounded_now(decision, decision.principal, now)
        rate = self._limiter.take_now(key.id, key.rate_limit)
        if rate is None:
            return None
        if not rate.allowed:
            return self._concluded(decision.rated(rate), now)
        # What _concluded does for an admitted request, without the call: this is the hot path.
        self.decisions[ALLOWED] += 1
        self._keyring.note_use(key.id, now)
        self.counts.note(decision.principal, request, ALLOWED, now)
        decision = Decision(request, decision.principal, rate=rate)
        if self.tail.is_watched:
            self.tail.decided(decision, now)
        return decision

    async def admit(self, credential: str | None, request: Request) -> Decision:
        """Whether the bearer of the credential may make the request; an admitted one is counted.

        Raises:
            InnoError: service_unavailable when nothing can be decided.
        """
        return await self.admit_presented(partial(self._authenticate, credential, request), request)

    async def admit_presented(self, presenter: Presenter, request: Request) -> Decision:
        """The same for whom a presenter names: by a credential that was read from elsewhere than the header.

        What has to wait, for a budget or for limits that are elsewhere, is decided once more after the wait:
        the credential may have been revoked meanwhile.
        """
        principal = await presenter()
        now = self._clock()
        decision = decide(principal, request, now)
        if decision.refusal is not None or decision.principal is None:
            return self._refused(decision)
        at_once = self._admit_bounded_now(decision, decision.principal, now)
        if at_once is not None:
            return at_once
        waited = await self._waited(decision, decision.principal, now)
        try:
            again = decide(await presenter(), request, self._clock())
        except BaseException:
            self.let_go(waited.reservation)
            raise
        if not again.allowed:
            self.let_go(waited.reservation)
            return self._refused(again)
        return self._concluded(replace(waited, principal=again.principal), self._clock())

    def settle(self, reservation: Reservation, cost: int) -> None:
        """An admitted request is over, and its record says that it costs this much (billionths)."""
        if self._budgets is not None:
            self._budgets.settle(reservation, cost)

    def let_go(self, reservation: Reservation | None) -> None:
        """What was set aside for an admitted request that does not happen after all is free again."""
        if reservation is not None and self._budgets is not None:
            self._budgets.release(reservation)

    async def preview(self, credential: str | None, request: Request) -> Decision:
        """The decision without budget and rate, for a request whose large body is yet to be read."""
        return self.preview_principal(await self._authenticate(credential, request), request)

    def preview_principal(self, principal: Principal | Unauthenticated, request: Request) -> Decision:
        """The same for a credential that was read from elsewhere than the header."""
        decision = decide(principal, request, self._clock())
        return decision if decision.allowed else self._refused(decision)

    async def explain(self, principal: Principal | Unauthenticated, request: Request) -> Decision:
        """What the door would say to the principal, without taking from any limit or counting anything."""
        decision = decide(principal, request, self._clock())
        if not decision.allowed or isinstance(principal, Unauthenticated):
            return decision
        decision = await self._explained_budgets(decision, principal)
        if not decision.allowed:
            return decision
        return decision.rated(await self._limiter.peek(*_buckets(principal)))

    def turned_away(self, request: Request) -> Unauthenticated | None:
        """What an address is told that failed too often, before the store is asked; None for the others."""
        rate = self._failures.peek_now(_bucket(request), self._failed_auth)
        return None if rate.allowed else _too_many_failures(rate)

    def _admit_bounded_now(self, decision: Decision, principal: Principal, now: float) -> Decision | None:
        """The same where budgets or a limit of the customer may apply; None when one has to be awaited."""
        quote = _quote(decision, principal)
        if quote is not None and self._budgets is not None:
            reservation = self._budgets.reserve_now(principal, quote, now)
            if reservation is None:
                return None
            decision = decision.budgeted(reservation)
        rate = self._limiter.take_now(*_buckets(principal))
        if rate is None or not rate.allowed:
            self.let_go(decision.reservation)
        return None if rate is None else self._concluded(decision.rated(rate), now)

    async def _waited(self, decision: Decision, principal: Principal, now: float) -> Decision:
        """The decision after budget and limit were asked, however long that took."""
        quote = _quote(decision, principal)
        if quote is not None and self._budgets is not None:
            decision = decision.budgeted(await self._budgets.reserve(principal, quote, now))
            if not decision.allowed:
                return decision
        try:
            rate = await self._limiter.take(*_buckets(principal))
        except BaseException:
            self.let_go(decision.reservation)
            raise
        if not rate.allowed:
            self.let_go(decision.reservation)
        return decision.rated(rate)

    async def _explained_budgets(self, decision: Decision, principal: Principal) -> Decision:
        if _quote(decision, principal) is None or self._budgets is None:
            return decision
        left = await self._budgets.look(principal, self._clock())
        spent = next((budget for budget, amount in left if amount <= 0), None)
        if spent is not None:
            return decision.budgeted(Shortfall(spent))
        tell = [
            f"{show(amount)} of the {budget.owner}'s {budget.period} {show(budget.amount)}"
            for budget, amount in left
        ]
        return decision.budgeted(None, f"left are {', '.join(tell)} {principal.account.currency}")

    def _concluded(self, decision: Decision, now: float) -> Decision:
        principal = decision.principal
        code = ALLOWED if decision.refusal is None else decision.refusal.code
        self.decisions[code] += 1
        # A member is no key; the dashboard's own requests are no news to those who look at it.
        if principal is not None and principal.member is None:
            if decision.refusal is None:
                self._keyring.note_use(principal.key.id, now)
            self.counts.note(principal, decision.request, code, now)
            if decision.refusal is not None or self.tail.is_watched:
                self.tail.decided(decision, now)
        return decision

    def _refused(self, decision: Decision) -> Decision:
        """The refusal; a failed authentication beyond what the address may have becomes 429."""
        if decision.refusal is not None and decision.refusal.code == "invalid_api_key":
            rate = self._failures.take_now(_bucket(decision.request), self._failed_auth)
            if rate.remaining == 0 and self._on_burst is not None:
                self._on_burst(decision.request.address, decision.principal)
            if not rate.allowed:
                decision = decide(_too_many_failures(rate), decision.request, 0.0)
        return self._concluded(decision, self._clock())

    async def _authenticate(self, credential: str | None, request: Request) -> Principal | Unauthenticated:
        """Who asks. For an address that failed too often, memory is asked but not the store."""
        if credential is None:
            return MISSING
        known = await self._keyring.remembered(credential)
        if known is not None:
            return known
        return self.turned_away(request) or await self._keyring.resolve(credential)


def _quote(decision: Decision, principal: Principal) -> Quote | None:
    """What the request may cost, if a budget applies."""
    if decision.request.quote is None or not principal.budgets:
        return None
    return decision.request.quote(principal)


def _buckets(principal: Principal) -> tuple[str, int, Bucket | None]:
    """The key's bucket, and its customer's where that has a limit of its own."""
    key, customer = principal.key, principal.customer
    if customer is None or customer.rate_limit is None:
        return key.id, key.rate_limit, None
    return key.id, key.rate_limit, Bucket(customer.id, customer.rate_limit)


def _bucket(request: Request) -> str:
    """Whose failures are counted together."""
    return "unknown" if request.address is None else str(site_of(request.address))


def _too_many_failures(rate: RateOutcome) -> Unauthenticated:
    message = "Too many failed authentications from your address. Correct the key and try again later."
    refused = refusal("rate_limit_exceeded", message, retry_after=rate.retry_after)
    return Unauthenticated(CREDENTIAL, refused)
