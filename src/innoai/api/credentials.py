"""/v1/auth: a credential is revoked, introspected, or explained in what it may do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from litestar import Response, post
from msgspec import Meta

from innoai.access.budgets import Quote
from innoai.access.decide import STANDING, TENANCY
from innoai.access.decide import Request as AccessRequest
from innoai.access.networks import ADDRESS_PATTERN, parse_address
from innoai.access.principal import Principal, Unauthenticated
from innoai.access.routes import INFERENCE_POSTS, match, route_for
from innoai.access.scopes import in_order
from innoai.access.tokens import TokenUse
from innoai.api import revocations, rotation
from innoai.api.actors import actor_of, holder
from innoai.api.admission import (
    CREDENTIAL_IN_BODY,
    Caller,
    Inside,
    access_request,
    header_credential,
)
from innoai.api.services import Services
from innoai.api.wire import JsonRequest, answer, read_body
from innoai.auth.shapes import Credential
from innoai.door import Admission, admission
from innoai.errors import InnoError, refusal
from innoai.events import journal
from innoai.store import accounts, api_keys, tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.access.routes import Route
    from innoai.events.journal import Actor

Address = Annotated[
    str,
    Meta(max_length=64, description="the caller's address", extra_json_schema={"pattern": ADDRESS_PATTERN}),
]


_BY_HOLDER = "revoked by its holder"
_KEY_ID = re.compile(r"key_[0-9A-Za-z]{22}", re.ASCII)


class TokenBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token, or an API key, to be revoked or introspected."""

    token: Credential
    token_type_hint: Annotated[str, Meta(max_length=64)] | None = None


