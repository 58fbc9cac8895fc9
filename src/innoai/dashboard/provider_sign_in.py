"""/login/provider: members sign in with an OpenID Connect provider, and invited ones join by it.

The provider's own name for a person counts, which never changes hands. Its word on the email counts once,
for a member who has no such name yet, and only where the provider has verified it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response, get

from innoai.dashboard import proof
from innoai.dashboard.provider import Identity, Journey
from innoai.dashboard.sign_in import FOR_ANYBODY, address_bucket, form
from innoai.dashboard.signing_in import begin_session, record
from innoai.dashboard.visit import Visit, Visitor, local_path
from innoai.errors import InnoError
from innoai.store import accounts, ceremonies, identities, members

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.dashboard.provider import Provider
    from innoai.errors import Refusal
    from innoai.store.members import MemberRecord

PATH = "/login/provider"
CALLBACK = f"{PATH}/callback"
JOURNEY = "provider"
JOURNEY_SECONDS = 900.0
METHOD = "provider"
_NOBODY = (
    "Nobody is a member here under the email that the provider has verified. Ask an owner to invite you."
)
_TOO_LATE = "That took too long, or was begun in another browser. Begin again."


@get(PATH, opt=FOR_ANYBODY)
async def set_out(visitor: Visitor) -> Response[Any]:
    """Send the browser to the provider."""
    inside = visitor.inside
    try:
        provider = _provider(visitor)
        inside.throttle.attempt(address_bucket(visitor))
        address, journey = await provider.set_out(
            f"{visitor.origin}{CALLBACK}",
            local_path(visitor.query("next")),
            again=visitor.session is not None,
        )
        async with inside.database.write() as connection:
            content = msgspec.json.encode(journey)
            ends = inside.clock() + JOURNEY_SECONDS
            await ceremonies.begin(
                connection, inside.secrets, visitor.holder, JOURNEY, content, expires_at=ends
            )
    except InnoError as error:
        return await _refused(visitor, error.refusal)
    return Response(None, status_code=303, headers={"location": address})


@get(CALLBACK, opt=FOR_ANYBODY)
async def arrive(visitor: Visitor) -> Response[Any]:
    """Sign in whom the provider has authenticated."""
    inside = visitor.inside
    try:
        provider = _provider(visitor)
        async with inside.database.write() as connection:
            kept = await ceremonies.finish(
                connection, inside.secrets, visitor.holder, JOURNEY, inside.clock()
            )
        if kept is None:
            raise InnoError("invalid_request", _TOO_LATE)
        journey = msgspec.json.decode(kept, type=Journey)
        if not visitor.query("code"):
            raise InnoError("invalid_request", "The provider did not sign you in.")
        identity = await provider.arrive(
            journey, visitor.query("code"), visitor.query("state"), visitor.query("iss") or None
        )
        async with inside.database.write() as connection:
            member = await _member_of(visitor, connection, identity)
            await begin_session(visitor, connection, member, METHOD, proved_at=identity.proved_at)
    except InnoError as error:
        return await _refused(visitor, error.refusal)
    inside.throttle.give_back(address_bucket(visitor))
    return visitor.redirect(local_path(journey.next))


async def _refused(visit: Visit, error: Refusal) -> Response[bytes]:
    """Say why not where the person came from: a member who is signed in wanted to prove who they are."""
    return form(visit, email="", error=error) if visit.session is None else await proof.form(visit, error)


def _provider(visit: Visit) -> Provider:
    if visit.inside.provider is None:
        raise InnoError("not_found", "This server has no provider to sign in with.")
    return visit.inside.provider


async def _member_of(visit: Visit, connection: AsyncConnection, identity: Identity) -> MemberRecord:
    """The member whom the provider means; one who was invited joins by it.

    Raises:
        InnoError: nobody is meant, or the email has come to belong to somebody else over there.
    """
    now = visit.inside.clock()
    known = await identities.find(connection, identity.issuer, identity.subject)
    if known is not None:
        member = await members.find(connection, known)
    elif identity.email is not None:
        member = await members.find_by_email(connection, identity.email)
    else:
        member = None
    if member is None:
        raise InnoError("invalid_request", _NOBODY)
    account = await accounts.get(connection, member.account_id)
    if account.disabled:
        raise InnoError("invalid_request", "This account is disabled. Ask the operator of this server.")
    await accounts.lock(connection, member.account_id)
    if known is None:
        if await identities.subjects_of(connection, member.id, identity.issuer):
            raise InnoError("invalid_request", _NOBODY)
        await identities.add(connection, identity.issuer, identity.subject, member.id, now)
    if not member.joined:
        if member.invite_expires_at is None or member.invite_expires_at <= now:
            raise InnoError("invalid_request", "The invitation is over. Ask an owner for another one.")
        name = member.name or (identity.name or "")[:200] or None
        await members.join(connection, member.id, {"name": name}, now)
        after: dict[str, object] = {"id": member.id, "email": member.email, "name": name, "role": member.role}
        await record(visit, connection, member.account_id, member.id, "member.joined", after=after)
    return member


HANDLERS = (set_out, arrive)
