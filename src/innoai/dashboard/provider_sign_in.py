"""/login/provider: members sign in with an OpenID Connect provider, and connect it with their sign-in.

The provider's own name for a person counts, which never changes hands. Its word on an email makes nobody a
member who has joined already: whoever invited that email may have joined under it. It counts for invitations,
once the person says that they join, and beside a proof for the member who connects the provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response, get
from sqlalchemy.exc import IntegrityError

from innoai.dashboard import proof, provider_joining
from innoai.dashboard.provider import Identity, Journey
from innoai.dashboard.sign_in import FOR_ANYBODY, address_bucket, form
from innoai.dashboard.signing_in import begin_session, record
from innoai.dashboard.visit import Here, Visit, Visitor, go_to, local_path
from innoai.errors import InnoError
from innoai.store import accounts, ceremonies, identities, members, sessions

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.dashboard.provider import Provider

PATH = "/login/provider"
CALLBACK = f"{PATH}/callback"
PROFILE = "/settings/profile"
CONNECT = f"{PROFILE}/provider"
JOURNEY = "provider"
JOURNEY_SECONDS = 900.0
_TOO_LATE = "That took too long, or was begun in another browser. Begin again."
_SOMEBODY_ELSE = "The provider knows you by another email than this server, or has not verified it."
_TAKEN = (
    "You sign in to another account with it already, or this member is connected with another person there."
)


@get(PATH, opt=FOR_ANYBODY)
async def set_out(visitor: Visitor) -> Response[Any]:
    """Send the browser to the provider; a member who is signed in proves anew who they are."""
    back = local_path(visitor.query("next"))
    try:
        return await _set_out(visitor, back, again=visitor.session is not None, connects=False)
    except InnoError as error:
        return await _refused(visitor, error)


@get(CONNECT)
async def connect(here: Here) -> Response[Any]:
    """Send a member to the provider who wants to sign in with it from then on."""
    proof.require_proof(here)
    return await _set_out(here, PROFILE, again=False, connects=True)


@get(CALLBACK, opt=FOR_ANYBODY)
async def arrive(visitor: Visitor) -> Response[Any]:
    """Go on with whom the provider has authenticated."""
    try:
        journey = await _journey(visitor)
        identity = await _provider(visitor).arrive(
            journey, visitor.query("code"), visitor.query("state"), visitor.query("iss") or None
        )
        if journey.connects:
            answer = await _connect(visitor, identity)
        else:
            answer = await _sign_in(visitor, identity, local_path(journey.next))
    except InnoError as error:
        return await _refused(visitor, error)
    visitor.inside.throttle.give_back(address_bucket(visitor))
    return answer


async def _set_out(visit: Visit, back: str, *, again: bool, connects: bool) -> Response[Any]:
    inside = visit.inside
    provider = _provider(visit)
    inside.throttle.attempt(address_bucket(visit))
    address, journey = await provider.set_out(
        f"{visit.origin}{CALLBACK}", back, again=again, connects=connects
    )
    async with inside.database.write() as connection:
        content = msgspec.json.encode(journey)
        ends = inside.clock() + JOURNEY_SECONDS
        await ceremonies.begin(connection, inside.secrets, visit.holder, JOURNEY, content, expires_at=ends)
    return go_to(address)


async def _journey(visit: Visit) -> Journey:
    """The journey that this browser set out on.

    Raises:
        InnoError: there is none, or the provider says that it came to nothing.
    """
    inside = visit.inside
    async with inside.database.write() as connection:
        kept = await ceremonies.finish(connection, inside.secrets, visit.holder, JOURNEY, inside.clock())
    if kept is None:
        raise InnoError("invalid_request", _TOO_LATE)
    if not visit.query("code"):
        raise InnoError("invalid_request", "The provider did not sign you in.")
    return msgspec.json.decode(kept, type=Journey)


async def _sign_in(visit: Visit, identity: Identity, back: str) -> Response[None]:
    """Sign in the member whom the provider means, or ask whoever is invited whether they join."""
    async with visit.inside.database.write() as connection:
        known = await identities.find(connection, identity.issuer, identity.subject)
        member = None if known is None else await members.find(connection, known)
        if member is not None:
            account = await accounts.get(connection, member.account_id)
            if account.disabled:
                raise InnoError(
                    "invalid_request", "This account is disabled. Ask the operator of this server."
                )
            await begin_session(
                visit, connection, member, provider_joining.METHOD, proved_at=identity.proved_at
            )
            return visit.redirect(back)
    return await provider_joining.ask(visit, identity)


async def _connect(visit: Visit, identity: Identity) -> Response[None]:
    """Let the member sign in with the provider from now on, and nobody be signed in who was elsewhere."""
    member = visit.member
    if identity.email is None or identity.email != member.email:
        raise InnoError("conflict", _SOMEBODY_ELSE)
    try:
        async with visit.inside.database.write() as connection:
            await accounts.lock(connection, member.account_id)
            if await identities.subjects_of(connection, member.member_id, identity.issuer):
                raise InnoError("conflict", _TAKEN)
            await _add(visit, connection, identity)
    except IntegrityError:
        raise InnoError("conflict", _TAKEN) from None
    return visit.redirect(PROFILE, notice="provider-connected")


async def _add(visit: Visit, connection: AsyncConnection, identity: Identity) -> None:
    member = visit.member
    now = visit.inside.clock()
    await identities.add(connection, identity.issuer, identity.subject, member.member_id, now)
    await sessions.end_others(connection, member.member_id, member.id)
    after: dict[str, object] = {"kind": provider_joining.METHOD}
    await record(visit, connection, member.account_id, member.member_id, "member.factor_added", after=after)


async def _refused(visit: Visit, error: InnoError) -> Response[bytes]:
    """Say why not where the person came from: the sign-in page, or the one that asks for a proof.

    Raises:
        InnoError: it was neither; the member connects the provider.
    """
    if visit.session is None:
        return form(visit, email="", error=error.refusal)
    if proof.is_proved(visit):
        raise error
    return await proof.form(visit, error.refusal)


def _provider(visit: Visit) -> Provider:
    if visit.inside.provider is None:
        raise InnoError("not_found", "This server has no provider to sign in with.")
    return visit.inside.provider


HANDLERS = (set_out, connect, arrive)
