"""/setup?invite=…: the first owner, or an invited member, chooses how to sign in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from litestar import Response, get, post
from sqlalchemy.exc import IntegrityError

from innoai.dashboard import passwords
from innoai.dashboard.sign_in import FOR_ANYBODY, address_bucket
from innoai.dashboard.signing_in import begin_session, record
from innoai.dashboard.visit import Visit, Visitor
from innoai.errors import InnoError, Refusal
from innoai.store import accounts, members

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.store.members import MemberRecord

MAX_NAME = 200
_is_email = re.compile(r"[!-?A-~]+@[!-?A-~]+", re.ASCII).fullmatch
_is_name = re.compile(r"[^\x00-\x1f\x7f]+").fullmatch
_is_token = re.compile(r"[A-Za-z0-9_-]{20,128}", re.ASCII).fullmatch


@get("/setup", opt=FOR_ANYBODY)
async def show(visitor: Visitor) -> Response[Any]:
    """Ask whoever was invited for a password, and the first owner for an email, too."""
    token = visitor.query("invite")
    member = await _invited(visitor, token)
    if member is None:
        return visitor.page("no_invitation.html", status=404 if token else 200)
    return _form(visitor, member, {"name": member.name or "", "email": member.email or ""}, None)


@post("/setup", opt=FOR_ANYBODY, status_code=200)
async def join(visitor: Visitor) -> Response[Any]:
    """Make the member, who is signed in from then on."""
    member = await _invited(visitor, visitor.form.text("invite"))
    if member is None:
        return visitor.page("no_invitation.html", status=404)
    typed = {"name": visitor.form.text("name"), "email": visitor.form.text("email")}
    try:
        name, email = _name(typed["name"]), member.email or _email(typed["email"])
        password = visitor.form.raw("password")
        passwords.check_choice(password, email, name)
        await _join(visitor, member, name, email, await visitor.inside.passwords.hash(password))
    except InnoError as error:
        return _form(visitor, member, typed, error.refusal)
    return visitor.redirect("/", notice="welcome")


async def take_up(
    visit: Visit,
    connection: AsyncConnection,
    member: MemberRecord,
    values: dict[str, str | None],
    *,
    method: str,
    proved_at: float | None = None,
) -> None:
    """Make a member of whoever was invited, setting columns too, and sign them in.

    Raises:
        InnoError: somebody was faster.
        IntegrityError: the email is another member's.
    """
    await accounts.lock(connection, member.account_id)
    if not await members.join(connection, member.id, values, visit.inside.clock()):
        raise InnoError("conflict", "This invitation was taken up a moment ago. Sign in.")
    shown = {"email": member.email, **values}
    after: dict[str, object] = {
        "id": member.id,
        "email": shown["email"],
        "name": shown["name"],
        "role": member.role,
    }
    await record(visit, connection, member.account_id, member.id, "member.joined", after=after)
    await begin_session(visit, connection, member, method, proved_at=proved_at)


async def _join(visit: Visit, member: MemberRecord, name: str | None, email: str, password_hash: str) -> None:
    inside = visit.inside
    values = {"email": email, "name": name, "password_hash": password_hash}
    try:
        async with inside.database.write() as connection:
            await take_up(visit, connection, member, values, method="password")
    except IntegrityError:
        raise InnoError(
            "conflict", "That email is a member's already. Choose another one.", param="email"
        ) from None


async def _invited(visit: Visit, token: str) -> MemberRecord | None:
    """Who was invited by the link that carries the token, if it can be taken up yet."""
    if _is_token(token) is None:
        return None
    inside = visit.inside
    bucket = address_bucket(visit)
    inside.throttle.attempt(bucket)
    async with inside.database.read() as connection:
        member = await members.invited(connection, token, inside.clock())
    if member is not None:
        inside.throttle.give_back(bucket)
    return member


def _form(
    visit: Visit, member: MemberRecord, typed: dict[str, str], error: Refusal | None
) -> Response[bytes]:
    return visit.page(
        "joining.html",
        status=200 if error is None else error.kind.status,
        member=member,
        typed=typed,
        error=error,
        invite=visit.form.text("invite") or visit.query("invite"),
        min_length=passwords.MIN_LENGTH,
        max_length=passwords.MAX_LENGTH,
        provider=visit.inside.settings.dashboard.oidc,
    )


def _name(text: str) -> str | None:
    if not text:
        return None
    if len(text) > MAX_NAME or _is_name(text) is None:
        raise InnoError("invalid_request", f"Write a name of at most {MAX_NAME} characters.", param="name")
    return text


def _email(text: str) -> str:
    """An email in the spelling that is kept."""
    if not 3 <= len(text) <= 254 or _is_email(text) is None:
        raise InnoError("invalid_request", "Write an email address, such as ana@example.com.", param="email")
    return text.casefold()


HANDLERS = (show, join)
