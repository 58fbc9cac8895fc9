"""/settings/members: people are invited, given roles, and removed."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post

from innoai.access.roles import ROLES, may_appoint
from innoai.dashboard import edits
from innoai.dashboard.cookies import new_token
from innoai.dashboard.refusals import about_a_field
from innoai.dashboard.visit import Here
from innoai.errors import InnoError, Refusal

LIST = "/settings/members"
ONE = f"{LIST}/{{member_id:str}}"
PER_PAGE = 50
_API = "/v1/members/{member_id}"

ROLE_TEXTS = {
    "owner": "Everything, and the account itself: an account has at least one.",
    "admin": "Everything but other owners: keys, members, billing, the audit log.",
    "developer": "Customers, webhooks, billing and the playground; no keys and no members.",
    "viewer": "Looks at everything that a developer sees, and changes nothing.",
}
"""What each role is for, in the order of the form."""


@get(LIST)
async def show_list(here: Here) -> Response[bytes]:
    """Show the members, newest first."""
    return await _list(here, None)


@post(LIST, status_code=200)
async def invite(here: Here) -> Response[bytes]:
    """Invite a person, and show the link this once; sent a second time, the same form shows the same link."""
    form = here.form
    body = {"email": form.text("email"), "role": form.text("role"), "name": form.text("name") or None}
    try:
        invited = await here.post("/v1/members", body, once=form.text("once")[:64])
    except InnoError as error:
        return await _list(here, error.refusal)
    return here.page("members/invited.html", invited=invited)


@get(ONE)
async def show_member(member_id: str, here: Here) -> Response[bytes]:
    """Show a member with the form of its role."""
    return await _member(here, member_id, None)


@post(ONE, status_code=200)
async def edit(member_id: str, here: Here) -> Response[Any]:
    """Give the member another role or name: what was changed in the form."""
    shown = edits.shown_by(here.form, _values_of(await here.get(_API, member_id=member_id)))
    typed = {"role": here.form.text("role"), "name": here.form.text("name")}
    body = {name: typed[name] or None for name in edits.touched(typed, shown)}
    try:
        await here.patch(_API, body, member_id=member_id)
    except InnoError as error:
        return await _member(here, member_id, error.refusal)
    return here.redirect(LIST, notice="member-changed")


@get(f"{ONE}/remove")
async def show_removal(member_id: str, here: Here) -> Response[bytes]:
    """Ask whether it is meant."""
    return await _removal(here, member_id, None)


@post(f"{ONE}/remove", status_code=200)
async def remove(member_id: str, here: Here) -> Response[Any]:
    """Remove the member, or take the invitation back, if the email was typed."""
    member = await here.get(_API, member_id=member_id)
    wanted = _called(member)
    if here.form.text("confirmation").casefold() != wanted.casefold():
        error = InnoError("invalid_request", "Type it as it stands there.", param="confirmation")
        return await _removal(here, member_id, error.refusal)
    try:
        await here.delete(_API, member_id=member_id)
    except InnoError as error:
        return await _removal(here, member_id, error.refusal)
    return here.redirect(LIST, notice="member-removed")


async def _list(here: Here, error: Refusal | None) -> Response[bytes]:
    cursor, form = here.query("cursor"), here.form
    page = await here.get("/v1/members", limit=PER_PAGE, cursor=cursor)
    return here.page(
        "members/list.html",
        status=200 if error is None else error.kind.status,
        members=[
            {**member, "may_change": may_appoint(here.principal, member["role"])} for member in page["data"]
        ],
        **here.further(LIST, page),
        error=about_a_field(error),
        email=form.raw("email"),
        name=form.raw("name"),
        role=form.text("role", "developer"),
        roles=_roles(here),
        once=form.text("once")[:64] or new_token(),
    )


async def _member(here: Here, member_id: str, error: Refusal | None) -> Response[bytes]:
    member = await here.get(_API, member_id=member_id)
    shown = edits.shown_by(here.form, _values_of(member))
    return here.page(
        "members/member.html",
        status=200 if error is None else error.kind.status,
        member=member,
        may_change=may_appoint(here.principal, member["role"]),
        error=about_a_field(error),
        role=here.form.text("role", shown["role"]),
        name=here.form.raw("name", shown["name"]),
        shown=edits.as_field(shown),
        roles=_roles(here),
    )


async def _removal(here: Here, member_id: str, error: Refusal | None) -> Response[bytes]:
    member = await here.get(_API, member_id=member_id)
    if not may_appoint(here.principal, member["role"]):
        raise InnoError("insufficient_permissions", "Only an owner removes an owner.")
    return here.page(
        "members/remove.html",
        status=200 if error is None else error.kind.status,
        member=member,
        called=_called(member),
        error=about_a_field(error),
    )


def _values_of(member: dict[str, Any]) -> dict[str, str]:
    """What stands in the form of a member."""
    return {"role": member["role"], "name": member["name"] or ""}


def _roles(here: Here) -> list[tuple[str, str]]:
    """The roles that the member may give, with what they are for."""
    return [(role, ROLE_TEXTS[role]) for role in ROLES if may_appoint(here.principal, role)]


def _called(member: dict[str, Any]) -> str:
    """What is typed to confirm: the email; the first owner's invitation has none yet."""
    return str(member["email"] or member["id"])


HANDLERS = (
    show_list,
    invite,
    show_member,
    edit,
    show_removal,
    remove,
)
