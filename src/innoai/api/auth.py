"""/v1/auth: tokens are minted and refreshed, and a credential says what it is."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from litestar import Response, get, post
from sqlalchemy.exc import IntegrityError

from innoai.access.decide import STANDING
from innoai.access.principal import Principal, Unauthenticated
from innoai.access.routes import route_for
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
from innoai.api.services import Services
from innoai.api.wire import JsonRequest, answer, decode_json, json_body, read_body
from innoai.auth.minting import TokenRequest, asks_for_another, enabled, presented
from innoai.auth.shapes import Credential
from innoai.auth.validation import validation
from innoai.door import admission
from innoai.errors import InnoError

if TYPE_CHECKING:
    from innoai.access.principal import Customer
    from innoai.access.tokens import Claims
    from innoai.events.journal import Actor


CREATIONS = 3
"""How often a customer is created for a token, where somebody deletes it before the token is there."""


class RefreshRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A refresh token to get a new access token for."""

    refresh_token: Credential


@post("/v1/auth/token", opt=CREDENTIAL_IN_BODY, status_code=200)
async def issue_token(request: JsonRequest, services: Inside) -> Response[bytes]:
    """Mint an access token and a refresh token from an API key, for the account or for one customer."""
    wanted = decode_json(await json_body(request) or b"{}", TokenRequest)
    credential = presented(header_credential(request), wanted.api_key)
    asked = access_request(request, services, route_for("POST", "/v1/auth/token"))
    caller = admission(await services.door.admit(credential, asked)).principal
    granted = services.mint.grant(caller, wanted)
    # Last, since it may create the customer: what is refused leaves nothing behind.
    customer = await _customer_for(services, caller, wanted.customer_id, holder(request, caller))
    return answer(services.mint.pair(caller, customer, granted, rotate=wanted.rotate))


@post("/v1/auth/refresh", opt=CREDENTIAL_IN_BODY, status_code=200)
async def refresh_token(request: JsonRequest, services: Inside) -> Response[bytes]:
    """Get a new access token for a refresh token."""
    token = (await read_body(request, RefreshRequest)).refresh_token
    asked = access_request(request, services, route_for("POST", "/v1/auth/refresh"))
    admitted = admission(await services.door.admit_presented(partial(_bearer, services, token), asked))
    account_id, claims = admitted.principal.account.id, admitted.principal.token
    if claims is None or claims.generation is None:
        return answer(services.mint.following(admitted.principal, _known(claims), token))
    successor = await rotation.successor(services, claims, account_id, actor_of(request, admitted))
    return answer(services.mint.following(admitted.principal, successor))


@get("/v1/auth/validate")
async def validate(caller: Caller) -> Response[bytes]:
    """Say what the presented credential stands for."""
    return answer(validation(caller.principal))


async def _customer_for(
    services: Services, caller: Principal, customer_id: str | None, actor: Actor
) -> Customer | None:
    """The customer that the token is for; created at first sight unless that is switched off."""
    if customer_id is None or not asks_for_another(caller, customer_id):
        return caller.customer
    customer = await services.keyring.customer_of(caller.account.id, customer_id)
    return enabled(customer or await _first_seen(services, caller, customer_id, actor))


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


async def _bearer(services: Services, refresh_token: str) -> Principal | Unauthenticated:
    try:
        claims = await services.keyring.refresh_claims(refresh_token)
    except InnoError as error:
        return Unauthenticated(STANDING, error.refusal)
    return await services.keyring.bearer(claims)


def _known(claims: Claims | None) -> Claims:
    if claims is None:
        raise InnoError("internal_error")
    return claims
