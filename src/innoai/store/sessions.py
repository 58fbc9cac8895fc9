"""Sessions of members who are signed in: a keyed digest of what the cookie holds, never that itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from innoai.store.tables import members, sessions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A row of sessions, with the member as of now. `proved_at`: when the person last proved who they are."""

    id: str
    member_id: str
    method: str
    address: str | None
    user_agent: str | None
    created_at: float
    seen_at: float
    proved_at: float
    expires_at: float
    account_id: str
    role: str
    email: str
    name: str | None

    def ends_at(self, idle: float) -> float:
        """When it ends that is not used again, where `idle` seconds without use end a session."""
        return min(self.expires_at, self.seen_at + idle)


_COLUMNS = (
    sessions.c.id,
    sessions.c.member_id,
    sessions.c.method,
    sessions.c.address,
    sessions.c.user_agent,
    sessions.c.created_at,
    sessions.c.seen_at,
    sessions.c.proved_at,
    sessions.c.expires_at,
    members.c.account_id,
    members.c.role,
    members.c.email,
    members.c.name,
)
_WITH_MEMBER = sessions.join(members, members.c.id == sessions.c.member_id)


async def begin(
    connection: AsyncConnection,
    digest: bytes,
    *,
    session_id: str,
    member_id: str,
    method: str,
    address: str | None,
    user_agent: str | None,
    now: float,
    proved_at: float,
    expires_at: float,
) -> None:
    """Add the session of the digest."""
    await connection.execute(
        insert(sessions).values(
            digest=digest,
            id=session_id,
            member_id=member_id,
            method=method,
            address=address,
            user_agent=user_agent,
            created_at=now,
            seen_at=now,
            proved_at=proved_at,
            expires_at=expires_at,
        )
    )


def _live(now: float, seen_after: float) -> tuple[ColumnElement[bool], ...]:
    return sessions.c.expires_at > now, sessions.c.seen_at > seen_after


async def find(
    connection: AsyncConnection, digests: Sequence[bytes], now: float, *, seen_after: float
) -> SessionRecord | None:
    """The live session of one of the digests: it has not ended, and was seen after that instant."""
    query = (
        select(*_COLUMNS)
        .select_from(_WITH_MEMBER)
        .where(
            sessions.c.digest.in_(digests),
            *_live(now, seen_after),
            members.c.joined_at.is_not(None),
        )
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else SessionRecord(**row._mapping)


async def get(
    connection: AsyncConnection, session_id: str, now: float, *, seen_after: float
) -> SessionRecord | None:
    """The live session of an id, unless its member has gone."""
    query = (
        select(*_COLUMNS)
        .select_from(_WITH_MEMBER)
        .where(
            sessions.c.id == session_id,
            *_live(now, seen_after),
        )
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else SessionRecord(**row._mapping)


async def of_member(
    connection: AsyncConnection, member_id: str, now: float, *, seen_after: float
) -> list[SessionRecord]:
    """A member's live sessions, the last one seen first."""
    query = (
        select(*_COLUMNS)
        .select_from(_WITH_MEMBER)
        .where(
            sessions.c.member_id == member_id,
            *_live(now, seen_after),
        )
        .order_by(sessions.c.seen_at.desc(), sessions.c.id.desc())
    )
    return [SessionRecord(**row._mapping) for row in (await connection.execute(query)).all()]


async def note(connection: AsyncConnection, session_id: str, values: dict[str, Any]) -> None:
    """Set columns of a session: when and from where it was seen, or when identity was proved."""
    await connection.execute(update(sessions).where(sessions.c.id == session_id).values(**values))


async def end(connection: AsyncConnection, member_id: str, session_id: str) -> bool:
    """End one session of a member; False when there is none of that id."""
    query = delete(sessions).where(sessions.c.id == session_id, sessions.c.member_id == member_id)
    return (await connection.execute(query)).rowcount == 1


async def end_others(connection: AsyncConnection, member_id: str, kept: str | None) -> int:
    """End all sessions of a member but the one of the id `kept`; says how many."""
    query = delete(sessions).where(sessions.c.member_id == member_id)
    if kept is not None:
        query = query.where(sessions.c.id != kept)
    return (await connection.execute(query)).rowcount


async def prune(connection: AsyncConnection, now: float, *, seen_after: float) -> None:
    """Forget the sessions that have ended."""
    await connection.execute(
        delete(sessions).where((sessions.c.expires_at <= now) | (sessions.c.seen_at <= seen_after))
    )
