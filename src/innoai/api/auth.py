"""/v1/auth: tokens are minted, refreshed, validated, revoked, introspected, and refusals explained."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from msgspec import Meta
from sqlalchemy.exc import IntegrityError

from innoai.access import keys as key_format
from innoai.access.decide import STANDING, TENANCY
from innoai.access.decide import Request as AccessRequest
from innoai.access.grants import token_lifetime, token_scopes
from innoai.access.networks import ADDRESS_PATTERN, parse_address
from innoai.access.principal import Principal, Unauthenticated
from innoai.access.routes import match, route_for
from innoai.access.scopes import SCOPES, in_order
from innoai.access.tokens import MAX_LIFETIME, MAX_TOKEN_BYTES, MIN_LIFETIME, TokenUse, mint
from innoai.api import rotation
from innoai.api.admission import (
    CREDENTIAL_IN_BODY,
    Caller,
    Inside,
    access_request,
    header_credential,
)
from innoai.api.customers import customer_or_create
from innoai.api.minting import answer_for, mint_pair
from innoai.api.services import Services
from innoai.api.wire import CustomerId, answer, read_body
from innoai.door import admission
from innoai.errors import InnoError, refusal
from innoai.store import api_keys, tokens

if TYPE_CHECKING:
    from innoai.access.principal import Customer
    from innoai.access.tokens import Claims

JsonRequest = Request[Any, Any, Any]
Scope = Annotated[str, Meta(extra_json_schema={"enum": list(SCOPES)})]
Scopes = Annotated[list[Scope], Meta(min_length=1, max_length=64, description="what it may do")]
Address = Annotated[
    str,
    Meta(max_length=64, description="the caller's address", extra_json_schema={"pattern": ADDRESS_PATTERN}),
]
Credential = Annotated[str, Meta(min_length=1, max_length=MAX_TOKEN_BYTES)]

NO_STORE = {"cache-control": "no-store"}


class TokenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a token is asked for with. The key comes here or in the Authorization header."""

    api_key: Annotated[Credential, Meta(description="the key, where the header has none")] | None = None
    customer_id: CustomerId | None = None
    scopes: Scopes | None = None
    expires_in: Annotated[
        Annotated[int, Meta(ge=MIN_LIFETIME, le=MAX_LIFETIME)] | None,
        Meta(description="seconds for which the access token lives; 3600 if left out"),
    ] = None
    rotate: Annotated[bool, Meta(description="whether each refresh gives a new refresh token")] = False


class RefreshRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A refresh token to get a new access token for."""

    refresh_token: Credential


class TokenBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token, or an API key, to be revoked or introspected."""

    token: Credential
    token_type_hint: Annotated[str, Meta(max_length=64)] | None = None


class Validation(msgspec.Struct, frozen=True):
    """What a live credential stands for; `rate_limit` in requests a minute."""

    valid: bool
    key_id: str
    scopes: tuple[Scope, ...]
    rate_limit: int
    tier: str


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
    path: Annotated[str, Meta(min_length=1, max_length=2048, pattern="^/")]
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


@post("/v1/auth/token", opt=CREDENTIAL_IN_BODY, status_code=200)
async def issue_token(request: JsonRequest, services: Inside) -> Response[bytes]:
    """Mint an access token and a refresh token from an API key, for the account or for one customer."""
    wanted = await read_body(request, TokenRequest)
    caller = await _admit_key(request, services, wanted.api_key)
    customer = await _customer_for(services, caller, wanted.customer_id)
    scopes = token_scopes(caller.key.scopes, wanted.scopes, for_customer=customer is not None)
    lifetime = token_lifetime(wanted.expires_in, services.tiers[caller.account.tier])
    pair = mint_pair(
        services,
        key_id=caller.key.id,
        customer=customer,
        scopes=scopes,
        lifetime=lifetime,
        rotate=wanted.rotate,
    )
    return answer(pair)


@post("/v1/auth/refresh", opt=CREDENTIAL_IN_BODY, status_code=200)
async def refresh_token(request: JsonRequest, services: Inside) -> Response[bytes]:
    """Get a new access token for a refresh token."""
    presented = (await read_body(request, RefreshRequest)).refresh_token
    claims, principal = await _refresh_principal(services, presented)
    asked = access_request(request, services, route_for("POST", "/v1/auth/refresh"))
    admitted = admission(await services.door.admit_principal(principal, asked))
    if claims is None or claims.generation is None:
        return answer(answer_for(services, _known(claims), presented))
    following = await rotation.successor(services, claims, admitted.principal.account.id)
    return answer(answer_for(services, following, mint(following, services.keyring.signing.current)))


@get("/v1/auth/validate")
async def validate(caller: Caller) -> Response[bytes]:
    """Say what the presented credential stands for."""
    principal = caller.principal
    return answer(
        Validation(
            valid=True,
            key_id=principal.key.id,
            scopes=in_order(principal.scopes),
            rate_limit=principal.key.rate_limit,
            tier=principal.account.tier,
        )
    )


@post("/v1/auth/revoke", opt=CREDENTIAL_IN_BODY, status_code=200)
async def revoke_token(request: JsonRequest, services: Inside) -> Response[bytes]:
    """Revoke a token (RFC 7009) or an API key. Holding it is proof enough; an unknown one is no error.

    A refresh token takes every token of its family with it.
    """
    token = (await read_body(request, TokenBody, form=True)).token
    credential = header_credential(request)
    asked = access_request(request, services, route_for("POST", "/v1/auth/revoke"))
    account_id = None
    if credential is not None:
        account_id = admission(await services.door.admit(credential, asked)).principal.account.id
    await _revoke(services, asked, token, account_id)
    return answer(Nothing())


