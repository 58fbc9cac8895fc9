"""/v1/auth: tokens are minted and refreshed, and a credential says what it is."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import msgspec
from litestar import Response, get, post
from msgspec import Meta
from sqlalchemy.exc import IntegrityError

from innoai.access.decide import STANDING
from innoai.access.grants import token_lifetime, token_scopes
from innoai.access.principal import Principal, Unauthenticated
from innoai.access.routes import route_for
from innoai.access.scopes import SCOPES, in_order
from innoai.access.tokens import MAX_LIFETIME, MIN_LIFETIME, mint
from innoai.api import rotation
from innoai.api.actors import actor_of, holder
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
from innoai.api.wire import Credential, CustomerId, JsonRequest, answer, read_body
from innoai.door import admission
from innoai.errors import InnoError

if TYPE_CHECKING:
    from innoai.access.principal import Customer
    from innoai.access.tokens import Claims
    from innoai.events.journal import Actor

Scope = Annotated[str, Meta(extra_json_schema={"enum": list(SCOPES)})]
Scopes = Annotated[list[Scope], Meta(min_length=1, max_length=64, description="what it may do")]

CREATIONS = 3
"""How often a customer is created for a token, where somebody deletes it before the token is there."""


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


class Validation(msgspec.Struct, frozen=True):
    """What a live credential stands for; `rate_limit` in requests a minute."""

    valid: bool
    key_id: str
    scopes: tuple[Scope, ...]
    rate_limit: int
    tier: str


@post("/v1/auth/token", opt=CREDENTIAL_IN_BODY, status_code=200)
async def issue_token(request: JsonRequest, services: Inside) -> Response[bytes]:
    """Mint an access token and a refresh token from an API key, for the account or for one customer."""
    wanted = await read_body(request, TokenRequest)
    caller = await _admit_key(request, services, wanted.api_key)
    tier = services.tiers[caller.account.tier]
    for_customer = caller.customer is not None or wanted.customer_id is not None
    scopes = token_scopes(caller.key.scopes, wanted.scopes, for_customer=for_customer)
    lifetime = token_lifetime(wanted.expires_in, tier)
    # Last, since it may create the customer: what is refused leaves nothing behind.
    customer = await _customer_for(services, caller, wanted.customer_id, holder(request, caller))
    pair = mint_pair(
        services,
        tier,
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
    account = admitted.principal.account
    tier = services.tiers[account.tier]
    if claims is None or claims.generation is None:
        return answer(answer_for(services, tier, _known(claims), presented))
    following = await rotation.successor(services, claims, account.id, actor_of(request, admitted))
    return answer(answer_for(services, tier, following, mint(following, services.keyring.signing.current)))


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


async def _customer_for(
    services: Services, caller: Principal, customer_id: str | None, actor: Actor
) -> Customer | None:
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
        customer = await _first_seen(services, caller, customer_id, actor)
    if customer.disabled:
        raise InnoError(
            "insufficient_permissions",
            f"Customer {customer_id} is disabled. Enable it by PATCH /v1/customers/{customer_id}.",
        )
    return customer


async def _first_seen(services: Services, caller: Principal, customer_id: str, actor: Actor) -> Customer:
    for _ in range(CREATIONS):
        # IntegrityError: a request beside this one created it first, which is as well.
        with suppress(IntegrityError):
            async with services.database.write() as connection:
                await customer_or_create(services, connection, caller.account, customer_id, actor)
        await services.heed_changes()
        customer = await services.keyring.customer_of(caller.account.id, customer_id)
        if customer is not None:
            return customer
    raise InnoError(
        "conflict",
        f"Customer {customer_id} is deleted as often as it is created. Try again once it is not.",
        param="customer_id",
    )


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
