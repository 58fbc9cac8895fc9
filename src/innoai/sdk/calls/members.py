"""The people of the account."""

from __future__ import annotations

from typing import Literal

from openai import NoneType, Omit, omit

from innoai.sdk.calls.call import Call, Listing, given, idempotent, known, segment
from innoai.sdk.models.members import Member

Role = Literal["owner", "admin", "developer", "viewer"]


def create_member(
    email: str, *, role: Role | None = None, name: str | None = None, idempotency_key: str | None = None
) -> Call[Member]:
    """Invite a person. The answer's `invite_url` is shown this once; who has it joins as that member.

    role: developer by default. idempotency_key: as for keys.
    """
    body = known(email=email, role=role, name=name)
    return Call("post", "/members", Member, body, headers=idempotent(idempotency_key))


def list_members(*, limit: int | None = None, cursor: str | None = None) -> Listing[Member]:
    """The account's members. limit: members a page, 1-100."""
    return Listing("/members", Member, known(limit=limit, cursor=cursor))


def get_member(member_id: str) -> Call[Member]:
    """The member of that id, `mem_…`."""
    return Call("get", _member_path(member_id), Member)


def update_member(
    member_id: str, *, role: Role | Omit = omit, name: str | Omit | None = omit
) -> Call[Member]:
    """Change what is given and leave the rest. The last owner stays one."""
    return Call("patch", _member_path(member_id), Member, given(role=role, name=name))


def delete_member(member_id: str) -> Call[None]:
    """Remove the member. The last owner stays."""
    return Call("delete", _member_path(member_id), NoneType)


def _member_path(member_id: str) -> str:
    return f"/members/{segment('member_id', member_id)}"
