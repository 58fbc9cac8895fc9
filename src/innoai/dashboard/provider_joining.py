"""/login/provider/join: somebody whom the provider has authenticated is asked which invitation to take up.

Whoever invites writes down an email without having shown that it is theirs to invite. So the person hears
whose account it is, and joins it or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from litestar import Response, get, post
from sqlalchemy.exc import IntegrityError

from innoai.dashboard import joining
from innoai.dashboard.provider import Identity
from innoai.dashboard.sign_in import FOR_ANYBODY
from innoai.dashboard.visit import Visit, Visitor
from innoai.errors import InnoError
from innoai.store import accounts, ceremonies, identities, members

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.store.accounts import AccountRecord
    from innoai.store.members import MemberRecord

PATH = "/login/provider/join"
METHOD = "provider"
INVITED = "provider-invited"
INVITED_SECONDS = 900.0
_NOBODY = (
    "Nobody is a member here under the email that the provider has verified. Ask an owner to invite you."
)
_IS_OVER = "The invitation is over. Ask an owner for another one."
_HAS_JOINED = (
    "Somebody who signs in in another way has joined under your email. If that is you, sign in as before and "
    "connect the provider under Settings > Your sign-in. If it is not, tell the operator of this server."
)


class _Invitation(NamedTuple):
    """An invitation that can be taken up, and the account that it leads to."""

    member: MemberRecord
    account: AccountRecord


async def ask(visit: Visit, identity: Identity) -> Response[None]:
    """Go on to the page that asks.

    Raises:
        InnoError: nobody has invited the person, or not to an account that they could join.
    """
    inside = visit.inside
    async with inside.database.write() as connection:
        if not await _invitations(connection, identity, inside.clock()):
            raise await _why_not(connection, identity)
        if visit.session is None:
            # What was known of this browser's cookie so far must not be enough to go on from here.
            visit.renew_cookie()
        content = msgspec.json.encode(identity)
        ends = inside.clock() + INVITED_SECONDS
        await ceremonies.begin(connection, inside.secrets, visit.holder, INVITED, content, expires_at=ends)
    return visit.redirect(PATH)


@get(PATH, opt=FOR_ANYBODY)
async def show(visitor: Visitor) -> Response[Any]:
    """Name the accounts that the person is invited to."""
    inside = visitor.inside
    async with inside.database.read() as connection:
        kept = await ceremonies.look(connection, inside.secrets, visitor.holder, INVITED, inside.clock())
        if kept is None:
            return visitor.redirect("/login")
        identity = msgspec.json.decode(kept, type=Identity)
        invitations = await _invitations(connection, identity, inside.clock())
    return visitor.page("provider_joining.html", email=identity.email, invitations=invitations)


@post(PATH, opt=FOR_ANYBODY)
async def join(visitor: Visitor) -> Response[Any]:
    """Take up the invitation that was chosen, and none that came in its place."""
    inside = visitor.inside
    try:
        async with inside.database.write() as connection:
            now = inside.clock()
            kept = await ceremonies.finish(connection, inside.secrets, visitor.holder, INVITED, now)
            if kept is None:
                return visitor.redirect("/login")
            identity = msgspec.json.decode(kept, type=Identity)
            wanted = visitor.form.text("member")
            for member, _ in await _invitations(connection, identity, now):
                if member.id == wanted:
                    await _join(visitor, connection, identity, member)
                    return visitor.redirect("/", notice="welcome")
            raise InnoError("invalid_request", _IS_OVER)
    except IntegrityError:
        raise InnoError("conflict", "You have joined another account with it a moment ago.") from None


async def _join(visit: Visit, connection: AsyncConnection, identity: Identity, member: MemberRecord) -> None:
    name = member.name or (identity.name or "")[:200] or None
    await joining.take_up(
        visit, connection, member, {"name": name}, method=METHOD, proved_at=identity.proved_at
    )
    await identities.add(connection, identity.issuer, identity.subject, member.id, visit.inside.clock())


async def _invitations(connection: AsyncConnection, identity: Identity, now: float) -> list[_Invitation]:
    """What can be taken up by the person whose email the provider has verified."""
    invited = [
        _Invitation(member, await accounts.get(connection, member.account_id))
        for member in await members.of_email(connection, identity.email)
        if not member.joined and member.invite_expires_at is not None and member.invite_expires_at > now
    ]
    return [invitation for invitation in invited if not invitation.account.disabled]


async def _why_not(connection: AsyncConnection, identity: Identity) -> InnoError:
    """Why nothing can be taken up; told to the person whose email it is, and to nobody else."""
    known = await members.of_email(connection, identity.email)
    if any(member.joined for member in known):
        return InnoError("invalid_request", _HAS_JOINED)
    return InnoError("invalid_request", _IS_OVER if known else _NOBODY)


HANDLERS = (show, join)
