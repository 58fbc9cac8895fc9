"""/login, /logout: with email and password, and the second factor where a member has one.

Whoever fails learns nothing about who is a member here: an unknown email, a wrong password and a member who
has none get the same answer after the same work.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response, get, post
from litestar.background_tasks import BackgroundTask

from innoai.access.networks import site_of
from innoai.dashboard import second_factor
from innoai.dashboard.signing_in import begin_session, record
from innoai.dashboard.throttle import Bucket
from innoai.dashboard.visit import Visit, Visitor, local_path
from innoai.envelope import REQUEST_ID_KEY
from innoai.errors import InnoError, Refusal
from innoai.events import journal
from innoai.events.journal import Actor
from innoai.store import accounts, authenticators, ceremonies, members, sessions

if TYPE_CHECKING:
    from innoai.store.members import MemberRecord

FOR_ANYBODY = {"for_anybody": True}
"""Marks a handler that nobody has to be signed in for."""

PENDING = "second-factor"
CHOOSING = "choosing-account"
PENDING_SECONDS = 600.0
PASSWORDS_COMPARED = 3
"""With how many members of one email a password is compared. Each costs a hash at every attempt, whoever
tries; a member who is not among the oldest signs in under the address that names their account."""

_is_account_id = re.compile(r"acc_[0-9A-Za-z]{22}", re.ASCII).fullmatch
_WRONG = "That email and password do not belong together."
_DISABLED = "This account is disabled. Ask the operator of this server."


@get("/login", opt=FOR_ANYBODY)
async def show(visitor: Visitor) -> Response[Any]:
    """Ask who is there."""
    if visitor.session is not None:
        return visitor.redirect(local_path(visitor.query("next")))
    return form(visitor, email="", error=None)


@post("/login", opt=FOR_ANYBODY, status_code=200)
async def sign_in(visitor: Visitor) -> Response[Any]:
    """Compare email and password; go on to the second factor where there is one."""
    email = visitor.form.text("email")[:254].casefold()
    password = visitor.form.raw("password")
    buckets = attempt_buckets(visitor, email)
    known: list[tuple[MemberRecord, str]] = []
    try:
        visitor.inside.throttle.attempt(*buckets)
        async with visitor.inside.database.read() as connection:
            known = await members.with_password(
                connection, email, _account_of(visitor), limit=PASSWORDS_COMPARED
            )
        matching = await _matching(visitor, known, password)
    except InnoError as error:
        answer = form(visitor, email=visitor.form.text("email")[:254], error=error.refusal)
        return _on_record(answer, visitor, [member for member, _ in known], "password")
    visitor.inside.throttle.give_back(*buckets)
    if len(matching) > 1:
        return await _ask_account(visitor, matching)
    return await proved(visitor, matching[0], "password")


@get("/login/account", opt=FOR_ANYBODY)
async def show_accounts(visitor: Visitor) -> Response[Any]:
    """Ask which account somebody signs in to whose password opens several."""
    inside = visitor.inside
    async with inside.database.read() as connection:
        content = await ceremonies.look(connection, inside.secrets, visitor.holder, CHOOSING, inside.clock())
        if content is None:
            return visitor.redirect("/login", next=local_path(visitor.query("next")))
        chosen_from: dict[str, str] = msgspec.json.decode(content)
        choices = [
            (member_id, await accounts.get(connection, account_id))
            for member_id, account_id in chosen_from.items()
        ]
    return visitor.page("choose_account.html", choices=choices, next=local_path(visitor.query("next")))


@post("/login/account", opt=FOR_ANYBODY)
async def choose_account(visitor: Visitor) -> Response[Any]:
    """Go on with the member of the account that was chosen."""
    inside = visitor.inside
    member_id = visitor.form.text("member")
    async with inside.database.write() as connection:
        content = await ceremonies.finish(
            connection, inside.secrets, visitor.holder, CHOOSING, inside.clock()
        )
        chosen_from: dict[str, str] = {} if content is None else msgspec.json.decode(content)
        account_id = chosen_from.get(member_id)
        member = None if account_id is None else await members.get(connection, account_id, member_id)
    if member is None:
        return visitor.redirect("/login", next=local_path(visitor.form.text("next")))
    return await proved(visitor, member, "password")


@post("/logout", opt=FOR_ANYBODY)
async def sign_out(visitor: Visitor) -> Response[None]:
    """End the session, here and in the store."""
    member = visitor.session
    if member is not None:
        async with visitor.inside.database.write() as connection:
            # Of two at once, one ends it.
            if await sessions.end(connection, member.member_id, member.id):
                after: dict[str, object] = {"id": member.id}
                await record(
                    visitor, connection, member.account_id, member.member_id, "member.signed_out", after=after
                )
        visitor.forget_session()
    return visitor.redirect("/login", notice="signed-out")


@get("/login/code", opt=FOR_ANYBODY)
async def show_code(visitor: Visitor) -> Response[Any]:
    """Ask for the second factor, if the first was given in this browser a moment ago."""
    if await _pending(visitor) is None:
        return visitor.redirect("/login", next=local_path(visitor.query("next")))
    return _code_form(visitor, None)


@post("/login/code", opt=FOR_ANYBODY, status_code=200)
async def check_code(visitor: Visitor) -> Response[Any]:
    """Compare the code of the app, or a recovery code."""
    inside = visitor.inside
    member = await _pending(visitor)
    if member is None:
        return visitor.redirect("/login", next=local_path(visitor.form.text("next")))
    buckets = code_buckets(visitor, member.id)
    was_looked_at = False
    try:
        inside.throttle.attempt(*buckets)
        was_looked_at = True
        async with inside.database.write() as connection:
            # Of two at once, one gets through: the row is locked until it is decided.
            await accounts.lock(connection, member.account_id)
            method = await second_factor.take(visitor, connection, member.id, visitor.form.text("code"))
            if method is not None:
                await ceremonies.finish(connection, inside.secrets, visitor.holder, PENDING, inside.clock())
                await begin_session(visitor, connection, member, f"password+{method}")
        if method is None:
            raise InnoError("invalid_request", "That code is not the present one.", param="code")
    except InnoError as error:
        answer = _code_form(visitor, error.refusal)
        return _on_record(answer, visitor, [member], "code") if was_looked_at else answer
    inside.throttle.give_back(*buckets)
    return visitor.redirect(local_path(visitor.form.text("next")))


async def proved(visit: Visit, member: MemberRecord, method: str) -> Response[Any]:
    """Go on with a member who has given the first proof: sign in, or ask for the second."""
    inside = visit.inside
    back = local_path(visit.form.text("next"))
    async with inside.database.write() as connection:
        if await authenticators.since(connection, member.id) is None:
            await begin_session(visit, connection, member, method)
            return visit.redirect(back)
        # What was known of this browser's cookie so far must not be enough to go on from here.
        visit.renew_cookie()
        content = msgspec.json.encode({"member_id": member.id, "account_id": member.account_id})
        ends = inside.clock() + PENDING_SECONDS
        await ceremonies.begin(connection, inside.secrets, visit.holder, PENDING, content, expires_at=ends)
    return visit.redirect("/login/code", **({"next": back} if back != "/" else {}))


def attempt_buckets(visit: Visit, email: str) -> tuple[Bucket, Bucket]:
    """What an attempt with an email counts for, whether or not it is a member's."""
    settings = visit.inside.settings.dashboard
    name = hashlib.sha256(email.encode()).hexdigest()
    return address_bucket(visit), Bucket(f"email {name}", settings.attempts_per_email)


