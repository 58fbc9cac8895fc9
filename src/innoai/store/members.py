"""Members: the people who act for an account."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from innoai.store.tables import members

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection

OWNER = "owner"
INVITE_LIFETIME = 7 * 86_400.0
"""Seconds for which an invitation can be taken up."""


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """A row of members. `joined`: the invitation was taken up. `email` None: to be chosen then."""

    id: str
    account_id: str
    role: str
    created_at: float
    email: str | None = None
    name: str | None = None
    invite_expires_at: float | None = None
    joined: bool = False


_COLUMNS = (
    members.c.id,
    members.c.account_id,
    members.c.role,
    members.c.created_at,
    members.c.email,
    members.c.name,
    members.c.invite_expires_at,
    members.c.joined_at.is_not(None).label("joined"),
)


async def invite(connection: AsyncConnection, member: MemberRecord, token: str) -> None:
    """Add a member who is yet to choose a password by the link that carries the token.

    The token, 256 random bits, is kept as a digest. IntegrityError when the email is a member's of the
    account.
    """
    await connection.execute(
        insert(members).values(
            id=member.id,
            account_id=member.account_id,
            email=member.email,
            name=member.name,
            role=member.role,
            invite_digest=hashlib.sha256(token.encode()).digest(),
            invite_expires_at=member.invite_expires_at,
            created_at=member.created_at,
        )
    )


async def get(connection: AsyncConnection, account_id: str, member_id: str) -> MemberRecord | None:
    """The account's member of that id."""
    query = _of(account_id).where(members.c.id == member_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else MemberRecord(**row._mapping)


async def invited(connection: AsyncConnection, token: str, now: float) -> MemberRecord | None:
    """The member of the invitation that carries the token, if it can be taken up yet."""
    query = select(*_COLUMNS).where(
        members.c.invite_digest == hashlib.sha256(token.encode()).digest(),
        members.c.invite_expires_at > now,
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else MemberRecord(**row._mapping)


async def join(connection: AsyncConnection, member_id: str, values: Mapping[str, Any], now: float) -> bool:
    """Take the invitation up, setting columns too; False when somebody was faster.

    IntegrityError when the email is another member's of the account.
    """
    query = update(members).where(members.c.id == member_id, members.c.joined_at.is_(None))
    taken = {**values, "joined_at": now, "invite_digest": None, "invite_expires_at": None}
    return (await connection.execute(query.values(**taken))).rowcount == 1


async def find(connection: AsyncConnection, member_id: str) -> MemberRecord | None:
    """The member of that id, of whatever account."""
    row = (await connection.execute(select(*_COLUMNS).where(members.c.id == member_id))).one_or_none()
    return None if row is None else MemberRecord(**row._mapping)


async def of_email(connection: AsyncConnection, email: str | None) -> list[MemberRecord]:
    """The members of an email in whatever accounts, the oldest first; nobody without one.

    It is in the spelling that is kept: without spaces around, and casefolded.
    """
    query = select(*_COLUMNS).where(members.c.email == email, members.c.email.is_not(None))
    return [MemberRecord(**row._mapping) for row in (await connection.execute(query.order_by(members.c.id)))]


async def with_password(
    connection: AsyncConnection, email: str, account_id: str | None, *, limit: int
) -> list[tuple[MemberRecord, str]]:
    """At most `limit` members of an email who have joined with a password, the oldest first, and its hashes.

    Those of one account, or of whatever accounts.
    """
    query = select(*_COLUMNS, members.c.password_hash).where(
        members.c.email == email, members.c.joined_at.is_not(None), members.c.password_hash.is_not(None)
    )
    if account_id is not None:
        query = query.where(members.c.account_id == account_id)
    rows = (await connection.execute(query.order_by(members.c.id).limit(limit))).all()
    return [(MemberRecord(*row[:-1]), row.password_hash) for row in rows]


async def password_hash(connection: AsyncConnection, member_id: str) -> str | None:
    """The hash of a member's password; None for one who has none, or who is not there."""
    query = select(members.c.password_hash).where(members.c.id == member_id)
    return (await connection.execute(query)).scalar_one_or_none()


async def page(
    connection: AsyncConnection, account_id: str, *, limit: int, before: str | None
) -> list[MemberRecord]:
    """At most `limit` members, newest first, older than the id `before`."""
    query = _of(account_id).order_by(members.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(members.c.id < before)
    return [MemberRecord(**row._mapping) for row in (await connection.execute(query)).all()]


async def owners(connection: AsyncConnection, account_id: str) -> list[MemberRecord]:
    """The account's owners."""
    query = _of(account_id).where(members.c.role == OWNER).order_by(members.c.id)
    return [MemberRecord(**row._mapping) for row in (await connection.execute(query)).all()]


async def change(connection: AsyncConnection, member_id: str, values: Mapping[str, Any]) -> None:
    """Set columns of a member."""
    await connection.execute(update(members).where(members.c.id == member_id).values(**values))


async def remove(connection: AsyncConnection, member_id: str) -> None:
    """Delete a member, and with it an invitation that was not taken up."""
    await connection.execute(delete(members).where(members.c.id == member_id))


def _of(account_id: str) -> Select[Any]:
    return select(*_COLUMNS).where(members.c.account_id == account_id)
