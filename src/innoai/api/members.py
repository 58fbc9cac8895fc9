"""/v1/members: the people of the account are invited, given roles, and removed."""

from __future__ import annotations

import secrets as randomness
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from litestar import Response, delete, get, patch, post
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.exc import IntegrityError

from innoai.access.roles import may_appoint
from innoai.api.actors import actor_of
from innoai.api.admission import Caller, Inside
from innoai.api.idempotency import create_once
from innoai.api.wire import (
    Instant,
    JsonRequest,
    Limit,
    Name,
    Page,
    answer,
    as_shown,
    cursor_of,
    cut,
    decode_json,
    instant,
    json_body,
    read_body,
    read_query,
)
from innoai.door import Admission
from innoai.errors import InnoError
from innoai.events import journal
from innoai.fresh_ids import fresh_id
from innoai.store import accounts, members
from innoai.store.members import INVITE_LIFETIME, OWNER, MemberRecord

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.config import ServerSettings
    from innoai.events.journal import Actor

INVITE_BYTES = 32
Role = Literal["owner", "admin", "developer", "viewer"]
Email = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=254,
        pattern=r"^ *[!-?A-~]+@[!-?A-~]+ *$(?!\n)",
        extra={"expected": "an e-mail address such as ana@example.com, in ASCII"},
        description="an email address; case does not matter",
    ),
]


class InviteMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A member to invite."""

    email: Email
    role: Role = "developer"
    name: Name | None = None


class ChangeMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change; a member that is left out stays as it is, null removes the name."""

    role: Role | UnsetType = UNSET
    name: Name | UnsetType | None = UNSET


class MemberQuery(msgspec.Struct, frozen=True):
    """Which members to list, newest first."""

    limit: Limit = 20
    cursor: Annotated[str, cursor_of("mem")] | None = None


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A person of the account. `email` is null until the first owner has chosen one."""

    id: str
    object: Literal["member"] = "member"
    email: str | None
    name: str | None
    role: Annotated[str, Meta(extra_json_schema={"enum": ["owner", "admin", "developer", "viewer"]})]
    status: Literal["invited", "active"]
    invite_expires_at: Instant | None
    created_at: Instant


class NewMember(Member, frozen=True, kw_only=True):
    """A member with the link to join by, which is shown this once."""

    invite_url: str


class MemberPage(Page, frozen=True, kw_only=True):
    """A page of members."""

    data: list[Member]


@post("/v1/members", status_code=201)
async def invite_member(request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """Invite a person. Who opens `invite_url` within seven days chooses a password and is a member."""
    content = await json_body(request)
    wanted = decode_json(content, InviteMember)
    _check_rank(caller, wanted.role)
    actor = actor_of(request, caller)
    now = services.clock()
    record = MemberRecord(
        id=fresh_id("mem"),
        account_id=caller.principal.account.id,
        role=wanted.role,
        created_at=now,
        email=wanted.email.strip().casefold(),
        name=wanted.name,
        invite_expires_at=now + INVITE_LIFETIME,
    )

    async def create(connection: AsyncConnection) -> bytes:
        await accounts.lock(connection, record.account_id)
        url = await invite(connection, record, services.settings.server, actor)
        shown = msgspec.structs.asdict(show_member(record))
        return msgspec.json.encode(NewMember(**shown, invite_url=url))

    try:
        created = await create_once(services, request, caller, content, create)
    except IntegrityError:
        raise InnoError(
            "conflict", "That email is a member's already. Choose another one.", param="email"
        ) from None
    return answer(created, 201)


@get("/v1/members")
async def list_members(request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """List the account's members, newest first."""
    query = read_query(request, MemberQuery)
    async with services.database.read() as connection:
        found = await members.page(
            connection, caller.principal.account.id, limit=query.limit + 1, before=query.cursor
        )
    shown, next_cursor = cut(found, query.limit, lambda record: record.id)
    return answer(
        MemberPage(
            data=[show_member(record) for record in shown],
            next_cursor=next_cursor,
        )
    )