class Introspection(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 7662 §2.2; everything but `active` is left out of an inactive token's answer."""

    active: bool
    scope: str | None = None
    client_id: str | None = None
    sub: str | None = None
    customer_id: str | None = None
    token_type: Literal["Bearer", "api_key"] | None = None
    token_use: TokenUse | None = None
    aud: str | None = None
    iss: str | None = None
    iat: int | None = None
    exp: int | None = None
    jti: str | None = None


class ExplainRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request to decide about without making it. `key` is a key's id, a key itself or a token."""

    key: Credential
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: Annotated[
        str,
        Meta(min_length=1, max_length=2048, pattern="^/", extra={"expected": "a path that begins with /"}),
    ]
    ip: Address | None = None
    model: Annotated[str, Meta(max_length=200)] | None = None


class ExplainedCheck(msgspec.Struct, frozen=True):
    """One check of a decision, in the order in which they are made."""

    name: str
    outcome: Literal["passed", "refused", "not_reached"]
    detail: str


class Explanation(msgspec.Struct, frozen=True):
    """A decision with its reasons; `code` and `message` are null when it allows."""

    allowed: bool
    code: str | None
    message: str | None
    checks: list[ExplainedCheck]


class Nothing(msgspec.Struct, frozen=True):
    """An answer that says only that it was done."""


@post("/v1/auth/revoke", opt=CREDENTIAL_IN_BODY, status_code=200)
async def revoke_token(request: JsonRequest, services: Inside) -> Response[bytes]:
    """Revoke a token (RFC 7009) or an API key. Holding it is proof enough; an unknown one is no error.

    A refresh token takes every token of its family with it.
    """
    token = (await read_body(request, TokenBody, form=True)).token
    credential = header_credential(request)
    asked = access_request(request, services, route_for("POST", "/v1/auth/revoke"))
    caller = None
    if credential is not None:
        caller = admission(await services.door.admit(credential, asked))
    principal = await _revocable(services, asked, token, caller)
    if principal is not None:
        actor = holder(request, principal) if caller is None else actor_of(request, caller)
        async with services.database.write() as connection:
            await _revoke(services, connection, principal, actor)
        await services.heed_changes()
    return answer(Nothing())


@post("/v1/auth/introspect", status_code=200)
async def introspect(request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """Say what a token of the caller's account stands for (RFC 7662)."""
    token = (await read_body(request, TokenBody, form=True)).token
    principal = await _holder(services, token)
    asked = AccessRequest(route_for("POST", "/v1/auth/introspect"), None)
    if isinstance(principal, Unauthenticated) or not _may_see(caller.principal, principal):
        return answer(Introspection(active=False))
    decision = await services.door.explain(principal, asked)
    if decision.refused_by in (STANDING, TENANCY):
        return answer(Introspection(active=False))
    return answer(_introspection(principal, services))


@post("/v1/auth/explain", status_code=200)
async def explain(request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """Decide about a request without making it, and say which check passed and which refused."""
    asked = await read_body(request, ExplainRequest)
    route = match(asked.method, asked.path)
    if route is None:
        message = f"No route takes {asked.method} {asked.path}. GET /v1/tiers lists the routes."
        raise InnoError("not_found", message)
    principal = await _named(services, caller.principal, asked.key)
    target = asked.path.rsplit("/", 1)[-1] if route.own_key else None
    served = asked.model is None or asked.model in services.settings.models
    decision = await services.door.explain(
        principal,
        AccessRequest(
            route, _address(asked.ip), asked.model, served, target, quote=_least(services, route, asked.model)
        ),
    )
    return answer(
        Explanation(
            allowed=decision.allowed,
            code=None if decision.refusal is None else decision.refusal.code,
            message=None if decision.refusal is None else decision.refusal.message,
            checks=[ExplainedCheck(*check) for check in decision.checks],
        )
    )


def _least(services: Services, route: Route, model: str | None) -> Callable[[Principal], Quote | None]:
    """What the smallest of such requests costs; without a model's name, something."""

    def quote(principal: Principal) -> Quote | None:
        if route.path not in INFERENCE_POSTS:
            return None
        if model is None:
            return Quote(1, 1)
        tariff = services.tariffs.get(model)
        price = None if tariff is None else tariff.prices.get(principal.account.currency)
        cost = 0 if price is None else price.cost(1, 0, 1)
        return Quote(cost, cost) if cost else None

    return quote


async def _named(services: Services, caller: Principal, key: str) -> Principal | Unauthenticated:
    """Who is meant by a key's id, which names a key without proving anything, or by a credential.

    What the caller may not see is answered as what is not there.
    """
    is_id = _KEY_ID.fullmatch(key) is not None
    named = await services.keyring.key(key) if is_id else await _holder(services, key)
    if named is None or (isinstance(named, Principal) and not _may_see(caller, named)):
        message = "No key has that id." if is_id else None
        return Unauthenticated(STANDING, refusal("invalid_api_key", message))
    return named


async def _holder(services: Services, credential: str) -> Principal | Unauthenticated:
    """Who a key, or a token of either use, stands for."""
    claims = services.keyring.any_claims(credential)
    if claims is not None and claims.token_use == "refresh":
        return await services.keyring.bearer(claims)
    return await services.keyring.resolve(credential)


def _may_see(caller: Principal, other: Principal) -> bool:
    """Whether the other credential belongs to the caller's account, and to its customer if it has one."""
    if caller.account.id != other.account.id:
        return False
    return caller.customer is None or (other.customer is not None and other.customer.id == caller.customer.id)


async def _revocable(
    services: Services, asked: AccessRequest, token: str, caller: Admission | None
) -> Principal | None:
    """Who the token stands for, if there is anything to revoke and the caller may."""
    # Whoever has shown a credential of their own is bounded by its rate.
    turned_away = services.door.turned_away(asked) if caller is None else None
    principal = turned_away or await _holder(services, token)
    if isinstance(principal, Unauthenticated):
        # Guessing is limited here as everywhere, but an unknown token is not an error (RFC 7009 §2.2).
        decision = services.door.preview_principal(principal, asked)
        if decision.refusal is not None and decision.refusal.code == "rate_limit_exceeded":
            admission(decision)
        return None
    if caller is not None and caller.principal.account.id != principal.account.id:
        return None
    # All that came from a revoked key is dead for good. Else whoever finds one could go on writing with it.
    return principal if principal.key.revoked_at is None else None


async def _revoke(
    services: Services, connection: AsyncConnection, principal: Principal, actor: Actor
) -> None:
    now = services.clock()
    account, claims = principal.account, principal.token
    await accounts.lock(connection, account.id)
    if claims is None:
        key = await api_keys.get(connection, principal.key.id, account.id)
        if key is not None:
            await revocations.revoke(connection, key, services.tiers[account.tier], actor, now)
        return
    if claims.token_use == "refresh":
        action, subject = "token.family_revoked", claims.sid
        revoked = await rotation.revoke_family(connection, claims, account.id, reason=_BY_HOLDER, now=now)
    else:
        action, subject = "token.revoked", claims.jti
        revoked = await tokens.revoke(
            connection, claims.jti, account.id, reason=_BY_HOLDER, now=now, expires_at=float(claims.exp)
        )
    if revoked:
        await journal.record(
            connection,
            account.id,
            action,
            actor=actor,
            now=now,
            target_id=subject,
            after={"key_id": claims.client_id, "customer_id": claims.customer_id, "family_id": claims.sid},
        )


def _introspection(principal: Principal, services: Services) -> Introspection:
    claims = principal.token
    if claims is None:
        customer = principal.customer
        return Introspection(
            active=True,
            scope=" ".join(in_order(principal.scopes)),
            client_id=principal.key.id,
            sub=principal.key.id if customer is None else customer.id,
            customer_id=None if customer is None else customer.customer_id,
            token_type="api_key",
            iss=services.settings.tokens.issuer,
            exp=None if principal.key.expires_at is None else int(principal.key.expires_at),
        )
    return Introspection(
        active=True,
        scope=" ".join(in_order(principal.scopes)),
        client_id=claims.client_id,
        sub=claims.sub,
        customer_id=claims.customer_id,
        token_type="Bearer",
        token_use=claims.token_use,
        aud=claims.aud,
        iss=claims.iss,
        iat=claims.iat,
        exp=claims.exp,
        jti=claims.jti,
    )


def _address(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_address(text)
    except ValueError as error:
        raise InnoError("invalid_request", f"ip: {error}. Write one like 203.0.113.7.", param="ip") from None
