"""Who members are to an OpenID Connect provider: its name for them, which never changes hands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from innoai.store.tables import identities

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


async def find(connection: AsyncConnection, issuer: str, subject: str) -> str | None:
    """The id of the member who is this subject of the issuer."""
    query = select(identities.c.member_id).where(
        identities.c.issuer == issuer, identities.c.subject == subject
    )
    return (await connection.execute(query)).scalar_one_or_none()


async def subjects_of(connection: AsyncConnection, member_id: str, issuer: str) -> list[str]:
    """Who the member is to the issuer."""
    query = select(identities.c.subject).where(
        identities.c.member_id == member_id, identities.c.issuer == issuer
    )
    return list((await connection.execute(query)).scalars())


async def add(connection: AsyncConnection, issuer: str, subject: str, member_id: str, now: float) -> None:
    """The member is this subject. IntegrityError when somebody else is."""
    await connection.execute(
        insert(identities).values(issuer=issuer, subject=subject, member_id=member_id, created_at=now)
    )