@get("/v1/members/{member_id:str}")
async def get_member(member_id: str, services: Inside, caller: Caller) -> Response[bytes]:
    """Show one member."""
    async with services.database.read() as connection:
        record = await _own(connection, member_id, caller)
    return answer(show_member(record))


@patch("/v1/members/{member_id:str}")
async def change_member(
    member_id: str, request: JsonRequest, services: Inside, caller: Caller
) -> Response[bytes]:
    """Give a member another role or name."""
    wanted = await read_body(request, ChangeMember)
    account_id = caller.principal.account.id
    values = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not UNSET}
    async with services.database.write() as connection:
        await accounts.lock(connection, account_id)
        record = await _own(connection, member_id, caller)
        values = {name: value for name, value in values.items() if value != getattr(record, name)}
        if values:
            _check_rank(caller, record.role, values.get("role", record.role))
        if "role" in values:
            await _keep_an_owner(connection, record)
        if values:
            await members.change(connection, member_id, values)
            changed = await _own(connection, member_id, caller)
            await journal.record(
                connection,
                account_id,
                "member.updated",
                actor=actor_of(request, caller),
                now=services.clock(),
                target_id=member_id,
                before=as_shown(show_member(record)),
                after=as_shown(show_member(changed)),
            )
            record = changed
    return answer(show_member(record))


@delete("/v1/members/{member_id:str}", status_code=204)
async def remove_member(member_id: str, request: JsonRequest, services: Inside, caller: Caller) -> None:
    """Remove a member, or take an invitation back."""
    account_id = caller.principal.account.id
    async with services.database.write() as connection:
        await accounts.lock(connection, account_id)
        record = await _own(connection, member_id, caller)
        _check_rank(caller, record.role)
        await _keep_an_owner(connection, record)
        await members.remove(connection, member_id)
        await journal.record(
            connection,
            account_id,
            "member.removed",
            actor=actor_of(request, caller),
            now=services.clock(),
            target_id=member_id,
            before=as_shown(show_member(record)),
        )


async def invite(
    connection: AsyncConnection, member: MemberRecord, server: ServerSettings, actor: Actor
) -> str:
    """Add a member who is yet to join, record it, and give the link to join by.

    Raises:
        IntegrityError: the email is a member's of the account.
    """
    token = randomness.token_urlsafe(INVITE_BYTES)
    await members.invite(connection, member, token)
    await journal.record(
        connection,
        member.account_id,
        "member.invited",
        actor=actor,
        now=member.created_at,
        target_id=member.id,
        after=as_shown(show_member(member)),
    )
    return f"{server.url}/setup?invite={token}"


async def _own(connection: AsyncConnection, member_id: str, caller: Admission) -> MemberRecord:
    record = await members.get(connection, caller.principal.account.id, member_id)
    if record is None:
        raise InnoError("not_found", "No member has that id. GET /v1/members lists the members.")
    return record


def _check_rank(caller: Admission, *roles: str) -> None:
    """Refuse what concerns owners to a member who is none, and to a key that no owner has made."""
    if not may_appoint(caller.principal, *roles):
        raise InnoError(
            "insufficient_permissions",
            "Only an owner, or a key of one, makes, changes or removes owners. Ask one.",
        )


async def _keep_an_owner(connection: AsyncConnection, leaving: MemberRecord) -> None:
    """Refuse to leave an account without an owner; an invitation does not replace one who joined."""
    if leaving.role != OWNER:
        return
    others = [
        owner for owner in await members.owners(connection, leaving.account_id) if owner.id != leaving.id
    ]
    if not any(owner.joined or not leaving.joined for owner in others):
        raise InnoError("conflict", "This is the account's last owner. Make another member an owner first.")


def show_member(record: MemberRecord) -> Member:
    """The member as the API shows it."""
    return Member(
        id=record.id,
        email=record.email,
        name=record.name,
        role=record.role,
        status="active" if record.joined else "invited",
        invite_expires_at=None if record.joined else instant(record.invite_expires_at),
        created_at=instant(record.created_at),
    )