def address_bucket(visit: Visit) -> Bucket:
    """What every attempt from this address counts for."""
    number = visit.address_number
    site = "unknown" if number is None else str(site_of(number))
    return Bucket(f"address {site}", visit.inside.settings.dashboard.attempts_per_address)


def code_buckets(visit: Visit, member_id: str) -> tuple[Bucket, Bucket]:
    """What an attempt with a code counts for."""
    limit = visit.inside.settings.dashboard.attempts_per_email
    return address_bucket(visit), Bucket(f"code {member_id}", limit)


def form(visit: Visit, *, email: str, error: Refusal | None) -> Response[bytes]:
    """The sign-in page."""
    wanted = visit.form.text("next") or visit.query("next")
    answer = visit.page(
        "sign_in.html",
        status=200 if error is None else error.kind.status,
        email=email,
        error=error,
        next=local_path(wanted),
        account=_account_of(visit),
        provider=visit.inside.settings.dashboard.oidc,
    )
    if error is not None and "retry_after" in error.details:
        answer.headers["retry-after"] = str(error.details["retry_after"])
    return answer


def _account_of(visit: Visit) -> str | None:
    """The account that the sign-in page's address names, where it names one."""
    account_id = visit.form.text("account") or visit.query("account")
    return None if _is_account_id(account_id) is None else account_id


