"""What the store must know of tokens: rotating families, and revocations. Minting writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from innoai.store import changes
from innoai.store.tables import revocations, token_families
from innoai.store.upsert import insert_into

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Family:
    """A family of rotating refresh tokens: the generation that is current, and since when."""

    id: str
    account_id: str
    generation: int
    rotated_at: float
    expires_at: float


async def family(connection: AsyncConnection, family_id: str) -> Family | None:
    """The family's row; None before its first use. A writer's transaction keeps others out until it ends."""
    query = select(token_families).where(token_families.c.id == family_id).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else Family(**row._mapping)


async def begin_family(connection: AsyncConnection, begun: Family) -> None:
    """Record the first use. IntegrityError when another did so at the same time."""
    await connection.execute(
        insert(token_families).values(
            id=begun.id,
            account_id=begun.account_id,
            generation=begun.generation,
            rotated_at=begun.rotated_at,
            expires_at=begun.expires_at,
        )
    )


async def advance_family(connection: AsyncConnection, advanced: Family) -> None:
    """Make the next generation current."""
    query = update(token_families).where(token_families.c.id == advanced.id)
    await connection.execute(
        query.values(
            generation=advanced.generation, rotated_at=advanced.rotated_at, expires_at=advanced.expires_at
        )
    )


async def revoke(
    connection: AsyncConnection, subject: str, account_id: str, *, reason: str, now: float, expires_at: float
) -> bool:
    """Revoke a token by jti, or a family by sid, until it would have expired; False when it was before."""
    added = await connection.execute(
        insert_into(connection, revocations)
        .values(subject=subject, account_id=account_id, reason=reason, revoked_at=now, expires_at=expires_at)
        .on_conflict_do_nothing(index_elements=["subject"])
        .returning(revocations.c.subject)
    )
    if added.one_or_none() is None:
        return False
    await changes.announce(connection, changes.REVOCATION, subject, now)
    return True


async def is_revoked(connection: AsyncConnection, subject: str) -> bool:
    """Whether a jti or sid was revoked."""
    query = select(revocations.c.subject).where(revocations.c.subject == subject)
    return (await connection.execute(query)).one_or_none() is not None


async def live_revocations(connection: AsyncConnection, now: float) -> dict[str, float]:
    """Every revocation that still matters: subject to the instant until which it does, soonest first."""
    query = select(revocations.c.subject, revocations.c.expires_at).where(revocations.c.expires_at > now)
    rows = (await connection.execute(query.order_by(revocations.c.expires_at))).all()
    return {row.subject: row.expires_at for row in rows}


async def prune(connection: AsyncConnection, now: float) -> None:
    """Forget what concerns only tokens that have expired."""
    await connection.execute(delete(revocations).where(revocations.c.expires_at <= now))
    await connection.execute(delete(token_families).where(token_families.c.expires_at <= now))
