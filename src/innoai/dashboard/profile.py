"""/settings/profile: how a member signs in: password, authenticator app, passkeys, and the open sessions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from litestar import Response, get, post

from innoai.dashboard import passwords, recovery_codes, second_factor
from innoai.dashboard.passkeys import relying_party
from innoai.dashboard.proof import is_proved, require_proof
from innoai.dashboard.sign_in import code_buckets
from innoai.dashboard.signing_in import record, record_wrong
from innoai.dashboard.visit import Here, Visit
from innoai.errors import InnoError
from innoai.store import accounts, authenticators, ceremonies, identities, members, passkeys, sessions

if TYPE_CHECKING:
    from innoai.errors import Refusal

PATH = "/settings/profile"
APP = f"{PATH}/authenticator"
SETTING_UP = "authenticator"
SETTING_UP_SECONDS = 900.0
_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
METHODS = {
    "password": "password",
    "password+totp": "password and code",
    "password+recovery": "password and recovery code",
    "passkey": "passkey",
    "provider": "provider",
}


@get(PATH)
async def show(here: Here) -> Response[bytes]:
    """Show how the member signs in, and where they are signed in."""
    inside, member_id = here.inside, here.member.member_id
    now = inside.clock()
    idle = inside.settings.dashboard.session_idle
    oidc = inside.settings.dashboard.oidc
    async with inside.database.read() as connection:
        kept = await members.password_hash(connection, member_id)
        return here.page(
            "profile/profile.html",
            has_password=kept is not None,
            app_since=await authenticators.since(connection, member_id),
            codes_left=await authenticators.recovery_codes_left(connection, member_id),
            passkeys=await passkeys.of_member(connection, member_id),
            has_host_name=relying_party(here) is not None,
            sessions=await sessions.of_member(connection, member_id, now, seen_after=now - idle),
            browser_of=browser_of,
            methods=METHODS,
            provider=oidc,
            is_known_there=oidc is not None
            and bool(await identities.subjects_of(connection, member_id, oidc.issuer)),
            is_proved=is_proved(here),
        )


@get(f"{PATH}/password")
async def show_password(here: Here) -> Response[bytes]:
    """Ask for the new password."""
    return await _password_form(here, None)


@post(f"{PATH}/password", status_code=200)
async def change_password(here: Here) -> Response[Any]:
    """Choose another password; whoever is signed in elsewhere is not any more."""
    inside, member = here.inside, here.member
    buckets = code_buckets(here, member.member_id)
    try:
        async with inside.database.read() as connection:
            kept = await members.password_hash(connection, member.member_id)
        if kept is None:
            require_proof(here)
        else:
            inside.throttle.attempt(*buckets)
            if not await inside.passwords.verify(here.form.raw("current"), kept):
                await record_wrong(here, "password", "password_change")
                raise InnoError("invalid_request", "That is not your password.", param="current")
            inside.throttle.give_back(*buckets)
        chosen = here.form.raw("password")
        passwords.check_choice(chosen, member.email, member.name)
        if await inside.passwords.verify(chosen, kept):
            raise InnoError("invalid_request", "That is your present password.", param="password")
        hashed = await inside.passwords.hash(chosen)
        async with inside.database.write() as connection:
            await members.change(connection, member.member_id, {"password_hash": hashed})
            await sessions.end_others(connection, member.member_id, member.id)
            await sessions.note(connection, member.id, {"proved_at": inside.clock()})
            await record(here, connection, member.account_id, member.member_id, "member.password_changed")
    except InnoError as error:
        return await _password_form(here, error.refusal)
    return here.redirect(PATH, notice="password-changed")


@post(f"{APP}/new")
async def begin_app(here: Here) -> Response[None]:
    """Make the secret of a new app, which counts once a code of it was given."""
    require_proof(here)
    inside = here.inside
    ends = inside.clock() + SETTING_UP_SECONDS
    async with inside.database.write() as connection:
        secret = second_factor.new_secret()
        await ceremonies.begin(connection, inside.secrets, here.holder, SETTING_UP, secret, expires_at=ends)
    return here.redirect(APP)


@get(APP)
async def show_app(here: Here) -> Response[Any]:
    """Show the secret of the app that is being set up."""
    secret = await _app_under_way(here)
    return here.redirect(PATH) if secret is None else _app_form(here, secret, None)


@post(APP, status_code=200)
async def confirm_app(here: Here) -> Response[Any]:
    """Let the app count, if it shows the right code; and go on to the recovery codes."""
    require_proof(here)
    inside, member = here.inside, here.member
    secret = await _app_under_way(here)
    if secret is None:
        return here.redirect(PATH)
    buckets = code_buckets(here, member.member_id)
    try:
        inside.throttle.attempt(*buckets)
        now = inside.clock()
        step = second_factor.step_of(secret, here.form.text("code"), now)
        if step is None:
            await record_wrong(here, "code", "authenticator")
            raise InnoError("invalid_request", "That code is not the present one.", param="code")
        async with inside.database.write() as connection:
            await accounts.lock(connection, member.account_id)
            await ceremonies.finish(connection, inside.secrets, here.holder, SETTING_UP, now)
            await authenticators.put(connection, inside.secrets, member.member_id, secret, step, now)
            await recovery_codes.issue(here, connection)
            after: dict[str, object] = {"kind": "authenticator"}
            await record(
                here, connection, member.account_id, member.member_id, "member.factor_added", after=after
            )
    except InnoError as error:
        return _app_form(here, secret, error.refusal)
    inside.throttle.give_back(*buckets)
    return here.redirect(recovery_codes.PATH, notice="authenticator-added")


@post(f"{APP}/remove")
async def remove_app(here: Here) -> Response[None]:
    """Ask for no code any more."""
    require_proof(here)
    member = here.member
    async with here.inside.database.write() as connection:
        await authenticators.remove(connection, member.member_id)
        after: dict[str, object] = {"kind": "authenticator"}
        await record(
            here, connection, member.account_id, member.member_id, "member.factor_removed", after=after
        )
    return here.redirect(PATH, notice="authenticator-removed")


@post(f"{PATH}/sessions/{{session_id:str}}/end")
async def end_session(session_id: str, here: Here) -> Response[None]:
    """End one session; the present one is signed out."""
    member = here.member
    async with here.inside.database.write() as connection:
        if not await sessions.end(connection, member.member_id, session_id):
            raise InnoError("not_found", "You have no session of that id.")
        after: dict[str, object] = {"id": session_id}
        await record(
            here, connection, member.account_id, member.member_id, "member.session_ended", after=after
        )
    if session_id == member.id:
        here.forget_session()
        return here.redirect("/login", notice="signed-out")
    return here.redirect(PATH, notice="session-revoked")


@post(f"{PATH}/sessions/end-others")
async def end_other_sessions(here: Here) -> Response[None]:
    """End every session but this one."""
    member = here.member
    async with here.inside.database.write() as connection:
        ended = await sessions.end_others(connection, member.member_id, member.id)
        after: dict[str, object] = {"count": ended}
        await record(
            here, connection, member.account_id, member.member_id, "member.session_ended", after=after
        )
    return here.redirect(PATH, notice="sessions-revoked")


HANDLERS = (
    show,
    show_password,
    change_password,
    begin_app,
    show_app,
    confirm_app,
    remove_app,
    end_session,
    end_other_sessions,
)


def browser_of(user_agent: str | None) -> str:
    """What a browser calls itself, for people: `Firefox on Linux`."""
    text = user_agent or ""
    browser = next((name for mark, name in _BROWSERS if mark in text), None)
    system = next((name for mark, name in _SYSTEMS if mark in text), None)
    if browser is None:
        return re.sub(r"[^\w ./-]", "", text)[:40] or "unknown"
    return browser if system is None else f"{browser} on {system}"


async def _app_under_way(here: Visit) -> bytes | None:
    inside = here.inside
    async with inside.database.read() as connection:
        return await ceremonies.look(connection, inside.secrets, here.holder, SETTING_UP, inside.clock())


def _app_form(here: Visit, secret: bytes, error: Refusal | None) -> Response[bytes]:
    written = second_factor.written(secret)
    return here.page(
        "profile/authenticator.html",
        status=200 if error is None else error.kind.status,
        error=error,
        picture=second_factor.picture(secret, here.member.email),
        secret=" ".join(written[start : start + 4] for start in range(0, len(written), 4)),
        address=second_factor.address(secret, here.member.email),
    )


async def _password_form(here: Visit, error: Refusal | None) -> Response[bytes]:
    async with here.inside.database.read() as connection:
        kept = await members.password_hash(connection, here.member.member_id)
    if kept is None:
        require_proof(here)
    return here.page(
        "profile/password.html",
        status=200 if error is None else error.kind.status,
        error=error,
        has_password=kept is not None,
        min_length=passwords.MIN_LENGTH,
        max_length=passwords.MAX_LENGTH,
    )