async def _matching(visit: Visit, known: list[tuple[MemberRecord, str]], password: str) -> list[MemberRecord]:
    """The members whose password it is: several, where a person has chosen one for several accounts.

    As many hashes are compared as there may be, so that the time does not tell how many members there are.

    Raises:
        InnoError: there is none, whatever the reason.
    """
    inside = visit.inside
    hashes = [kept for _, kept in known] + [None] * (PASSWORDS_COMPARED - len(known))
    are_right = await asyncio.gather(*(inside.passwords.verify(password, kept) for kept in hashes))
    right = [pair for pair, is_right in zip(known, are_right, strict=False) if is_right]
    if not right:
        raise InnoError("invalid_request", _WRONG, param="password")
    for member, kept in right:
        await _renew_hash(visit, member, kept, password)
    async with inside.database.read() as connection:
        matching = [
            member for member, _ in right if not (await accounts.get(connection, member.account_id)).disabled
        ]
    if not matching:
        raise InnoError("invalid_request", _DISABLED)
    return matching


async def _renew_hash(visit: Visit, member: MemberRecord, kept: str, password: str) -> None:
    inside = visit.inside
    if inside.passwords.is_outdated(kept):
        renewed = await inside.passwords.hash(password)
        async with inside.database.write() as connection:
            await members.change(connection, member.id, {"password_hash": renewed})


async def _ask_account(visit: Visit, matching: list[MemberRecord]) -> Response[Any]:
    """Go on to the page that asks which of the members signs in."""
    inside = visit.inside
    if visit.session is None:
        # What was known of this browser's cookie so far must not be enough to go on from here.
        visit.renew_cookie()
    content = msgspec.json.encode({member.id: member.account_id for member in matching})
    ends = inside.clock() + PENDING_SECONDS
    async with inside.database.write() as connection:
        await ceremonies.begin(connection, inside.secrets, visit.holder, CHOOSING, content, expires_at=ends)
    back = local_path(visit.form.text("next"))
    return visit.redirect("/login/account", **({"next": back} if back != "/" else {}))


def _on_record(
    answer: Response[bytes], visit: Visit, meant: list[MemberRecord], wrong: str
) -> Response[bytes]:
    """Put a failed attempt on record behind the answer, whose time would tell that there is such a member."""
    answer.background = BackgroundTask(_record_failure, visit, meant, wrong)
    return answer


async def _record_failure(visit: Visit, meant: list[MemberRecord], wrong: str) -> None:
    """For each account of its own: none is told of another one by what is missing in its log."""
    for member in meant:
        with contextlib.suppress(InnoError):
            await _record_one(visit, member, wrong)


async def _record_one(visit: Visit, member: MemberRecord, wrong: str) -> None:
    async with visit.inside.database.write() as connection:
        await journal.record(
            connection,
            member.account_id,
            "member.sign_in_failed",
            actor=Actor("anonymous", address=visit.address, request_id=visit.scope[REQUEST_ID_KEY]),
            now=visit.inside.clock(),
            target_id=member.id,
            after={"wrong": wrong},
        )


async def _pending(visit: Visit) -> MemberRecord | None:
    """The member who has given the first proof in this browser, and not yet the second."""
    inside = visit.inside
    async with inside.database.read() as connection:
        content = await ceremonies.look(connection, inside.secrets, visit.holder, PENDING, inside.clock())
        if content is None:
            return None
        named: dict[str, str] = msgspec.json.decode(content)
        return await members.get(connection, named["account_id"], named["member_id"])


def _code_form(visit: Visit, error: Refusal | None) -> Response[bytes]:
    wanted = visit.form.text("next") or visit.query("next")
    status = 200 if error is None else error.kind.status
    return visit.page("second_factor.html", status=status, error=error, next=local_path(wanted))


HANDLERS = (show, sign_in, show_accounts, choose_account, show_code, check_code, sign_out)
