"""/v1/members: the people of the account."""

from __future__ import annotations

from typing import Any

from innoai.api import members
from innoai.api.operations.operation import MEMBER_ID, NOW, Operation, json

_MEMBER: dict[str, Any] = {
    "id": MEMBER_ID,
    "object": "member",
    "email": "ana@example.com",
    "name": "Ana",
    "role": "developer",
    "status": "invited",
    "invite_expires_at": "2026-12-01T22:07:02Z",
    "created_at": NOW,
}
_INVITE = "https://gateway.example.com/setup?invite=pQ3vXy7mT1sZ0aB4cD6eF8gH2iJ5kL9nO-_rUwYtVxE"

MEMBERS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/members",
        "invite_member",
        "members",
        "Invite a person; the answer alone shows the link to join by",
        json(members.NewMember, {**_MEMBER, "invite_url": _INVITE}),
        status=201,
        body=json(members.InviteMember, {"email": "ana@example.com", "role": "developer", "name": "Ana"}),
        errors=("conflict",),
        idempotent=True,
    ),
    Operation(
        "GET",
        "/v1/members",
        "list_members",
        "members",
        "List the account's members, newest first",
        json(members.MemberPage, {"object": "list", "data": [_MEMBER], "next_cursor": None}),
        query=members.MemberQuery,
        query_example={"limit": 20},
    ),
    Operation(
        "GET",
        "/v1/members/{member_id}",
        "get_member",
        "members",
        "Show one member",
        json(members.Member, _MEMBER),
        errors=("not_found",),
    ),
    Operation(
        "PATCH",
        "/v1/members/{member_id}",
        "change_member",
        "members",
        "Give a member another role or name",
        json(members.Member, {**_MEMBER, "role": "admin"}),
        body=json(members.ChangeMember, {"role": "admin"}),
        errors=("not_found", "conflict"),
    ),
    Operation(
        "DELETE",
        "/v1/members/{member_id}",
        "remove_member",
        "members",
        "Remove a member, or take an invitation back",
        None,
        status=204,
        errors=("not_found", "conflict"),
    ),
)
