"""`innoai members …`: the people of the account."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import typer

from innoai.cli import arguments, output
from innoai.cli.flags import App
from innoai.cli.options import CursorOption, IdempotencyKeyOption, LimitOption, YesOption
from innoai.cli.session import Session, remote

app = App(help="Invite people to the account, change their roles, remove them.")

MemberArgument = Annotated[
    str, typer.Argument(parser=arguments.member_id, metavar="MEMBER_ID", help="The member's id, mem_….")
]


class Role(Enum):
    """What a member may do, most first."""

    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    VIEWER = "viewer"


@app.command()
@remote
def invite(
    session: Session,
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Whom to invite.")],
    role: Annotated[Role | None, typer.Option(help="What the member may do. Default: developer.")] = None,
    name: Annotated[str | None, typer.Option(help="What people call the member.")] = None,
    idempotency_key: IdempotencyKeyOption = None,
) -> None:
    """Invite a person. The address to join by is printed this once."""
    wanted = {
        "role": None if role is None else role.value,
        "name": name,
        "idempotency_key": idempotency_key,
    }
    session.answer(session.client().members.create(email, **arguments.given(wanted)), _show_invited)


@app.command("list")
@remote
def list_members(session: Session, limit: LimitOption = None, cursor: CursorOption = None) -> None:
    """List the members, and who is invited."""
    wanted = arguments.given({"limit": limit, "cursor": cursor})
    session.answer(session.client().members.list(**wanted), _show_page)


@app.command()
@remote
def show(session: Session, member: MemberArgument) -> None:
    """Show one member."""
    session.answer(session.client().members.get(member), _show_member)


@app.command("set-role")
@remote
def set_role(
    session: Session,
    member: MemberArgument,
    role: Annotated[Role, typer.Argument(help="What the member may do from now on.")],
) -> None:
    """Give a member another role. The last owner stays one."""
    session.answer(session.client().members.update(member, role=role.value), _show_member)


@app.command()
@remote
def rename(
    session: Session,
    member: MemberArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call the member.")],
) -> None:
    """Give a member another name."""
    session.answer(session.client().members.update(member, name=name), _show_member)


@app.command()
@remote
def remove(session: Session, member: MemberArgument, yes: YesOption = False) -> None:
    """Remove a member, or withdraw an invitation. Without a terminal nothing is asked."""
    client = session.client()
    session.confirm(f"Remove {member}? This cannot be undone.", yes=yes)
    client.members.delete(member)
    session.done(f"removed {member}")


def _show_invited(member: dict[str, Any]) -> None:
    output.write_fields({"invite_url": member.get("invite_url"), **_fields(member)})
    output.note("The address is shown this once, and whoever has it can join. Send it to the member alone.")


def _show_member(member: dict[str, Any]) -> None:
    output.write_fields(_fields(member))


def _fields(member: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "email", "name", "role", "status", "invite_expires_at", "created_at")
    return {name: member.get(name) for name in names}


def _show_page(page: dict[str, Any]) -> None:
    members = [_fields(member) for member in output.members(page)]
    output.write_table(list(_fields({})), [list(member.values()) for member in members])
