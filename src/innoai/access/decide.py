"""The one door: facts of a request and a principal in, a Decision that can explain itself out.

Every request passes here, whatever its credential and route. The checks run in the order of RULES
and stop at the first that refuses. Budget and rate come last and are taken by the caller, since taking
changes what is left: `decide(…)`, then `.budgeted(…)` and `.rated(…)`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from msgspec import Struct

from innoai.access.budgets import Quote, Reservation, Shortfall
from innoai.access.limits import RateOutcome
from innoai.access.networks import format_address
from innoai.access.principal import Principal, Unauthenticated
from innoai.access.routes import Route
from innoai.access.scopes import ADMIN_FULL, grants
from innoai.errors import Refusal, refusal

NO_BUDGET = "no budget applies"
_ACCOUNT_ONLY = "This concerns the whole account, which a customer's own credential cannot. Use a key."
_EXPIRED_KEY = "The API key has expired. Create a new key, and rotate keys before they expire."
_ENDED_SESSION = "The session has ended. Sign in again."
_EXPIRED_REFRESH = "The refresh token has expired. Get new tokens from POST /v1/auth/token."

Outcome = Literal["passed", "refused", "not_reached"]


class Request(Struct, frozen=True):
    """What a decision needs of a request.

    `address` is the caller's, as networks.client_address found it; `model` the public model name in
    the body and `model_served` whether this server has it; `target_key` the key id in the path;
    `quote` says what it may cost, and is asked only where a budget applies; `required_scope` is asked for
    beside the route's, by whoever asks on behalf of another service. Nothing is decided by `request_id`: it
    is what the request is called in answers and records.
    """

    route: Route
    address: int | None
    model: str | None = None
    model_served: bool = True
    target_key: str | None = None
    quote: Callable[[Principal], Quote | None] | None = None
    required_scope: str | None = None
    request_id: str | None = None


class Rule(NamedTuple):
    """A check: its name, what refuses, and what to say of it when it passed."""

    name: str
    refuse: Callable[[Principal, Request, float], Refusal | None]
    tell: Callable[[Principal, Request], str]


class Check(NamedTuple):
    """One line of an explanation."""

    name: str
    outcome: Outcome
    detail: str


class Decision(Struct, frozen=True):
    """The answer: `refused_by` names the check that refused, `refusal` says why.

    `reservation` is what was set aside of the budgets, `budget` a sentence on them, `rate` what is left.
    """

    request: Request
    principal: Principal | None
    refused_by: str | None = None
    refusal: Refusal | None = None
    rate: RateOutcome | None = None
    reservation: Reservation | None = None
    budget: str = NO_BUDGET

    @property
    def allowed(self) -> bool:
        """Whether no check refused, so far as they were asked."""
        return self.refusal is None

    def budgeted(self, outcome: Reservation | Shortfall | None, budget: str = NO_BUDGET) -> Decision:
        """This decision after the budgets were asked; None where none applies."""
        if isinstance(outcome, Shortfall):
            return Decision(self.request, self.principal, BUDGET, outcome.refusal())
        return Decision(self.request, self.principal, reservation=outcome, budget=budget)

    def rated(self, rate: RateOutcome) -> Decision:
        """This decision after the rate limit was asked, which is the last check.

        A spent limit keeps no key from ending itself, or who has stolen it could.
        """
        if rate.allowed or (self.principal is not None and _ends_itself(self.principal, self.request)):
            return Decision(
                self.request, self.principal, rate=rate, reservation=self.reservation, budget=self.budget
            )
        refused = refusal("rate_limit_exceeded", retry_after=rate.retry_after)
        return Decision(self.request, self.principal, RATE, refused, rate, budget=self.budget)

    @property
    def checks(self) -> tuple[Check, ...]:
        """All checks in order with their outcomes: what passed, what refused, what was not reached."""
        checks: list[Check] = []
        reached = True
        for name in CHECKS:
            if not reached or (name == RATE and self.rate is None):
                checks.append(Check(name, "not_reached", ""))
            elif name == self.refused_by and self.refusal is not None:
                checks.append(Check(name, "refused", self.refusal.message))
                reached = False
            else:
                checks.append(Check(name, "passed", self._tell(name)))
        return tuple(checks)

    def _tell(self, name: str) -> str:
        if name == RATE:
            return (
                "" if self.rate is None else f"{self.rate.remaining} of {self.rate.limit} a minute are left"
            )
        if name == BUDGET:
            return self.budget
        if name == CREDENTIAL or self.principal is None:
            return "the credential is well-formed"
        return next(rule for rule in RULES if rule.name == name).tell(self.principal, self.request)


def decide(principal: Principal | Unauthenticated, request: Request, now: float) -> Decision:
    """Whether the principal may make the request at `now` (Unix seconds), budgets and rate aside."""
    if isinstance(principal, Unauthenticated):
        return Decision(request, None, principal.check, principal.refusal)
    for name, refuse, _ in RULES:
        refused = refuse(principal, request, now)
        if refused is not None:
            return Decision(request, principal, name, refused)
    return Decision(request, principal)


def _refuse_standing(principal: Principal, _request: Request, now: float) -> Refusal | None:
    key = principal.key
    if key.revoked_at is not None:
        return refusal("invalid_api_key")
    if key.expires_at is not None and key.expires_at <= now:
        return refusal("invalid_api_key", _EXPIRED_KEY if principal.member is None else _ENDED_SESSION)
    if principal.token is not None and principal.token.exp <= now:
        return refusal("token_expired", _EXPIRED_REFRESH if principal.token.token_use == "refresh" else None)
    return None


def _tell_standing(principal: Principal, _request: Request) -> str:
    ends = principal.key.expires_at if principal.token is None else principal.token.exp
    kind = "session" if principal.member is not None else "key" if principal.token is None else "token"
    if ends is None:
        return f"the {kind} is live and does not expire"
    return f"the {kind} is live until {datetime.fromtimestamp(ends, UTC).isoformat(timespec='seconds')}"


def _refuse_tenancy(principal: Principal, _request: Request, _now: float) -> Refusal | None:
    if principal.account.disabled:
        return refusal("invalid_api_key", "The account of this credential is disabled. Ask the operator.")
    if principal.customer is not None and principal.customer.disabled:
        return refusal(
            "invalid_api_key",
            "The customer that this credential acts for is disabled. Enable the customer, or use another.",
        )
    return None


def _tell_tenancy(principal: Principal, _request: Request) -> str:
    if principal.customer is None:
        return "the account is alive"
    return f"the account and customer {principal.customer.customer_id} are alive"


def _refuse_network(principal: Principal, request: Request, _now: float) -> Refusal | None:
    if principal.key.networks.admit(request.address):
        return None
    return refusal("ip_not_allowed")


def _tell_network(principal: Principal, request: Request) -> str:
    if not principal.key.networks.blocks:
        return "any address may use it"
    at = "" if request.address is None else format_address(request.address)
    return f"{at} is within {', '.join(principal.key.networks.texts())}"


def _refuse_scope(principal: Principal, request: Request, _now: float) -> Refusal | None:
    route = request.route
    if route.account_only and principal.customer is not None:
        return refusal("insufficient_permissions", _ACCOUNT_ONLY)
    if route.feature is not None and route.feature not in principal.account.features:
        return refusal(
            "insufficient_permissions",
            f"Tier {principal.account.tier} does not include {route.feature}. Ask the operator for another.",
        )
    if request.required_scope is not None and not grants(principal.scopes, request.required_scope):
        return refusal("insufficient_permissions", required_scope=request.required_scope)
    if route.scope is None or grants(principal.scopes, route.scope):
        return None
    if _ends_itself(principal, request):
        return None
    return refusal("insufficient_permissions", required_scope=route.scope)


def _ends_itself(principal: Principal, request: Request) -> bool:
    """Whether a key asks for its own end, which it always may."""
    return request.route.own_key and principal.token is None and request.target_key == principal.key.id


def _tell_scope(principal: Principal, request: Request) -> str:
    if request.route.scope is None:
        return "the route asks for no scope"
    if request.route.scope in principal.scopes:
        return f"{request.route.scope} is among its scopes"
    if ADMIN_FULL in principal.scopes:
        return f"{ADMIN_FULL} implies {request.route.scope}"
    return "a key may always use this route on itself"


def _refuse_model(principal: Principal, request: Request, _now: float) -> Refusal | None:
    if request.model is None:
        return None
    if principal.key.models is not None and request.model not in principal.key.models:
        return refusal("model_not_allowed", param="model")
    if not request.model_served:
        return refusal("model_not_found", param="model")
    return None


def _tell_model(principal: Principal, request: Request) -> str:
    if request.model is None:
        return "the route names no model"
    if principal.key.models is None:
        return f"every model may be used, {request.model} too"
    return f"{request.model} is among {', '.join(sorted(principal.key.models))}"


CREDENTIAL = "credential"
STANDING = "standing"
TENANCY = "tenancy"
BUDGET = "budget"
RATE = "rate"
RULES: tuple[Rule, ...] = (
    Rule(STANDING, _refuse_standing, _tell_standing),
    Rule(TENANCY, _refuse_tenancy, _tell_tenancy),
    Rule("network", _refuse_network, _tell_network),
    Rule("scope", _refuse_scope, _tell_scope),
    Rule("model", _refuse_model, _tell_model),
)
CHECKS = (CREDENTIAL, *(rule.name for rule in RULES), BUDGET, RATE)