@post("/v1/auth/introspect", status_code=200)
async def introspect(request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """Say what a token of the caller's account stands for (RFC 7662)."""
    token = (await read_body(request, TokenBody, form=True)).token
    principal = await _principal_of(services, token)
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
    principal = await _principal_of(services, asked.key)
    if isinstance(principal, Principal) and not _may_see(caller.principal, principal):
        principal = Unauthenticated(STANDING, refusal("invalid_api_key"))
    target = asked.path.rsplit("/", 1)[-1] if route.own_key else None
    served = asked.model is None or asked.model in services.settings.models
    decision = await services.door.explain(
        principal, AccessRequest(route, _address(asked.ip), asked.model, served, target)
    )
    return answer(
        Explanation(
            allowed=decision.allowed,
            code=None if decision.refusal is None else decision.refusal.code,
            message=None if decision.refusal is None else decision.refusal.message,
            checks=[ExplainedCheck(*check) for check in decision.checks],
        )
    )


async def _admit_key(request: JsonRequest, services: Services, in_body: str | None) -> Principal:
    """The key that asks for a token, from the header or the body; a token mints no tokens."""
    in_header = header_credential(request)
    if in_header is not None and in_body is not None and in_header != in_body:
        # Two credentials are none: which one would count?
        raise InnoError(
            "invalid_api_key",
            "The header and api_key name two different credentials. Send the key in one place.",
            param="api_key",
        )
    asked = access_request(request, services, route_for("POST", "/v1/auth/token"))
    admitted = admission(await services.door.admit(in_header or in_body, asked))
    if admitted.principal.token is not None:
        raise InnoError(
            "insufficient_permissions", "Only an API key mints tokens. Use POST /v1/auth/refresh instead."
        )
    return admitted.principal


async def _customer_for(services: Services, caller: Principal, customer_id: str | None) -> Customer | None:
    """The customer that the token is for; created at first sight unless that is switched off."""
    bound = caller.customer
    if customer_id is None or (bound is not None and bound.customer_id == customer_id):
        return bound
    if bound is not None:
        raise InnoError(
            "insufficient_permissions",
            f"This key is bound to customer {bound.customer_id} and mints tokens for no other.",
        )
    customer = await services.keyring.customer_of(caller.account.id, customer_id)
    if customer is None:
        customer = await _first_seen(services, caller, customer_id)
    if customer.disabled:
        raise InnoError(
            "insufficient_permissions",
            f"Customer {customer_id} is disabled. Enable it by PATCH /v1/customers/{customer_id}.",
        )
    return customer


async def _first_seen(services: Services, caller: Principal, customer_id: str) -> Customer:
    # IntegrityError: a request beside this one created it first, which is as well.
    with suppress(IntegrityError):
        async with services.database.write() as connection:
            await customer_or_create(services, connection, caller.account, customer_id)
    await services.heed_changes()
    customer = await services.keyring.customer_of(caller.account.id, customer_id)
    if customer is None:
        raise InnoError("service_unavailable")
    return customer


async def _refresh_principal(
    services: Services, token: str
) -> tuple[Claims | None, Principal | Unauthenticated]:
    try:
        claims = services.keyring.refresh_claims(token)
    except InnoError as error:
        return None, Unauthenticated(STANDING, error.refusal)
    return claims, await services.keyring.bearer(claims)


def _known(claims: Claims | None) -> Claims:
    if claims is None:
        raise InnoError("internal_error")
    return claims


async def _principal_of(services: Services, credential: str) -> Principal | Unauthenticated:
    """Who a key, a key's id or a token of either use stands for."""
    if credential.startswith("key_"):
        return await services.keyring.key(credential) or Unauthenticated(
            STANDING, refusal("invalid_api_key", "No key has that id.")
        )
    claims = services.keyring.any_claims(credential)
    if claims is not None and claims.token_use == "refresh":
        return await services.keyring.bearer(claims)
    return await services.keyring.resolve(credential)


def _may_see(caller: Principal, other: Principal) -> bool:
    """Whether the other credential belongs to the caller's account, and to its customer if it has one."""
    if caller.account.id != other.account.id:
        return False
    return caller.customer is None or (other.customer is not None and other.customer.id == caller.customer.id)


async def _revoke(services: Services, asked: AccessRequest, token: str, account_id: str | None) -> None:
    if token.startswith(key_format.PREFIX):
        principal = await services.keyring.resolve(token)
    else:
        principal = await _principal_of(services, token)
    if isinstance(principal, Unauthenticated):
        # Guessing is limited here as everywhere, but an unknown token is not an error (RFC 7009 §2.2).
        decision = await services.door.admit_principal(principal, asked)
        if decision.refusal is not None and decision.refusal.code == "rate_limit_exceeded":
            admission(decision)
        return
    if account_id is not None and account_id != principal.account.id:
        return
    now = services.clock()
    async with services.database.write() as connection:
        claims = principal.token
        if claims is None:
            await api_keys.revoke(connection, principal.key.id, now)
        elif claims.token_use == "refresh":
            await rotation.revoke_family(
                connection, claims, principal.account.id, reason="revoked by its holder", now=now
            )
        else:
            await tokens.revoke(
                connection,
                claims.jti,
                principal.account.id,
                reason="revoked by its holder",
                now=now,
                expires_at=float(claims.exp),
            )
    await services.heed_changes()


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
        scope=claims.scope,
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
